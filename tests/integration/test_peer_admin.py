"""Administrators see and decide about other servers, in the REST interface and on pages; nobody else does."""

import asyncio
import re
from dataclasses import replace

import aiohttp
import pytest
import yaml

from gateway.web.doors import Lock
from support import doorspage
from support.fakepeer import FakePeer, Reply
from support.pair import PASSWORD, folder_storage, side

LOOPBACK = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]}


@pytest.fixture
async def peer():
    """Another server."""
    async with FakePeer.running() as running:
        yield running


def gateway(folder, *, admins=("alice",), **parts):
    """Run Alice's gateway, with these administrators."""
    identity = {"providers": ["file"], "users_file": str(folder / "alpha-users.yaml"), "admins": list(admins)}
    return side(folder, "alpha", "alice", folder_storage(folder / "a", "alice"), identity=identity, **parts)


@pytest.fixture
async def alice(tmp_path):
    """A gateway that Alice administers."""
    async with gateway(tmp_path) as running:
        yield running


async def hosts(alice, query=""):
    """Return the hosts in the list."""
    status, page = await alice.rest("GET", f"peers{query}")
    assert status == 200, page
    return [peer["host"] for peer in page["peers"]]


@pytest.mark.req("DISC-7", "SIG-9")
async def test_an_administrator_sees_who_a_server_is_and_why(alice, peer):
    """After a share the server is listed, with its dialect, the reason, how it signs, and what it says of itself."""
    await alice.share("/Project", f"bob@{peer.host}")
    assert await hosts(alice) == [peer.host]
    status, found = await alice.rest("GET", f"peers/{peer.host}")
    assert status == 200
    assert found["kind"] == {"name": "the draft", "because": "its capabilities or roles are those of the draft"}
    assert (found["trust"], found["refused_because"], found["provider"]) == ("unknown", None, "fake peer")
    assert found["signatures"] == {"has_signed": False, "must_sign": False, "we_signed": True, "scheme": "rfc9421"}
    assert found["discovery"]["end_point"] == f"{peer.url}/ocm"
    assert found["discovery"]["dialect"]["name"] == "the draft"
    assert any("signed (RFC 9421)" in line for line in found["meaning"])
    assert found["last_failure"] is None
    assert found["last_seen"] >= found["first_seen"] > 0


async def test_a_failure_is_seen_and_forgotten(alice, peer):
    """A server that answers 503 shows its failure, in words, and its rest, until an administrator has it retried."""
    peer.replies["/ocm/shares"] = Reply(503)
    await alice.share("/Project", f"bob@{peer.host}")
    found = (await alice.rest("GET", f"peers/{peer.host}"))[1]
    assert found["failures"] == 1
    assert found["quiet_until"] > found["last_failure"]["at"] > 0
    assert found["last_failure"]["reason"] == f"{peer.host} cannot take this now (it answered 503)."
    status, found = await alice.rest("POST", f"peers/{peer.host}/retry")
    assert (status, found["failures"], found["quiet_until"]) == (200, 0, None)


@pytest.mark.req("DISC-8")
async def test_an_administrator_decides(alice, peer):
    """A block holds at once, also of a server that nobody knows, and survives forgetting; taken back it is gone."""
    status, found = await alice.rest("PATCH", f"peers/{peer.host}", json={"trust": "denied"})
    assert (status, found["trust"], found["refused_because"]) == (200, "denied", f"{peer.host} is not allowed here.")
    document = {"path": "/Project", "recipient": f"bob@{peer.host}"}
    assert (await alice.rest("POST", "shares", json=document))[0] == 403
    status, refusal = await alice.rest("POST", f"peers/{peer.host}/look")
    assert (status, refusal["detail"], peer.received) == (403, f"{peer.host} is not allowed here.", [])
    assert (await alice.rest("DELETE", f"peers/{peer.host}"))[0] == 204
    assert await hosts(alice, "?trust=denied") == [peer.host]
    assert await hosts(alice, "?trust=allowed") == []
    assert (await alice.rest("PATCH", f"peers/{peer.host}", json={"trust": "unknown"}))[1]["refused_because"] is None
    assert (await alice.rest("POST", "shares", json=document))[0] == 201


