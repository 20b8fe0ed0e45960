"""What a local user has received, over SFTP: with her own password, an app password, or a key of hers."""

import asyncio
import socket

import asyncssh
import pytest

from support.davdoor import run_program
from support.mounted import mounted
from support.pair import PASSWORD
from support.sshdoor import make_key


@pytest.fixture
async def here(tmp_path):
    """Bob's gateway with an SSH door."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with mounted(tmp_path, ssh={"enabled": True, "port": port}) as here:
        here.port = port
        yield here


def connect(here, password=None, user="bob", **options):
    """Connect as Bob, with a password or a key, and nothing of this machine's own."""
    return asyncssh.connect(
        "127.0.0.1", here.port, username=user, password=password, known_hosts=None, config=None,
        client_keys=options.pop("client_keys", None), agent_path=None, **options,
    )  # fmt: skip


async def test_the_tree_is_there_over_sftp(here):
    """The shares are folders: listed, read, written and renamed; what is for reading only, and the list, stay."""
    async with connect(here, PASSWORD) as connection, connection.start_sftp_client() as sftp:
        assert {"Project", "Library", "Report.txt"} <= set(await sftp.listdir("/"))
        async with sftp.open("/Library/book.txt") as file:
            assert await file.read() == "a book"
        async with sftp.open("/Project/new.txt", "w") as file:
            await file.write("over sftp")
        await sftp.rename("/Project/new.txt", "/Project/sub/named.txt")
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await sftp.remove("/Library/book.txt")
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await sftp.mkdir("/Other")
        with pytest.raises(asyncssh.SFTPError):
            await sftp.rmdir("/Project")
    assert (here.files / "Project" / "sub" / "named.txt").read_text() == "over sftp"
    assert (here.files / "Library" / "book.txt").exists()


async def test_an_app_password_opens_it_until_withdrawn(here):
    """A session that an app password opened is cut within seconds of the withdrawal, and no other begins."""
    made = (await here.bob.rest("POST", "app-passwords", json={"name": "sshfs"}))[1]
    async with connect(here, made["password"]) as connection, connection.start_sftp_client() as sftp:
        assert "Project" in await sftp.listdir("/")
        assert (await here.bob.rest("DELETE", f"app-passwords/{made['id']}"))[0] == 204
        with pytest.raises(asyncssh.SFTPError):
            await sftp.listdir("/")
        async with asyncio.timeout(10):
            await connection.wait_closed()
    with pytest.raises(asyncssh.PermissionDenied):
        await connect(here, made["password"])


async def test_a_registered_key_opens_it_until_removed(here, tmp_path):
    """OpenSSH's own sftp comes in with a key that Bob registered; removed, or at another's name, it opens nothing."""
    (tmp_path / "client").mkdir()
    line = make_key(tmp_path / "client")
    status, key = await here.bob.rest("POST", "ssh-keys", json={"name": "Laptop", "key": line})
    assert (status, key["type"], key["fingerprint"][:7]) == (201, "ssh-ed25519", "SHA256:")
    assert (await here.bob.rest("POST", "ssh-keys", json={"name": "Again", "key": line}))[0] == 409
    assert (await here.bob.rest("POST", "ssh-keys", json={"name": "Broken", "key": "ssh-ed25519 AAAA"}))[0] == 400

    async def sftp(user="bob"):
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "IdentitiesOnly=yes")
        flags = [part for option in options for part in ("-o", option)]
        identity = str(tmp_path / "client" / "id_ed25519")
        return await run_program(
            "sftp", "-F", "none", *flags, "-i", identity, "-P", str(here.port), "-b", "-", f"{user}@127.0.0.1",
            stdin=b"ls /Project\nget /Library/book.txt book.txt\n", cwd=tmp_path,
        )  # fmt: skip

    code, output = await sftp()
    assert code == 0, output
    assert "hello.txt" in output
    assert (tmp_path / "book.txt").read_text() == "a book"
    assert (await sftp("alice"))[0] != 0
    (listed,) = (await here.bob.rest("GET", "ssh-keys"))[1]["ssh_keys"]
    assert listed["used_at"] is not None
    assert (await here.alice.rest("DELETE", f"ssh-keys/{key['id']}"))[0] == 404
    assert (await here.bob.rest("DELETE", f"ssh-keys/{key['id']}"))[0] == 204
    assert (await sftp())[0] != 0


async def test_wrong_passwords_are_refused(here):
    """A wrong password, somebody else's name and a share's user name with a password all stay outside."""
    for user, password in (("bob", "wrong"), ("alice", PASSWORD), ("ocm-bob", PASSWORD)):
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(here, password, user=user)


async def test_users_can_be_kept_out_of_the_ssh_door(tmp_path):
    """Where the operator says so, the SSH door takes no passwords at all and is for peers only."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with mounted(tmp_path, ssh={"enabled": True, "port": port}, mount={"over_ssh": False}) as here:
        here.port = port
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(here, PASSWORD)
