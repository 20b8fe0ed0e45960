"""`datatx`: what was received is copied into the user's own storage, whole or not at all (ACC-5)."""

import pytest
from integration.test_two_gateways import pair

from gateway.model.share import AccessType
from support.transferrig import allow, files_below, offered, transfer, until, until_over


def bobs(tmp_path, name):
    """Return the files below a folder of Bob's."""
    return files_below(tmp_path / "b" / "bob" / name)


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize("kind", ["apache", "wsgidav", "local"])
async def test_a_folder_is_copied_into_the_own_storage(tmp_path, kind):
    """A received folder comes whole into the own storage, with its tree, and the user sees how far it went."""
    async with pair(tmp_path, kind) as (alice, bob):
        await alice.rest("PUT", "files/Project/sub/two.bin", data=b"2" * 300_000)
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        over = await until_over(bob, started["id"])
        assert (over["state"], over["problem"]) == ("done", "")
        assert (over["files"], over["files_done"], over["folders"]) == (2, 2, 2)
        assert over["bytes"] == over["bytes_done"] == 300_005
        assert bobs(tmp_path, "Copy") == {"hello.txt": b"hello", "sub/two.bin": b"2" * 300_000}


@pytest.mark.req("ACC-5")
async def test_a_single_file_is_copied(tmp_path):
    """A shared file, and a file in a shared folder, are copied under their own names."""
    async with pair(tmp_path) as (alice, bob):
        share = await offered(alice, bob, "/Project/hello.txt")
        assert (await until_over(bob, (await transfer(bob, share))["id"]))["state"] == "done"
        assert (tmp_path / "b/bob/hello.txt").read_bytes() == b"hello"
        folder = await offered(alice, bob)
        over = await until_over(bob, (await transfer(bob, folder, path="/hello.txt", name="again.txt"))["id"])
        assert (over["state"], over["target"], over["files_done"]) == ("done", "/again.txt", 1)
        assert (tmp_path / "b/bob/again.txt").read_bytes() == b"hello"


@pytest.mark.req("ACC-5")
@pytest.mark.parametrize(
    ("conflict", "left", "counts"),
    [
        ("skip", {"hello.txt": b"old"}, (0, 1)),
        ("overwrite", {"hello.txt": b"hello"}, (1, 0)),
        ("rename", {"hello.txt": b"old", "hello (2).txt": b"hello"}, (1, 0)),
    ],
)
async def test_a_taken_name_is_treated_as_the_user_said(tmp_path, conflict, left, counts):
    """A file that is there already is kept, replaced, or joined by one with another name."""
    async with pair(tmp_path) as (alice, bob):
        (tmp_path / "b/bob/Here").mkdir()
        (tmp_path / "b/bob/Here/hello.txt").write_bytes(b"old")
        share = await offered(alice, bob)
        over = await until_over(bob, (await transfer(bob, share, path="hello.txt", to="Here", conflict=conflict))["id"])
        assert (over["state"], over["files_done"], over["files_skipped"]) == ("done", *counts)
        assert bobs(tmp_path, "Here") == left


@pytest.mark.req("ACC-5")
async def test_a_share_without_datatx_is_not_transferred(tmp_path):
    """What may only be used in place is not copied, and what may only be copied is not opened."""
    async with pair(tmp_path) as (alice, bob):
        share = await offered(alice, bob)
        await allow(bob, share, frozenset({AccessType.REMOTE}))
        status, problem = await bob.rest("POST", "transfers", json={"share": share})
        assert (status, "datatx" in problem["detail"]) == (403, True)
        await allow(bob, share, frozenset({AccessType.DATATX}))
        assert (await bob.rest("GET", f"received/{share}/files/"))[0] == 403
        assert (await until_over(bob, (await transfer(bob, share, name="Copy"))["id"]))["state"] == "done"


@pytest.mark.req("ACC-5", "NOTE-1")
async def test_the_sender_of_a_share_with_an_end_is_told(tmp_path):
    """When a share has an end, its sender hears that it was transferred; without one, nobody has to know."""
    async with pair(tmp_path) as (alice, bob):
        for end in (None, int(alice.clock()) + 3600):
            share = await offered(alice, bob, expires_at=end)
            await until_over(bob, (await transfer(bob, share, name=f"Copy {end}"))["id"])
        newest, oldest = (await alice.rest("GET", "shares"))[1]["shares"]
        newest = await until(alice, newest["id"], lambda shown: shown["transferred_at"], of="shares")
        assert newest["transferred_at"] > 0
        assert (await alice.sent(oldest["id"]))["transferred_at"] is None


async def test_a_transfer_is_its_owners_alone(tmp_path):
    """Nobody sees or stops another's transfer, and what is asked for wrongly is refused with every fault named."""
    async with pair(tmp_path) as (alice, bob):
        started = await transfer(bob, await offered(alice, bob), name="Copy")
        assert (await alice.rest("GET", f"transfers/{started['id']}"))[0] == 404
        assert (await alice.rest("POST", f"transfers/{started['id']}/cancel"))[0] == 404
        status, problem = await bob.rest("POST", "transfers", json={"conflict": "burn", "to": 5, "more": 1})
        assert status == 400
        assert {fault["name"] for fault in problem["faults"]} == {"share", "conflict", "to", "more"}
        assert (await bob.rest("POST", "transfers", json={"share": "unknown"}))[0] == 404
        await until_over(bob, started["id"])
        assert [each["id"] for each in (await bob.rest("GET", "transfers"))[1]["transfers"]] == [started["id"]]
