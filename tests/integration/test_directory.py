"""Directories decide whom we speak with: signed lists, kept while they are away, and the operator's own word."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from joserfc import jws
from joserfc.jwk import ECKey

from gateway.cli import cli
from gateway.crypto.jws import new_private_key, public_pem, sign
from support.fakepeer import FakePeer, Reply
from support.pair import folder_storage, side

LIST = "/federation"


@pytest.fixture
async def registry():
    """Who publishes a directory."""
    async with FakePeer.running() as peer:
        yield peer


@pytest.fixture
async def member():
    """A server that signs what it says."""
    async with FakePeer.running() as peer:
        yield peer


@pytest.fixture
def signer():
    """The key of the directory."""
    return new_private_key()


def listed(*peers, name="Example"):
    """Return the payload of a directory."""
    return {"federation": name, "servers": [{"url": peer.url, "displayName": "A member"} for peer in peers]}


def rules(folder, signer, *urls, **more):
    """Return the configuration of a gateway that goes by directories."""
    (folder / "directory.pem").write_text(public_pem(signer))
    directories = [{"url": url, "keys_file": str(folder / "directory.pem")} for url in urls]
    open_to_tests = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"]}
    return open_to_tests | {"trust": "directory", "directories": directories} | more


def alice_with(folder, **more):
    """Run Alice's gateway with these rules."""
    if not (folder / "a").exists():
        folder_storage(folder / "a", "alice")
    return side(folder, "alpha", "alice", {"url": f"file://{folder}/a/{{user}}"}, **more)


async def try_share(alice, peer):
    """Share with somebody at a peer; return the status."""
    document = {"path": "/Project", "recipient": f"bob@{peer.host}"}
    return (await alice.rest("POST", "shares", json=document))[0]


async def until(condition):
    """Wait until something comes true."""
    async with asyncio.timeout(15):
        while not await condition():  # noqa: ASYNC110 - another process, or the store, brings it about
            await asyncio.sleep(0.05)


async def federations(alice):
    """Return what the directories say, as a user sees it."""
    return (await alice.rest("GET", "federations"))[1]["federations"]


@pytest.mark.req("DIR-1", "DIR-2", "DISC-5")
async def test_only_members_are_spoken_with(tmp_path, registry, member, signer):
    """Both ways: who is in the union of the directories is dealt with, who is not is refused, and that is announced."""
    other = "/other"
    registry.replies[LIST] = Reply(body=sign(listed(member), [signer]))
    registry.replies[other] = Reply(body=sign(listed(registry, name="Other"), [signer]))
    peers = rules(tmp_path, signer, registry.url + LIST, registry.url + other)
    async with FakePeer.running() as stranger, alice_with(tmp_path, peers=peers) as alice:

        async def is_read():
            return len(await federations(alice)) == 2

        await until(is_read)
        assert [await try_share(alice, peer) for peer in (member, registry, stranger)] == [201, 201, 403]
        assert stranger.received == []
        (first, _) = await federations(alice)
        assert (first["federation"], [server["host"] for server in first["servers"]]) == ("Example", [member.host])
        async with alice.session.get(f"{alice.local}/.well-known/ocm") as answer:
            assert "allowlist" in (await answer.json())["criteria"]


@pytest.mark.req("DIR-1")
async def test_without_a_good_copy_nobody_is_let_in(tmp_path, registry, member, signer):
    """An unsigned or wrongly signed directory is refused: whom it names has to wait, and is not told no for good."""
    for body in (json.dumps(listed(member)), sign(listed(member), [new_private_key()])):
        registry.replies[LIST] = Reply(body=body)
        folder = tmp_path / str(len(body))
        folder.mkdir()
        async with alice_with(folder, peers=rules(tmp_path, signer, registry.url + LIST)) as alice:

            async def was_asked():
                return bool(registry.at(LIST))

            await until(was_asked)
            assert await try_share(alice, member) == 503
            assert await federations(alice) == []
        registry.received.clear()


@pytest.mark.req("DIR-1")
async def test_the_last_good_copy_serves_on(tmp_path, registry, member, signer):
    """A directory that is away, broken or forged later changes nothing, also after a restart; a new list does."""
    registry.replies[LIST] = Reply(body=sign(listed(member), [signer]))
    peers = rules(tmp_path, signer, registry.url + LIST, directory_refresh="100ms")

    async with alice_with(tmp_path, peers=peers) as alice:

        async def is_read():
            return bool(await federations(alice))

        await until(is_read)
    registry.replies[LIST] = Reply(body=sign(listed(registry), [new_private_key()]))
    registry.received.clear()
    async with alice_with(tmp_path, port=alice.config.http.port, peers=peers) as alice:

        async def was_asked():
            return bool(registry.at(LIST))

        await until(was_asked)
        assert [await try_share(alice, peer) for peer in (member, registry)] == [201, 403]
        alice.clock.ahead = 8 * 86_400
        await alice.gateway.standing.refresh()
        assert await try_share(alice, member) == 503
        registry.replies[LIST] = Reply(body=sign(listed(registry), [signer]))
        alice.clock.ahead += 61
        await alice.gateway.standing.refresh()
        assert [await try_share(alice, peer) for peer in (member, registry)] == [403, 201]


def forms(signer, payload):
    """Return one signed list in each of the three forms of a JWS."""
    text = jws.serialize_compact({"alg": "ES256"}, json.dumps(payload), ECKey.import_key(signer.pem()))
    protected, content, signature = text.split(".")
    mine = {"protected": protected, "signature": signature}
    foreign = json.loads(sign(payload, [new_private_key()]))
    theirs = {"protected": foreign["protected"], "signature": foreign["signature"]}
    return {
        "compact": text,
        "flattened": json.dumps({"payload": content} | mine),
        "general": json.dumps({"payload": content, "signatures": [theirs, mine]}),
    }


