"""Shares over SSH, from the message that offers them to the end of the last session."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager

import asyncssh
import pytest

from gateway.crypto import hostkeys
from support.fakepeer import FakePeer, Reply
from support.pair import Clock, folder_storage, side
from support.sshdoor import make_key, ran

SECONDS = 1.0


def free_port():
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@asynccontextmanager
async def sender(folder, *, receives=True, keys=None, clock=None, ssh=True, **parts):
    """Run a gateway with an SSH door, and a peer that answers shares with keys."""
    (folder / "client").mkdir()
    key = make_key(folder / "client")
    storage = folder_storage(folder / "alpha", "alice")
    door = {"enabled": ssh, "port": free_port()}
    async with FakePeer.running() as peer:
        protocols = peer.discovery["resourceTypes"][0]["protocols"]
        if receives:
            protocols["ssh-receive"] = {}
        answer = {"recipientDisplayName": "Bob", "recipientPublicKeys": [key] if keys is None else keys}
        peer.replies["/ocm/shares"] = Reply(201, answer)
        async with side(folder, "alpha", "alice", storage, clock=clock, ssh=door, **parts) as alice:
            alice.key_file = folder / "client" / "id_ed25519"
            alice.peer = peer
            yield alice


async def until(is_so):
    """Wait until something has come about."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


def offered(alice):
    """Return the `protocol` member of the last share that the peer received."""
    return alice.peer.at("/ocm/shares")[-1].json["protocol"]


class Told(asyncssh.SSHClient):
    """Notes with what its connection ended."""

    def __init__(self, ends):
        self.ends = ends

    def connection_lost(self, exc):
        self.ends.append(exc)


def local(alice, url):
    """Return the URL with the number of this machine instead of the gateway's name."""
    return url.replace(alice.config.public_url, alice.local)


def connect(alice, **options):
    """Connect with asyncssh's client to what was last offered."""
    user, _, place = offered(alice)["ssh"]["uri"].partition("@")
    port = int(place.partition("/")[0].rpartition(":")[2])
    settings = {"username": user, "client_keys": [str(alice.key_file)], "known_hosts": None, "config": None}
    return asyncssh.connect("127.0.0.1", port, **(settings | options))


@pytest.mark.req("SHARE-4", "ACC-6")
async def test_the_recipients_key_opens_the_share_and_nothing_else(tmp_path):
    """OpenSSH's sftp with the key that the peer named reads and writes what was shared, and nothing above it."""
    async with sender(tmp_path) as alice:
        share = await alice.share("/Project", f"bob@{alice.peer.host}")
        assert share["state"] == "delivered"
        uri = offered(alice)["ssh"]["uri"]
        user, _, place = uri.partition("@")
        assert place == f"alpha.localhost:{alice.config.ssh.port}/"
        (tmp_path / "new").write_text("from bob")
        words = ["-F", "/dev/null", "-o", f"IdentityFile={alice.key_file}", "-o", "IdentitiesOnly=yes", "-b", "-"]
        words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-P", alice.config.ssh.port]
        lines = (
            f"get hello.txt {tmp_path}/got\nput {tmp_path}/new sub/new\n-get ../../alice/Project/hello.txt\nls -l ..\n"
        )
        status, output = await ran("sftp", *words, f"{user}@127.0.0.1", text=lines)
        assert status == 0, output
        assert (tmp_path / "got").read_text() == "hello"
        assert (tmp_path / "alpha/alice/Project/sub/new").read_text() == "from bob"
        assert "not found" in output


