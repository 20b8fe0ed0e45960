"""Every file in config/examples is loaded as it is shipped, and carries a share's whole life before the real server.

Only hosts, ports and folders are replaced by those of the test; each replacement must be found in the file.
"""

import io
import os
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml

from gateway.app import mark_store
from gateway.app.run import running
from gateway.config import load
from gateway.crypto.keys import KeyRing, save_key_file
from gateway.store.binary import find_server
from support.apache import apache
from support.dcache import dcache
from support.nginx import nginx
from support.pair import PASSWORD, PASSWORD_HASH, Side, folder_storage, side
from support.redisserver import private_server
from support.sshd import sshd

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
# More than what is sent without asking first (Expect), and more than one piece.
LARGE = os.urandom(2 * 1024 * 1024 + 17)
FLAGS = {
    "ops.port": 0,
    "http.drain_seconds": 1,
    "peers.allow_http": True,
    "peers.allow_cidr": ["127.0.0.0/8", "::1/128"],
}


def shipped(name, folder, port, replaced):
    """Return the configuration that an example becomes with the test's places in it."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    places = {
        "https://cloud.example.org": f"http://alpha.localhost:{port}",
        "/run/secrets/ocm-gateway/": f"{folder}/secrets/",
        "/etc/ocm-gateway/": f"{folder}/etc/",
    }
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    for old, new in places.items():
        text = text.replace(old, new)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return load(path, {}, FLAGS | {"http.port": port, "http.host": "127.0.0.1", "data_dir": str(folder / "data")})


@asynccontextmanager
async def example(name, folder, replaced, *, password=None):
    """Run the gateway of an example; its user is Alice."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    (folder / "etc").mkdir(exist_ok=True)
    people = {user: {"password": PASSWORD_HASH} for user in ("alice", "bob", "carol")}
    people["carol"]["groups"] = ["pilots"]
    (folder / "etc" / "users.yaml").write_text(yaml.safe_dump({"users": people}))
    config = shipped(name, folder, port, replaced)
    if not config.store.is_embedded:
        config.keys_file.parent.mkdir(exist_ok=True)
        save_key_file(config.keys_file, KeyRing.generate(config.public_url, time.time()))
        await mark_store(config)
    async with aiohttp.ClientSession() as session:
        alpha = Side("alpha", "alice", config, session)
        if password is not None:
            alpha.password = password
        async with running(config, listener=listener) as alpha.gateway:
            yield alpha


def secret(folder, name, text):
    """Put a secret where the example looks for it."""
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / name).write_text(text)


def project(home, own=lambda _path: None):
    """Make a folder with something in it in Alice's home."""
    folder = home / "Project"
    (folder / "sub").mkdir(parents=True)
    (folder / "hello.txt").write_text("hello")
    for path in (home, folder, folder / "sub", folder / "hello.txt"):
        own(path)
    return folder


async def life_of_a_share(alpha, folder, shared="/Project"):
    """Share a folder, and use it as the other provider's user: list, read, write, change, and then no more."""
    async with side(folder, "beta", "bob", folder_storage(folder / "beta", "bob")) as beta:
        share = await alpha.share(shared, beta.address)
        files = f"received/{await beta.accepted()}/files"
        status, listing = await beta.rest("GET", f"{files}/")
        assert (status, {entry["path"] for entry in listing["entries"]}) == (200, {"/hello.txt", "/sub"})
        assert await beta.rest("GET", f"{files}/hello.txt") == (200, b"hello")
        for name, content in (("from%20bob%20%26%20c%C3%B6.txt", b"from bob"), ("sub/large.bin", LARGE)):
            assert (await beta.rest("PUT", f"{files}/{name}", data=io.BytesIO(content)))[0] == 201
            assert await beta.rest("GET", f"{files}/{name}") == (200, content)
        assert (await beta.rest("PUT", f"{files}/hello.txt", data=b"changed"))[0] == 204
        assert (await beta.rest("PUT", f"{files}/new/"))[0] == 201
        await changes_by_webdav(alpha, share)
        assert (await beta.rest("DELETE", f"{files}/sub"))[0] == 204
        status, listing = await beta.rest("GET", f"{files}/")
        assert {entry["path"] for entry in listing["entries"]} == {"/hello.txt", "/from bob & cö.txt", "/renamed"}
        secret_text = await alpha.secret_of(share["id"])
        assert (await alpha.dav("GET", secret_text, "hello.txt"))[1] == b"changed"
        assert (await alpha.rest("DELETE", f"shares/{share['id']}"))[0] == 200
        assert (await alpha.dav("GET", secret_text, "hello.txt"))[0] == 401
        assert (await beta.rest("GET", f"{files}/hello.txt"))[0] != 200


