"""Copying and moving by reading and writing: nothing is lost, whatever happens in between."""

import pytest

from gateway.backends.local import LocalBackend
from gateway.errors import GatewayError, Kind
from gateway.flows import across
from gateway.model.resource import ResourcePath


class Restless(LocalBackend):
    """A storage in which somebody changes `a` while it is copied, and `bad` cannot be written."""

    def __init__(self, folder):
        super().__init__(folder, is_durable=False)
        self.folder = folder
        self.is_changing = False

    async def write(self, path, chunks, **options):
        if path.name == "bad":
            raise GatewayError(Kind.NO_SPACE, "There is no space.")
        written = await super().write(path, chunks, **options)
        if self.is_changing:
            (self.folder / "a").write_text("changed meanwhile")
        return written


@pytest.fixture
def tree(tmp_path):
    """A file `a` and a folder `from` with a file that cannot be copied."""
    (tmp_path / "a").write_text("content")
    (tmp_path / "from" / "deep").mkdir(parents=True)
    (tmp_path / "from" / "bad").write_text("bad")
    (tmp_path / "from" / "deep" / "good").write_text("good")
    return Restless(tmp_path)


def path(text):
    return ResourcePath.parse(text)


async def test_what_changed_meanwhile_is_not_removed(tree):
    """A file that was changed while it was copied stays, and the user is told."""
    tree.is_changing = True
    with pytest.raises(GatewayError) as caught:
        await across.move_across(tree, path("a"), path("b"), overwrite=True)
    assert caught.value.kind is Kind.CONFLICT
    assert (tree.folder / "a").read_text() == "changed meanwhile"
    assert (tree.folder / "b").read_text() == "content"


async def test_a_copy_goes_on_and_tells_what_failed(tree):
    """One member that fails does not keep the others from being copied."""
    outcome = await across.copy_across(tree, path("from"), path("to"), overwrite=False)
    assert [(str(where), error.kind) for where, error in outcome.failures] == [("/to/bad", Kind.NO_SPACE)]
    assert (tree.folder / "to" / "deep" / "good").read_text() == "good"
    assert outcome.created


async def test_a_failed_copy_moves_nothing(tree):
    """If the copy fails the original stays."""
    with pytest.raises(GatewayError) as caught:
        await across.move_across(tree, path("a"), path("from/bad"), overwrite=True)
    assert caught.value.kind is Kind.NO_SPACE
    assert (tree.folder / "a").read_text() == "content"


async def test_a_copy_has_an_end(tree, monkeypatch):
    """A folder of more than the allowed number of members is refused, and no listing is read to its end."""
    monkeypatch.setattr(across, "COPY_MAX_ENTRIES", 2)
    with pytest.raises(GatewayError) as caught:
        await across.copy_across(tree, path("from"), path("to"), overwrite=False)
    assert caught.value.kind is Kind.TOO_LARGE
