"""SSH servers as configured storage: log-ins tried there, stored keys, strict host keys, and the probe."""

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from os import environ

import asyncssh
import pytest
import yaml

from gateway.app import probe_storage
from gateway.errors import GatewayError, Kind
from support.davdoor import run_program
from support.pair import configured, folder_storage, side
from support.sshd import sshd
from support.sshservers import new_key, private_text, public_line

PASSWORDS = {"alice": "secret-of-alice", "bob": "secret-of-bob", "service": "secret-of-service"}


class _Accounts(asyncssh.SSHServer):
    """Takes each user with her own pass word."""

    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return PASSWORDS.get(username) == password


@asynccontextmanager
async def homes(folder):
    """Run an SSH server at which each user begins in her own home; give its port and the known-hosts file."""
    for user in PASSWORDS:
        (folder / "homes" / user).mkdir(parents=True)

    def sftp(channel):
        user = channel.get_connection().get_extra_info("username")
        return asyncssh.SFTPServer(channel, chroot=str(folder / "homes" / user))

    host = new_key()
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[host], server_factory=_Accounts, sftp_factory=sftp)
    try:
        yield server.get_port(), known_hosts(folder, server.get_port(), public_line(host))
    finally:
        server.close()
        await server.wait_closed()


def known_hosts(folder, port, line):
    """Write what the server shows into a known-hosts file."""
    path = folder / "known_hosts"
    path.write_text(f"[127.0.0.1]:{port} {line}\n")
    return path


async def test_log_ins_are_tried_at_the_ssh_server(tmp_path):
    """Whoever the server takes is the user, in her own home; to share she stores the account that serves it."""
    async with homes(tmp_path) as (port, hosts):
        url = f"sftp://127.0.0.1:{port}/~/"
        storage = {"url": url, "known_hosts_file": str(hosts), "view": "user", "stored_accounts": True}
        (tmp_path / "homes" / "alice" / "Project").mkdir()
        (tmp_path / "homes" / "alice" / "Project" / "hello.txt").write_text("hello")
        async with (
            side(tmp_path, "alpha", "alice", storage, identity={"providers": ["storage"]}) as alpha,
            side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta,
        ):
            assert (await alpha.rest("GET", "me"))[0] == 401
            alpha.password = PASSWORDS["alice"]
            assert (await alpha.rest("GET", "files/Project/hello.txt"))[1] == b"hello"
            status, problem = await alpha.rest("POST", "shares", json={"path": "/Project", "recipient": beta.address})
            assert (status, problem["title"]) == (403, "no-storage-account")
            account = {"login": "alice", "password": PASSWORDS["alice"]}
            assert (await alpha.rest("PUT", "storage-account", json=account))[0] == 200
            await alpha.share("/Project", beta.address)
            files = f"received/{await beta.accepted()}/files"
            assert (await beta.rest("GET", f"{files}/hello.txt"))[1] == b"hello"
            assert (await beta.rest("PUT", f"{files}/new.txt", data=b"new"))[0] == 201
            assert (tmp_path / "homes" / "alice" / "Project" / "new.txt").read_bytes() == b"new"


async def test_a_stored_key_opens_the_storage(tmp_path):
    """A private key may be stored instead of a pass word; what is no key is refused in plain words (real sshd)."""
    with sshd() as server:
        (server.files / "alice").mkdir()
        (server.files / "alice" / "hello.txt").write_text("hello")
        storage = {
            "url": f"sftp://127.0.0.1:{server.port}{server.files}/{{user}}",
            "known_hosts_file": str(known_hosts(tmp_path, server.port, server.host_key)),
            "view": "user",
            "stored_accounts": True,
        }
        async with side(tmp_path, "alpha", "alice", storage) as alpha:
            key = {"login": server.account.user, "private_key": server.account.private_key.reveal()}
            for wrong, word in (
                ({**key, "private_key": "no key"}, "cannot be read"),
                ({**key, "private_key": private_text(new_key())}, "refused"),
            ):
                status, problem = await alpha.rest("PUT", "storage-account", json=wrong)
                assert (status, word in problem["detail"]) == (400, True)
            status, stored = await alpha.rest("PUT", "storage-account", json=key)
            assert (status, stored["kind"]) == (200, "private_key")
            assert (await alpha.rest("GET", "files/hello.txt"))[1] == b"hello"
            assert (await alpha.rest("GET", "files/"))[1]["entries"][0]["path"] == "/hello.txt"