async def changes_by_webdav(alpha, share):
    """Lock, refuse a stranger to the lock, read a piece, and move, as a WebDAV client of the recipient does."""
    key, base = await alpha.secret_of(share["id"]), f"{alpha.local}/ocm/dav"
    lock = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    assert (await alpha.dav("LOCK", key, "hello.txt", data=lock))[0] == 200
    assert (await alpha.dav("PUT", key, "hello.txt", data=b"no"))[0] == 423
    piece = await alpha.dav("GET", key, "sub/large.bin", headers={"Range": "bytes=5-8"})
    assert piece == (206, LARGE[5:9])
    assert (await alpha.dav("PUT", key, "sub/large.bin", headers={"If-None-Match": "*"}, data=b"no"))[0] == 412
    headers = {"Destination": f"{base}/renamed/", "Overwrite": "F"}
    assert (await alpha.dav("MOVE", key, "new/", headers=headers))[0] == 201


async def test_apache(tmp_path):
    """Apache mod_dav: the user logs in with her pass word there, and browses as herself."""
    with apache() as server:
        home = project(server.files / "alice", server.own)
        host = server.url.removesuffix("/dav/")
        secret(tmp_path, "storage", f"service:{server.users['service']}\n")
        replaced = {"webdav+https://files.example.org": f"webdav+{host}", "https://files.example.org": host}
        async with example("webdav-apache", tmp_path, replaced, password=server.users["alice"]) as alpha:
            await life_of_a_share(alpha, tmp_path, "/alice/Project")
            assert (home / "hello.txt").read_bytes() == b"changed"
            assert (await alpha.rest("GET", "files/bob/"))[0] in (401, 403, 503)


async def test_nginx(tmp_path):
    """Nginx with its WebDAV modules; locks, conditions and what else it lacks are the gateway's."""
    with nginx() as server:
        home = project(server.files / "alice")
        secret(tmp_path, "storage", f"gateway:{server.users['gateway']}\n")
        replaced = {"http://127.0.0.1:8000/files/": server.url}
        async with example("webdav-nginx", tmp_path, replaced) as alpha:
            await life_of_a_share(alpha, tmp_path)
            assert (home / "hello.txt").read_bytes() == b"changed"


async def test_openssh(tmp_path):
    """OpenSSH: the gateway's own key, strict host keys, a folder for each user."""
    with sshd() as server:
        home = project(server.files / "alice")
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc" / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        secret(tmp_path, "storage-key", server.account.private_key.reveal())
        place = f"{server.account.user}@127.0.0.1:{server.port}{server.files}"
        replaced = {"ocm@files.example.org:22/srv/files": place}
        async with example("sftp-openssh", tmp_path, replaced) as alpha:
            await life_of_a_share(alpha, tmp_path)
            assert (home / "hello.txt").read_bytes() == b"changed"


async def test_posix_mount(tmp_path):
    """A folder of this machine; a link that leads out of the user's own is not followed."""
    home = project(tmp_path / "files" / "alice")
    (home.parent / "out").symlink_to("/etc")
    async with example("posix-mount", tmp_path, {"/srv/files": f"{tmp_path}/files"}) as alpha:
        await life_of_a_share(alpha, tmp_path)
        assert (home / "hello.txt").read_bytes() == b"changed"
        assert (await alpha.rest("GET", "files/out/passwd"))[0] in (403, 404)


