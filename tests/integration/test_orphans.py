"""What is kept of files that vanish behind our back is forgotten, and nothing else (`jobs.orphans`)."""

import pytest

from gateway.backends.local import LocalBackend
from gateway.jobs.orphans import PATHS_A_RUN, Orphans
from gateway.model.resource import ResourcePath
from support.redisserver import make_store, private_server, server_program

NAME = "{urn:x}name"


@pytest.fixture(scope="module")
def server_url():
    """A private server."""
    with private_server(server_program("embedded")) as url:
        yield url


@pytest.fixture
async def kept(server_url, tmp_path):
    """The dead properties of the files in a folder, and who looks for those that vanished."""
    async with make_store(server_url) as store:
        folder = tmp_path / "alice"
        folder.mkdir()
        view = LocalBackend(folder)
        orphans = Orphans(tables=(store.properties, store.sums), view={"files": view}.get)

        async def keep(*names, space="files"):
            for name in names:
                await store.properties.change(space, ResourcePath.parse(name).one_spelling, {NAME: name})
                await store.sums.change(space, ResourcePath.parse(name).one_spelling, {NAME: name})

        async def left(space="files"):
            found = [await table.some(space, 1000) for table in (store.properties, store.sums)]
            assert set(found[0]) == set(found[1])
            return {str(path) for path in found[0]}

        keep.folder, keep.left, keep.sweep = folder, left, orphans.sweep
        yield keep


async def test_vanished_files_are_forgotten_and_others_not(kept):
    """Properties and sums of what is gone go; those of files, folders and of names with several spellings stay."""
    (kept.folder / "folder").mkdir()
    (kept.folder / "folder/file").write_bytes(b"x")
    (kept.folder / "cafe\u0301").write_bytes(b"x")
    await kept("folder", "folder/file", "folder/gone", "gone", "gone/too", "cafe\u0301", "gone\u00e9")
    assert await kept.sweep() == 6
    assert await kept.left() == {"/folder", "/folder/file", "/caf\u00e9", "/gone\u00e9"}
    assert await kept.sweep() == 0


async def test_a_storage_that_is_away_has_not_lost_its_files(kept):
    """Nothing is forgotten while the owner's folder is empty, missing or not configured."""
    await kept("gone")
    assert await kept.sweep() == 0
    kept.folder.rmdir()
    assert await kept.sweep() == 0
    kept.folder.symlink_to("/nowhere")
    assert await kept.sweep() == 0
    kept.folder.unlink()
    kept.folder.mkdir()
    (kept.folder / "present").write_bytes(b"x")
    assert await kept.sweep() == 2
    await kept("gone", space="another storage")
    for _ in range(10):
        await kept.sweep()
    assert await kept.left("another storage") == {"/gone"}


async def test_a_run_is_bounded_and_all_have_their_turn(kept):
    """One run looks at no more paths than it may; after enough runs nothing of what vanished is left."""
    (kept.folder / "present").write_bytes(b"x")
    await kept("present", *(f"gone{number}" for number in range(2 * PATHS_A_RUN)))
    assert 0 < await kept.sweep() <= 2 * PATHS_A_RUN
    for _ in range(20):
        await kept.sweep()
    assert await kept.left() == {"/present"}