@pytest.mark.req("DIR-1", "DIR-2")
async def test_every_form_of_a_signed_list(tmp_path, registry, member, signer):
    """Compact, flattened, and general with a stranger's signature first: each is read, and what they list adds up."""
    async with FakePeer.running() as second, FakePeer.running() as third:
        listing = dict(zip(("compact", "flattened", "general"), (member, second, third), strict=True))
        for form, peer in listing.items():
            body = forms(signer, listed(peer, name=form))[form]
            registry.replies[f"/{form}"] = Reply(body=body, headers={"Content-Type": "application/jose"})
        urls = [f"{registry.url}/{form}" for form in listing]
        async with alice_with(tmp_path, peers=rules(tmp_path, signer, *urls)) as alice:

            async def are_read():
                return len(await federations(alice)) == 3

            await until(are_read)
            seen = {told["federation"]: [s["host"] for s in told["servers"]] for told in await federations(alice)}
            assert seen == {form: [peer.host] for form, peer in listing.items()}
            assert [await try_share(alice, peer) for peer in listing.values()] == [201, 201, 201]


@pytest.mark.req("DIR-3", "DIR-1")
async def test_a_directory_that_a_gateway_publishes(tmp_path, member, monkeypatch):
    """From the operator's commands to the member's rules: a gateway serves the signed list, and another goes by it."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*words):
        found = CliRunner().invoke(cli, ["directory", *words])
        assert found.exception is None, found.output

    run("init", "Example Federation")
    run("add", member.url, "--name", "A member")
    run("sign")
    signed = folder / "directory.jws"
    files = folder_storage(tmp_path / "r", "root")
    there = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"], "published_directory": str(signed)}
    async with side(folder, "registry", "root", files, peers=there) as publisher:
        url = f"{publisher.config.public_url}/ocm/directory"
        async with publisher.session.get(f"{publisher.local}/ocm/directory") as answer:
            assert (answer.status, answer.content_type) == (200, "application/jose+json")
            assert await answer.read() == signed.read_bytes()
        source = {"url": url, "keys_file": str(folder / "directory.key.pub")}
        peers = {"allow_http": True, "allow_cidr": ["127.0.0.0/8", "::1/128"], "trust": "directory"}
        async with alice_with(tmp_path, peers=peers | {"directories": [source]}) as alice, FakePeer.running() as guest:

            async def is_read():
                return bool(await federations(alice))

            await until(is_read)
            assert [await try_share(alice, peer) for peer in (member, guest)] == [201, 403]
            run("remove", member.url)
            run("add", guest.url)
            run("sign")
            alice.clock.ahead = 2 * 3600
            await alice.gateway.standing.refresh()
            assert [await try_share(alice, peer) for peer in (member, guest)] == [403, 201]
        signed.unlink()
        async with publisher.session.get(f"{publisher.local}/ocm/directory") as answer:
            assert answer.status == 503


@pytest.mark.req("DIR-3")
async def test_no_directory_is_published(tmp_path):
    """A gateway that publishes none says that there is none."""
    async with alice_with(tmp_path) as alice, alice.session.get(f"{alice.local}/ocm/directory") as answer:
        assert answer.status == 404


async def command(alice, *words):
    """Run an operator's command beside a running gateway; return its error and output."""
    config = alice.config.data_dir.parent / "alpha.yaml"
    found = await asyncio.to_thread(CliRunner().invoke, cli, [*words, "-c", str(config)])
    return found.exception, found.stdout


@pytest.mark.req("DISC-8")
async def test_the_operator_blocks_and_allows_beside_the_running_gateway(tmp_path, registry, member, signer):
    """A block holds at once and goes before every list; an allowed host needs no list; forgetting keeps a block."""
    registry.replies[LIST] = Reply(body=sign(listed(member), [signer]))
    async with (
        FakePeer.running() as guest,
        alice_with(tmp_path, peers=rules(tmp_path, signer, registry.url + LIST)) as alice,
    ):

        async def is_member_known():
            return bool(await federations(alice))

        await until(is_member_known)
        assert await try_share(alice, member) == 201
        assert "would be blocked" in (await command(alice, "peers", "block", "-n", member.host))[1]
        assert await try_share(alice, member) == 201
        assert (await command(alice, "peers", "block", member.host))[0] is None
        assert (await command(alice, "peers", "allow", guest.host))[0] is None
        assert (await command(alice, "peers", "forget", member.host))[0] is None

        async def is_heard():
            return await try_share(alice, member) == 403 and await try_share(alice, guest) == 201

        await until(is_heard)
        said = {"recipientProvider": member.host, "token": "t", "userID": "m", "email": "e", "name": "n"}
        path = "/ocm/invite-accepted"
        answer = await member.post_signed(alice.local + path, said, signed_url=alice.config.public_url + path)
        assert answer.status == 403
        error, shown = await command(alice, "peers", "list", "--json")
        assert (error, {peer["host"]: peer["trust"] for peer in json.loads(shown)}[member.host]) == (None, "denied")
        async with alice.session.get(f"{alice.local}/.well-known/ocm") as answer:
            assert "denylist" in (await answer.json())["criteria"]
        assert (await command(alice, "peers", "show", "nobody.example"))[0].kind == "not-found"