async def test_dcache(tmp_path):
    """A door with bearer token and pools: redirects are followed, the token stays at the door and is read anew."""
    home = project(tmp_path / "files" / "users" / "alice")
    secret(tmp_path, "storage-token", "first-token\n")
    async with dcache(tmp_path / "files", "first-token") as storage:
        replaced = {
            "webdav+https://dcache.example.org:2880": f"webdav+http://{storage.door}",
            "pool1.example.org:20000, pool2.example.org:20000": storage.pool,
        }
        async with example("bearer-dcache", tmp_path, replaced) as alpha:
            await life_of_a_share(alpha, tmp_path)
            assert (home / "hello.txt").read_bytes() == b"changed"
            storage.token = "second-token"
            assert (await alpha.rest("GET", "files/Project/hello.txt"))[0] == 503
            secret(tmp_path, "storage-token", "second-token\n")
            assert (await alpha.rest("GET", "files/Project/hello.txt"))[0] == 200
        # Nothing but the body came to the pool.
        assert storage.leaks == []
        assert "COPY" not in storage.seen


async def test_data_servers_that_ask_again(tmp_path):
    """Only where the operator names them do data servers see the token too, as XRootD's want to."""
    project(tmp_path / "files" / "users" / "alice")
    secret(tmp_path, "storage-token", "the-token\n")
    async with dcache(tmp_path / "files", "the-token") as storage:
        named = f"[{storage.pool}]\n  redirect_auth_hosts: [{storage.pool}]\n"
        replaced = {
            "webdav+https://dcache.example.org:2880": f"webdav+http://{storage.door}",
            "[pool1.example.org:20000, pool2.example.org:20000]\n": named,
        }
        async with example("bearer-dcache", tmp_path, replaced) as alpha:
            assert await alpha.rest("GET", "files/Project/hello.txt") == (200, b"hello")
        assert storage.leaks == ["Authorization"]


async def groups_count(alpha, files):
    """Carol is on the new storage as one of a group, for her programs and in her browser."""
    project(files / "carol")
    alpha.user = "carol"
    assert (await alpha.rest("GET", "files/Project/hello.txt"))[1] == b"hello"
    jar = aiohttp.CookieJar(unsafe=True)
    form = {"user": "carol", "password": PASSWORD}
    async with (
        aiohttp.ClientSession(f"{alpha.local}/ocm/ui/", cookie_jar=jar) as browser,
        browser.post("log-in", data=form) as answer,
    ):
        assert "Project" in await answer.text()


async def test_migration(tmp_path):
    """Two storages: Alice is on the old one, Bob and Carol's group on the new one, each with what rules say."""
    with apache() as server:
        project(server.files / "alice", server.own)
        project(tmp_path / "files" / "bob")
        secret(tmp_path, "storage", f"service:{server.users['service']}\n")
        replaced = {"https://files.example.org/dav/": server.url, "/srv/files": f"{tmp_path}/files"}
        async with example("migration", tmp_path, replaced) as alpha:
            await life_of_a_share(alpha, tmp_path)
            (tmp_path / "again").mkdir()
            alpha.user = "bob"
            await life_of_a_share(alpha, tmp_path / "again")
            await groups_count(alpha, tmp_path / "files")
        assert (tmp_path / "files" / "bob" / "Project" / "hello.txt").read_bytes() == b"changed"


@pytest.mark.parametrize("path", ["/", "/elsewhere"])
async def test_sidecar(tmp_path, path):
    """A gateway beside the storage, with an external store; what is not OCM goes on to the storage."""
    with apache() as server, private_server(find_server()) as redis:
        project(server.files / "alice", server.own)
        secret(tmp_path, "storage", f"service:{server.users['service']}\n")
        secret(tmp_path, "redis", "unused\n")
        host = server.url.removesuffix("/dav/")
        place = f"{tmp_path}/secrets/redis"
        login = f"\n  username: ocm\n  password_file: {place}\n  ca_file: {place}-ca.pem"
        replaced = {
            "http://127.0.0.1:8000/files/": server.url,
            "http://127.0.0.1:8000": host,
            "/run/secrets/ocm-gateway/": f"{tmp_path}/secrets/",
            "rediss://redis.example.internal:6379/0": redis,
            login: "",
        }
        async with example("sidecar-redis", tmp_path, replaced, password=server.users["alice"]) as alpha:
            if path == "/":
                await life_of_a_share(alpha, tmp_path)
            async with alpha.session.get(alpha.local + path) as passed, alpha.session.get(host + path) as direct:
                assert (passed.status, await passed.text()) == (direct.status, await direct.text())