@pytest.mark.req("DISC-8")
async def test_what_only_one_list_names_can_be_allowed(tmp_path, peer):
    """Where a list says who is dealt with, an administrator adds a server to it."""
    async with gateway(tmp_path, peers=LOOPBACK | {"allow": ["other.example.org"]}) as alice:
        status, found = await alice.rest("PATCH", f"peers/{peer.host}", json={"trust": "unknown"})
        assert (status, found["refused_because"]) == (200, f"{peer.host} is not among the servers allowed here.")
        await alice.rest("PATCH", f"peers/{peer.host}", json={"trust": "allowed"})
        assert (await alice.rest("POST", f"peers/{peer.host}/look"))[1]["refused_because"] is None


async def test_a_look_again_asks_anew(alice, peer):
    """What the server says now replaces what it said; when it does not answer, that is told, and the old copy stays."""
    assert (await alice.rest("GET", f"peers/{peer.host}"))[0] == 404
    status, found = await alice.rest("POST", f"peers/{peer.host}/look")
    assert (status, found["discovery"]["provider"]) == (200, "fake peer")
    assert found["signatures"]["must_sign"]
    peer.discovery["provider"] = "another"
    assert (await alice.rest("POST", f"peers/{peer.host}/look"))[1]["discovery"]["provider"] == "another"
    peer.replies |= {"/.well-known/ocm": Reply(503), "/ocm-provider/": Reply(503)}
    assert (await alice.rest("POST", f"peers/{peer.host}/look"))[0] == 503
    assert (await alice.rest("GET", f"peers/{peer.host}"))[1]["discovery"]["provider"] == "another"


async def test_the_guard_stands_before_a_look(tmp_path, peer):
    """An administrator cannot have an address asked to which the gateway may not connect."""
    async with gateway(tmp_path, peers={"allow_http": True}) as alice:
        status, refusal = await alice.rest("POST", f"peers/{peer.host}/look")
        assert (status, peer.received) == (403, [])
        assert peer.host in refusal["detail"]


SENSELESS = (
    ("GET", "peers?trust=some", None, 400),
    ("GET", "peers/no%20host", None, 400),
    ("GET", "peers/nobody.example", None, 404),
    ("DELETE", "peers/nobody.example", None, 404),
    ("POST", "peers/nobody.example/retry", None, 404),
    ("PATCH", "peers/nobody.example", {"trust": "perhaps"}, 400),
    ("PATCH", "peers/nobody.example", {"trust": 1}, 400),
    ("PATCH", "peers/nobody.example", {}, 400),
    ("PATCH", "peers/nobody.example", {"trust": "denied", "host": "other.example"}, 400),
)


async def test_what_makes_no_sense_is_refused(alice):
    """Unknown servers, impossible names and unknown members are refused, and nothing is written."""
    for method, path, body, status in SENSELESS:
        answered = (await alice.rest(method, path, **({} if body is None else {"json": body})))[0]
        assert (method, path, body, answered) == (method, path, body, status)
    assert await hosts(alice) == []


async def test_the_gateway_does_not_decide_about_itself(alice):
    """Its own name is refused."""
    path = f"peers/{alice.config.authority}"
    assert (await alice.rest("PATCH", path, json={"trust": "denied"}))[0] == 400
    assert (await alice.rest("POST", f"{path}/look"))[0] == 400


async def test_the_list_has_pages(alice):
    """A long list comes in parts, the newest first, and each server once."""
    for number in range(130):
        await alice.gateway.standing.records.change(f"peer{number}.example", lambda peer: replace(peer, failures=0))
    found, cursor = [], ""
    while cursor is not None:
        page = (await alice.rest("GET", f"peers{cursor and f'?cursor={cursor}'}"))[1]
        found += [one["host"] for one in page["peers"]]
        cursor = page["cursor"]
    assert len(found) == len(set(found)) == 130
    assert found[0] == "peer129.example"


