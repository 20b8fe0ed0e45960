"""Shares over SSH, received: our own key for each share, and only host keys that somebody vouches for (SHARE-4)."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from integration.test_ssh_shares import free_port

from gateway.crypto.sshkeys import HostKey
from gateway.errors import GatewayError, Kind
from gateway.model.access import PinnedBy
from gateway.ocm.protocol import parse_ssh_uri
from support.pair import folder_storage, side
from support.transferrig import files_below, transfer, until_over


@asynccontextmanager
async def pair_over_ssh(folder, monkeypatch, *, is_stated=True):
    """Run Alice behind an SSH door and Bob who uses it."""
    if not is_stated:
        without_statement(monkeypatch)
    storage = folder_storage(folder / "a", "alice")
    door = {"enabled": True, "port": free_port()}
    async with (
        side(folder, "alpha", "alice", storage, ssh=door) as alice,
        side(folder, "beta", "bob", folder_storage(folder / "b", "bob"), ssh={"receive": True}) as bob,
    ):
        yield alice, bob


def without_statement(monkeypatch):
    """Let discovery documents name no statement of host keys."""
    from gateway.web import ocm  # noqa: PLC0415 - patched here only

    render = ocm.render

    def rendered(*arguments, **options):
        document = render(*arguments, **options)
        document.pop("sshHostKeys", None)
        return document

    monkeypatch.setattr(ocm, "render", rendered)


async def over_ssh_only(bob, share_id):
    """Take the WebDAV entry out of a received share."""

    def change(share):
        return replace(share, webdav=replace(share.webdav, is_offered=False))

    await bob.gateway.tasks.received.update(share_id, change)


@pytest.mark.req("SHARE-4", "SHARE-7", "ACC-5")
async def test_two_gateways_share_over_ssh_without_trust_on_first_use(tmp_path, monkeypatch):
    """Each share gets a key pair of its own, the sender's signed statement vouches for its door, and files come."""
    async with pair_over_ssh(tmp_path, monkeypatch) as (alice, bob):
        both = ["remote", "datatx"]
        first = await alice.share("/Project", bob.address, access_types=both)
        second = await alice.share("/Project", bob.address, access_types=both)
        keys = [(await alice.gateway.tasks.sent.get(share["id"])).recipient_public_keys for share in (first, second)]
        assert [len(each) for each in keys] == [1, 1]
        assert keys[0] != keys[1]
        share = await bob.accepted()
        await over_ssh_only(bob, share)
        assert await bob.rest("GET", f"received/{share}/files/hello.txt") == (200, b"hello")
        kept = await bob.gateway.tasks.received.get(share)
        assert kept.ssh.pinned_by is PinnedBy.STATEMENT
        over = await until_over(bob, (await transfer(bob, share, name="Copy"))["id"])
        assert (over["state"], over["files_done"]) == ("done", 1)
        assert files_below(tmp_path / "b/bob/Copy") == {"hello.txt": b"hello"}


@pytest.mark.req("SHARE-4")
async def test_a_single_file_is_read_over_ssh(tmp_path, monkeypatch):
    """A shared file opens as the share's root, as over WebDAV."""
    async with pair_over_ssh(tmp_path, monkeypatch) as (alice, bob):
        await alice.share("/Project/hello.txt", bob.address, write=False, access_types=["datatx"])
        share = await bob.accepted()
        await over_ssh_only(bob, share)
        over = await until_over(bob, (await transfer(bob, share, name="one.txt"))["id"])
        assert (over["state"], (tmp_path / "b/bob/one.txt").read_bytes()) == ("done", b"hello")


