"""Users whose log-in at the gateway does not open their storage store an account they have there (Apache mod_dav)."""

import json
import os
import sys

import pytest

from support.apache import apache
from support.davdoor import run_program
from support.pair import PASSWORD, folder_storage, side
from support.webapp import browser, token

REST = "storage-account"


@pytest.fixture(scope="module")
def server():
    """A storage that knows Alice by another pass word than the gateway does."""
    with apache() as server:
        project = server.files / "alice" / "Project"
        project.mkdir()
        (project / "hello.txt").write_text("hello")
        for path in (project, project / "hello.txt"):
            server.own(path)
        yield server


@pytest.fixture
def storage(server):
    """Its configuration, without any service account."""
    return {"url": f"webdav+{server.url}{{user}}", "view": "user", "stored_accounts": True}


@pytest.fixture
async def alpha(tmp_path, storage):
    """A gateway whose users stand in a file, before that storage."""
    async with side(tmp_path, "alpha", "alice", storage) as alpha:
        yield alpha


def right(server):
    """Alice's account at the storage."""
    return {"login": "alice", "password": server.users["alice"]}


async def test_a_stored_account_opens_the_storage(server, alpha):
    """Without one nothing opens, and the answer says what to do; with it she browses and writes as herself."""
    status, problem = await alpha.rest("GET", "files/")
    assert (status, problem["title"]) == (403, "no-storage-account")
    assert "My storage" in problem["detail"]
    status, problem = await alpha.rest("POST", "shares", json={"path": "/Project", "recipient": "bob@beta.example"})
    assert status == 403
    status, stored = await alpha.rest("PUT", REST, json=right(server))
    assert (status, stored["login"], stored["kind"], stored["storage"]) == (200, "alice", "password", "default")
    assert (await alpha.rest("GET", REST))[1] == stored
    assert (await alpha.rest("GET", "files/Project/hello.txt"))[1] == b"hello"
    assert (await alpha.rest("PUT", "files/mine.txt", data=b"x"))[0] in (201, 204)
    assert (await alpha.rest("DELETE", REST))[0] == 204
    assert (await alpha.rest("GET", "files/"))[0] == 403
    assert (await alpha.rest("GET", REST))[0] == 404


async def test_what_is_shared_is_served_with_it_until_it_is_withdrawn(tmp_path, server, alpha):
    """Peers reach the owner's files with her account; when she withdraws it they get 503, and keep the share."""
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta:
        await alpha.rest("PUT", REST, json=right(server))
        share = await alpha.share("/Project", beta.address)
        received = await beta.accepted()
        assert (await beta.rest("GET", f"received/{received}/files/hello.txt"))[1] == b"hello"
        assert (await beta.rest("PUT", f"received/{received}/files/new.txt", data=b"from bob"))[0] == 201
        assert (server.files / "alice" / "Project" / "new.txt").read_bytes() == b"from bob"
        await alpha.rest("DELETE", REST)
        secret = await alpha.secret_of(share["id"])
        assert (await alpha.dav("GET", secret, "hello.txt"))[0] == 503
        await alpha.rest("PUT", REST, json=right(server))
        assert (await alpha.dav("GET", secret, "hello.txt"))[0] == 200


NO_ACCOUNTS = [
    {"login": "alice", "password": "wrong"},
    {"login": "alice", "private_key": "-----BEGIN"},
    {"login": "alice:x", "password": "x"},
    {"login": "alice"},
    {"login": "", "password": "x"},
    {"login": 5, "password": "x"},
    {"login": "alice", "password": "x" * 17_000},
    {"login": "alice", "password": "x", "passwort": "x"},
]


async def test_what_does_not_work_is_not_stored(server, alpha):
    """A wrong pass word, somebody else's account, and what is no account are refused and leave nothing behind."""
    for account in (*NO_ACCOUNTS, {"login": "bob", "password": server.users["bob"]}):
        assert (await alpha.rest("PUT", REST, json=account))[0] == 400, account
        assert (await alpha.rest("GET", REST))[0] == 404


async def test_guessing_at_the_storage_is_slowed_down(tmp_path, storage):
    """The gateway is no place to try other people's pass words at."""
    parts = {"limits": {"log_ins_per_address": 3}}
    async with side(tmp_path, "alpha", "alice", storage, **parts) as alpha:
        tried = [(await alpha.rest("PUT", REST, json={"login": "bob", "password": f"x{n}"}))[0] for n in range(4)]
    assert tried == [400, 400, 400, 429]


async def test_nothing_secret_stands_in_the_store(server, alpha):
    """The record is sealed: what Redis holds shows no pass word."""
    await alpha.rest("PUT", REST, json=right(server))
    link = alpha.gateway.tasks.sent._link
    documents = [
        await link.call("HGET", key, "document")
        for key in await link.call("KEYS", "*stored_accounts*")
        if await link.call("TYPE", key) in (b"hash", "hash")
    ]
    assert len(documents) == 1
    assert "alice" in str(documents)
    assert server.users["alice"] not in str(documents)


async def test_the_commands_do_the_same(server, alpha):
    """`account store` reads the pass word from a pipe, `show` tells no secret, `withdraw` forgets it."""

    async def run(*words, stdin=b""):
        settings = {"OCM_GATEWAY_URL": f"{alpha.local}/ocm", "OCM_GATEWAY_USER": "alice"}
        environment = os.environ | settings | {"OCM_GATEWAY_PASSWORD": PASSWORD}
        return await run_program(sys.executable, "-m", "gateway", "account", *words, env=environment, stdin=stdin)

    status, said = await run("store", "alice", "--json", stdin=f"{server.users['alice']}\n".encode())
    assert (status, json.loads(said)["login"], server.users["alice"] in said) == (0, "alice", False)
    status, said = await run("show")
    assert (status, said.startswith("alice at storage default, by password, since ")) == (0, True)
    assert await run("withdraw") == (0, "The gateway has forgotten your account.\n")


async def test_the_page_stores_and_withdraws(server, alpha):
    """The same in a browser: the page says what is stored, and never shows the secret."""
    async with browser(_Site(alpha.local)) as session:
        async with session.post("log-in", data={"user": "alice", "password": PASSWORD}) as answer:
            assert "My storage" in await answer.text()
        csrf = await token(session)
        wrong = {"csrf": csrf, "login": "alice", "password": "wrong", "private_key": ""}
        async with session.post("my-storage", data=wrong) as answer:
            assert answer.status == 400
            text = await answer.text()
            assert "Nothing was stored" in text
            assert "wrong" not in text.replace("wrong,", "")
        async with session.post("my-storage", data=wrong | right(server)) as answer:
            text = await answer.text()
            assert "It works, and is stored" in text
            assert server.users["alice"] not in text
        async with session.get("files/browse/") as answer:
            assert "Project" in await answer.text()
        async with session.post("my-storage/withdraw", data={"csrf": csrf}) as answer:
            assert "Withdrawn" in await answer.text()
        async with session.post("my-storage", data=right(server)) as answer:
            assert answer.status == 403


async def test_where_it_is_not_configured_there_is_no_such_page(tmp_path):
    """A storage that takes no accounts says so, and no page leads there."""
    async with side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta:
        assert (await beta.rest("PUT", REST, json={"login": "a", "password": "b"}))[0] == 404
        async with browser(_Site(beta.local)) as session:
            async with session.post("log-in", data={"user": "bob", "password": PASSWORD}) as answer:
                assert "My storage" not in await answer.text()
            async with session.get("my-storage") as answer:
                assert "nothing to set up" in await answer.text()


class _Site:
    def __init__(self, url):
        self.url = url