@pytest.mark.req("NOTE-3")
async def test_revocation_cuts_a_running_download_within_a_second(tmp_path):
    """When the owner revokes a share, a download that is under way over SSH ends within a second."""
    async with sender(tmp_path) as alice:
        big = tmp_path / "alpha/alice/Project/big"
        with big.open("wb") as file:
            file.truncate(64 * 2**30)
        share = await alice.share("/Project", f"bob@{alice.peer.host}")
        async with connect(alice) as connection, connection.start_sftp_client() as client:
            file = await client.open("big", "rb")
            place = 0

            async def download():
                nonlocal place
                while True:
                    place += len(await file.read(100_000, place))

            reading = asyncio.create_task(download())
            await until(lambda: place > 10**6)
            began = time.monotonic()
            assert (await alice.rest("DELETE", f"shares/{share['id']}"))[0] == 200
            with pytest.raises((asyncssh.SFTPError, asyncssh.DisconnectError)):
                await asyncio.wait_for(reading, SECONDS)
            assert time.monotonic() - began < SECONDS
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(alice)
        assert alice.gateway.metrics.open_handles._value.get() == 0


@pytest.mark.req("DISC-3")
async def test_discovery_names_the_door_and_its_keys(tmp_path):
    """The document names the SSH door for files and folders, and where its signed host keys are."""
    async with sender(tmp_path) as alice:
        async with alice.session.get(f"{alice.local}/.well-known/ocm") as answer:
            document = await answer.json()
        places = {entry["protocols"]["ssh"] for entry in document["resourceTypes"]}
        assert places == {f"alpha.localhost:{alice.config.ssh.port}"}
        async with alice.session.get(local(alice, document["sshHostKeys"])) as answer:
            statement = await answer.text()
        async with alice.session.get(local(alice, document["jwksUri"])) as answer:
            keys = await answer.json()
        authority = alice.config.authority
        stated = hostkeys.verify(statement, keys, authority=authority, now=time.time())
        assert stated.address == f"alpha.localhost:{alice.config.ssh.port}"
        await alice.share("/Project", f"bob@{alice.peer.host}")
        known = asyncssh.import_known_hosts("".join(f"127.0.0.1 {key}\n" for key in stated.keys))
        async with connect(alice, known_hosts=known):
            pass


@pytest.mark.req("SHARE-4", "DISC-3")
async def test_without_the_door_nothing_speaks_of_it(tmp_path):
    """Where there is no SSH door, neither discovery nor a share names one, and there is no statement of its keys."""
    async with sender(tmp_path, ssh=False) as alice:
        async with alice.session.get(f"{alice.local}/.well-known/ocm") as answer:
            document = await answer.json()
        assert "sshHostKeys" not in document
        assert all("ssh" not in entry["protocols"] for entry in document["resourceTypes"])
        async with alice.session.get(f"{alice.local}/ocm/ssh-host-keys") as answer:
            assert answer.status == 404
        await alice.share("/Project", f"bob@{alice.peer.host}")
        assert set(offered(alice)) == {"name", "webdav"}


@pytest.mark.req("SHARE-4")
async def test_only_who_receives_over_ssh_is_offered_it(tmp_path):
    """A peer without `ssh-receive` gets no SSH offer; to demand one for it is refused in plain words."""
    async with sender(tmp_path, receives=False) as alice:
        await alice.share("/Project", f"bob@{alice.peer.host}")
        assert "ssh" not in offered(alice)
        document = {"path": "/Project", "recipient": f"bob@{alice.peer.host}", "protocols": ["ssh"]}
        status, answer = await alice.rest("POST", "shares", json=document)
        assert (status, "SSH" in answer["detail"]) == (409, True)


@pytest.mark.req("SHARE-4")
async def test_a_share_may_be_kept_to_webdav(tmp_path):
    """A sender who names only `webdav` offers nothing else."""
    async with sender(tmp_path) as alice:
        await alice.share("/Project", f"bob@{alice.peer.host}", protocols=["webdav"])
        assert "ssh" not in offered(alice)