async def test_what_was_left_is_removed_with_the_accounts_of_those_who_share(tmp_path):
    """Without a service account the sweep goes through the files of who shares: old leftovers go, younger ones stay."""
    with sshd() as server:
        home = server.files / "alice"
        (home / "Project").mkdir(parents=True)
        for name, age in (("old", 2 * 86_400), ("young", 60)):
            (home / "Project" / f".ocm-part-{name}").write_text("half")
            os.utime(home / "Project" / f".ocm-part-{name}", (time.time() - age,) * 2)
        storage = {
            "url": f"sftp://127.0.0.1:{server.port}{server.files}/{{user}}",
            "known_hosts_file": str(known_hosts(tmp_path, server.port, server.host_key)),
            "view": "user",
            "stored_accounts": True,
        }
        async with (
            side(tmp_path, "alpha", "alice", storage) as alpha,
            side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta,
        ):
            key = {"login": server.account.user, "private_key": server.account.private_key.reveal()}
            assert (await alpha.rest("PUT", "storage-account", json=key))[0] == 200
            await alpha.share("/Project", beta.address)
            assert len(list(home.rglob(".ocm-part-*"))) == 2
        again = side(tmp_path, "alpha", "alice", storage, port=alpha.config.http.port)
        async with again, asyncio.timeout(20):
            while (home / "Project" / ".ocm-part-old").exists():  # noqa: ASYNC110 - nobody tells when it was removed
                await asyncio.sleep(0.02)
        assert [path.name for path in home.rglob(".ocm-part-*")] == [".ocm-part-young"]


async def test_recipients_are_known_by_their_folders(tmp_path):
    """With a service account a share may be addressed to whoever has a folder, and to nobody else."""
    async with homes(tmp_path) as (port, hosts):
        root = tmp_path / "homes" / "service"
        (root / "alice").mkdir()
        storage = {
            "url": f"sftp://127.0.0.1:{port}/{{user}}",
            "known_hosts_file": str(hosts),
            "credentials": f"service:{PASSWORDS['service']}",
        }
        alpha = side(tmp_path, "alpha", "alice", storage, identity={"providers": ["storage"]})
        async with alpha as alpha, side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta:
            await beta.share("/Project", alpha.address)
            share = {"path": "/Project", "recipient": alpha.address.replace("alice", "nobody")}
            status, told = await beta.rest("POST", "shares", json=share)
            assert (status, told["state"]) == (201, "refused")


async def test_a_server_with_another_key_is_not_spoken_to(tmp_path):
    """A host key that is not in the file is an outage for users, and named in the log only."""
    with sshd() as server:
        wrong = known_hosts(tmp_path, server.port, public_line(new_key()))
        secret = tmp_path / "key"
        secret.write_text(server.account.private_key.reveal())
        storage = {
            "url": f"sftp://{server.account.user}@127.0.0.1:{server.port}{server.files}/{{user}}",
            "known_hosts_file": str(wrong),
            "private_key_file": str(secret),
        }
        async with side(tmp_path, "alpha", "alice", storage) as alpha:
            assert (await alpha.rest("GET", "files/"))[0] == 503
            with pytest.raises(GatewayError) as caught:
                await probe_storage(alpha.config, "default", "alice")
            assert caught.value.kind is Kind.UNAVAILABLE


async def test_the_file_of_host_keys_is_needed(tmp_path):
    """Without a key of the server nothing starts, with words that help; if its file goes later that is an outage."""
    async with homes(tmp_path) as (port, hosts):
        (tmp_path / "homes" / "service" / "alice").mkdir()
        good = hosts.read_text()
        credentials = f"service:{PASSWORDS['service']}"
        url = f"sftp://127.0.0.1:{port}/{{user}}"
        storage = {"url": url, "known_hosts_file": str(hosts), "credentials": credentials, "idle_seconds": "1s"}
        for text, words in ((good.replace(f":{port}", ":1"), "ssh-keyscan"), (None, "cannot be read")):
            hosts.unlink() if text is None else hosts.write_text(text)
            with pytest.raises(GatewayError, match=words) as caught:
                await probe_storage(configured(tmp_path, "alpha", "alice", 1, storage), "default", "alice")
            assert caught.value.kind is Kind.CONFIGURATION
        hosts.write_text(good)
        async with side(tmp_path, "alpha", "alice", storage) as alpha:
            hosts.unlink()
            assert (await alpha.rest("GET", "files/"))[0] == 503


async def test_an_ssh_server_is_probed(tmp_path):
    """`storage probe` tries the verbs out in a scratch folder and leaves nothing behind."""
    with sshd() as server:
        (server.files / "alice").mkdir()
        secret = tmp_path / "key"
        secret.write_text(server.account.private_key.reveal())
        document = {
            "public_url": "https://cloud.example.org",
            "storage": {
                "url": f"sftp://{server.account.user}@127.0.0.1:{server.port}{server.files}/{{user}}",
                "known_hosts_file": str(known_hosts(tmp_path, server.port, server.host_key)),
                "private_key_file": str(secret),
            },
        }
        (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(document))
        command = (sys.executable, "-m", "gateway", "storage", "probe", "-c", str(tmp_path / "gateway.yaml"))
        status, said = await run_program(*command, "--user", "alice", env=environ)
        names = ("writes", "ranges", "encoded_names", "moves", "times")
        assert (status, said) == (0, "".join(f"yes  {name}\n" for name in names))
        assert list((server.files / "alice").iterdir()) == []