def browser():
    """Return a client with a cookie jar."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def log_in(session, alice):
    """Log Alice in and return what her forms carry."""
    fields = {"user": "alice", "password": PASSWORD, "next": "/ocm/ui/address"}
    async with session.post(f"{alice.local}/ocm/ui/log-in", data=fields) as answer:
        return re.search(r'name="csrf" value="([^"]+)"', await answer.text())[1]


@pytest.fixture(scope="module")
def admin_doors():
    """The doors of administrators."""
    return [door for door in asyncio.run(doorspage.all_doors()) if door.lock is Lock.ADMIN]


@pytest.mark.parametrize("admins", [(), ("bob", "ALICE", "alice.")])
async def test_nobody_else_passes_any_door_of_administrators(tmp_path, peer, admin_doors, admins):
    """A user who is not named is refused at every one of these doors, with a form of her own session too."""
    assert {door.name for door in admin_doors} == {"api", "ui"}
    async with gateway(tmp_path, admins=admins) as alice, browser() as session:
        csrf = await log_in(session, alice)
        for door in admin_doors:
            path = door.path.replace("{host}", peer.host)
            if door.name == "api":
                answered, _ = await alice.rest(door.method, path.removeprefix("/ocm/api/v1/"), json={"trust": "denied"})
            else:
                form = {"data": {"csrf": csrf}} if door.method == "POST" else {}
                async with session.request(door.method, f"{alice.local}{path}", **form) as answer:
                    answered = answer.status
            assert (answered, door.path) == (403, door.path)
        async with session.get(f"{alice.local}/ocm/ui/address") as answer:
            assert "/ocm/ui/peers" not in await answer.text()
        assert [record async for record in records(alice)] == []
    assert peer.received == []


async def records(alice):
    """Yield all records of peers."""
    for peer in (await alice.gateway.standing.records.table.page("first_seen")).records:
        yield peer


@pytest.mark.parametrize(("groups", "status"), [(["pilots", "operators"], 200), (["pilots"], 403), ([], 403)])
async def test_members_of_a_named_group_are_administrators(tmp_path, groups, status):
    """Who is in a group that the operator names passes, in the REST interface and on pages, and nobody else."""
    users = tmp_path / "alpha-users.yaml"
    identity = {"providers": ["file"], "users_file": str(users), "admin_groups": ["operators"]}
    storage = folder_storage(tmp_path / "a", "alice")
    async with side(tmp_path, "alpha", "alice", storage, identity=identity) as alice, browser() as session:
        known = yaml.safe_load(users.read_text())
        known["users"]["alice"]["groups"] = groups
        users.write_text(yaml.safe_dump(known))
        assert (await alice.rest("GET", "peers"))[0] == status
        await log_in(session, alice)
        async with session.get(f"{alice.local}/ocm/ui/peers") as answer:
            assert answer.status == status


async def test_strangers_are_asked_to_log_in(alice, peer, admin_doors):
    """Without a log-in a program is refused with 401 and a browser led to the log-in, at each of these doors."""
    for door in admin_doors:
        url = f"{alice.local}{door.path.replace('{host}', peer.host)}"
        async with alice.session.request(door.method, url, allow_redirects=False) as answer:
            assert answer.status == (401 if door.name == "api" else 303)


async def test_a_form_of_another_page_decides_nothing(alice, peer):
    """What does not carry the token of the administrator's session is refused."""
    async with browser() as session:
        await log_in(session, alice)
        for act in ("block", "allow", "undecide", "forget", "retry", "look"):
            url = f"{alice.local}/ocm/ui/peers/{peer.host}/{act}"
            async with session.post(url, data={"csrf": "guessed"}) as answer:
                assert answer.status == 403
    assert await hosts(alice) == []


async def test_what_a_server_says_is_shown_as_text(alice, peer):
    """Markup in a stranger's name or capabilities is text on the pages."""
    evil = "<script>alert(1)</script>"
    peer.discovery |= {"provider": evil, "capabilities": [evil]}
    await alice.rest("POST", f"peers/{peer.host}/look")
    async with browser() as session:
        await log_in(session, alice)
        for place in ("peers", f"peers/{peer.host}"):
            async with session.get(f"{alice.local}/ocm/ui/{place}") as answer:
                text = await answer.text()
                assert (answer.status, "<script" in text, "&lt;script&gt;" in text) == (200, False, True)