@pytest.mark.req("SHARE-4")
async def test_no_other_key_user_or_share_is_opened(tmp_path):
    """Each share has its own user name, and neither another key nor another share's name opens it."""
    async with sender(tmp_path) as alice:
        other = make_key(tmp_path / "client", "other")
        await alice.share("/Project", f"bob@{alice.peer.host}")
        first = offered(alice)["ssh"]["uri"].partition("@")[0]
        alice.peer.replies["/ocm/shares"] = Reply(201, {"recipientPublicKeys": other})
        await alice.share("/Project/sub", f"bob@{alice.peer.host}")
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(alice)
        async with (
            connect(alice, client_keys=[str(tmp_path / "client" / "other")]) as connection,
            connection.start_sftp_client() as client,
        ):
            assert set(await client.listdir("/")) == {".", ".."}
        for user in (first.upper(), first[4:], "root", "alice", "ocm-", ""):
            with pytest.raises(asyncssh.PermissionDenied):
                await connect(alice, username=user)


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize("keys", [[], "nonsense", [7, None, "ssh-ed25519 AAAA"], {"a": 1}])
async def test_a_peer_that_names_no_key_has_none(tmp_path, keys):
    """What is no key in the peer's answer opens nothing, and the share is delivered all the same."""
    async with sender(tmp_path, keys=keys) as alice:
        share = await alice.share("/Project", f"bob@{alice.peer.host}")
        assert (share["state"], share["ssh_keys"]) == ("delivered", 0)
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(alice)


@pytest.mark.req("ACC-5", "ACC-6")
@pytest.mark.parametrize("access_types", [["datatx"], ["datatx", "remote"]])
async def test_what_may_only_be_copied_is_not_changed(tmp_path, access_types):
    """A share with `datatx` alone opens for reading at both doors, also where `write` was granted."""
    async with sender(tmp_path) as alice:
        share = await alice.share("/Project", f"bob@{alice.peer.host}", access_types=access_types)
        assert set(offered(alice)["webdav"]["accessTypes"]) == set(access_types)
        assert set(offered(alice)["ssh"]["accessTypes"]) == set(access_types)
        secret = await alice.secret_of(share["id"])
        may_write = "remote" in access_types
        assert (await alice.dav("PUT", secret, "new.txt", data=b"x"))[0] == (201 if may_write else 403)
        assert (await alice.dav("GET", secret, "hello.txt")) == (200, b"hello")
        async with connect(alice) as connection, connection.start_sftp_client() as client:
            assert await (await client.open("hello.txt")).read() == "hello"
            if may_write:
                await client.mkdir("folder")
            else:
                with pytest.raises(asyncssh.SFTPPermissionDenied):
                    await client.mkdir("folder")


@pytest.mark.req("SHARE-4")
async def test_a_single_file_stands_alone_in_its_folder(tmp_path):
    """A shared file is found by its name in the root, and nothing beside it."""
    async with sender(tmp_path) as alice:
        await alice.share("/Project/hello.txt", f"bob@{alice.peer.host}")
        assert offered(alice)["ssh"]["uri"].endswith("/hello.txt")
        async with connect(alice) as connection, connection.start_sftp_client() as client:
            assert set(await client.listdir("/")) == {".", "..", "hello.txt"}
            async with client.open("/hello.txt", "w") as file:
                await file.write("changed")
            for refused in (client.remove("hello.txt"), client.mkdir("new"), client.rename("hello.txt", "other")):
                with pytest.raises(asyncssh.SFTPError):
                    await refused
        assert (tmp_path / "alpha/alice/Project/hello.txt").read_text() == "changed"


@pytest.mark.req("SHARE-1")
async def test_an_expired_share_ends_its_sessions(tmp_path):
    """When the share's time has come its session is sent away, and told why."""
    clock = Clock()
    async with sender(tmp_path, clock=clock) as alice:
        await alice.share("/Project", f"bob@{alice.peer.host}", expires_at=int(clock()) + 300)
        ends = []
        connection = await connect(alice, client_factory=lambda: Told(ends))
        clock.ahead = 301
        await asyncio.wait_for(connection.wait_closed(), 5)
        assert "ended" in str(ends[0])
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(alice)
        await until(lambda: alice.gateway.metrics.ssh_sessions._value.get() == 0)