@pytest.mark.req("SHARE-4")
async def test_without_a_statement_the_user_looks_at_the_key_once(tmp_path, monkeypatch):
    """Nothing opens before the user has confirmed the fingerprint; another key is refused from then on."""
    async with pair_over_ssh(tmp_path, monkeypatch, is_stated=False) as (alice, bob):
        await alice.share("/Project", bob.address)
        share = await bob.accepted()
        await over_ssh_only(bob, share)
        status, problem = await bob.rest("GET", f"received/{share}/files/")
        assert (status, "host key" in problem["detail"]) == (409, True)
        shown = (await bob.rest("GET", f"received/{share}/host-key"))[1]
        assert (shown["fingerprint"][:7], shown["is_believed"]) == ("SHA256:", False)
        wrong = json.dumps({"fingerprint": "SHA256:other"})
        assert (await bob.rest("POST", f"received/{share}/host-key", data=wrong))[0] == 409
        right = json.dumps({"fingerprint": shown["fingerprint"]})
        believed = (await bob.rest("POST", f"received/{share}/host-key", data=right))[1]
        assert (believed["is_believed"], believed["because"]) == (True, "first-use")
        assert (await bob.rest("GET", f"received/{share}/files/hello.txt"))[1] == b"hello"

        def another_key(kept):
            return replace(kept, ssh=replace(kept.ssh, host_keys=(HostKey.generate().public,)))

        await bob.gateway.tasks.received.update(share, another_key)
        status, problem = await bob.rest("GET", f"received/{share}/files/")
        assert (status, "not the one we know" in problem["detail"]) == (503, True)
        assert (await bob.rest("POST", f"received/{share}/host-key", data=right))[0] == 409


@pytest.mark.req("SHARE-4")
async def test_a_statement_that_cannot_be_verified_opens_nothing(tmp_path, monkeypatch):
    """Whoever says that it states its host keys is never trusted on first use instead."""
    monkeypatch.setattr("gateway.crypto.hostkeys.verify", _refuse)
    async with pair_over_ssh(tmp_path, monkeypatch) as (alice, bob):
        await alice.share("/Project", bob.address)
        share = await bob.accepted()
        await over_ssh_only(bob, share)
        for path in (f"received/{share}/files/", f"received/{share}/host-key"):
            status, problem = await bob.rest("GET", path)
            assert (status, "cannot be verified" in problem["detail"]) == (503, True)


def _refuse(*_arguments, **_options):
    raise GatewayError(Kind.INVALID, "no")


@pytest.mark.req("SHARE-4")
async def test_who_does_not_use_ssh_is_not_offered_it(tmp_path, monkeypatch):
    """Without the option no key is made, nothing is advertised, and there is no door for host keys."""
    async with pair_over_ssh(tmp_path, monkeypatch) as (alice, bob):
        assert (await discovered(bob))["ssh-receive"] == {}
        assert "ssh-receive" not in await discovered(alice)
        share = await bob.share("/Project", alice.address)
        assert share["state"] == "delivered"
        assert (await alice.received())[0]["ssh"] is None
        assert (await alice.rest("GET", f"received/{(await alice.received())[0]['id']}/host-key"))[0] == 404


async def discovered(side):
    """Return the protocols that a side advertises for files."""
    async with side.session.get(f"{side.local}/.well-known/ocm") as answer:
        return (await answer.json())["resourceTypes"][0]["protocols"]


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    "uri",
    [
        "alice@host:22:/path",
        "alice@host/path",
        "alice@host:0/path",
        "alice@host:70000/path",
        "@host:22/path",
        "-oProxyCommand=x@host:22/path",
        "alice@-oProxyCommand=x:22/path",
        "alice@ho st:22/path",
        "alice:word@host:22/path",
        "ssh://alice@host:22/path",
        "alice@host:22/a/../../etc",
        "alice@host:22/a%2Fb",
        "alice@host:22path",
        "alice@host:22/\npath",
        "",
    ],
)
def test_an_address_that_is_not_exactly_one_is_refused(uri):
    """The sender's address is user, host, port and path, and nothing that a program could read as more."""
    with pytest.raises(GatewayError):
        parse_ssh_uri(uri)


@pytest.mark.req("SHARE-4")
def test_addresses_are_read():
    """Names, IPv6 literals and percent-encoded paths are understood."""
    access = parse_ssh_uri("ocm-1@SFTP.example.org:2222/Beam%20time/a.txt")
    assert (access.user, access.address, access.path.parts) == (
        "ocm-1",
        "sftp.example.org:2222",
        ("Beam time", "a.txt"),
    )
    assert parse_ssh_uri("u@[2001:db8::1]:22").address == "[2001:db8::1]:22"
