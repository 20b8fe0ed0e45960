"""A blocked server: nobody there gets in, at either door, and what is running is cut off, until it is lifted."""

import asyncio
from contextlib import suppress

import aiohttp
import asyncssh
import pytest

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, parse_address
from gateway.model.peer import Trust
from gateway.model.resource import ResourcePath
from support.everydoor import READ, every_door, local_place

SECONDS = 10.0


@pytest.fixture
async def doors(tmp_path):
    """Alice's gateway with both doors, and shares of hers at a peer and at Bob's gateway."""
    async with every_door(tmp_path, local_place(tmp_path / "files")) as running:
        running.put(READ, "a.txt", b"hello")
        with running.stored(READ, "big").open("wb") as file:
            file.truncate(64 * 2**30)
        yield running


async def the_peer(doors):
    """Return the host of the peer to which Alice has shared, beside Bob's."""
    shares = (await doors.alice.rest("GET", "shares"))[1]["shares"]
    hosts = {parse_address(share["recipient"]).host for share in shares} - {doors.bob.config.authority}
    return Host(hosts.pop())


def over_ssh(doors):
    """Connect to the share over SSH."""
    offer, key = doors.offers[READ], doors.folder / "client" / "id_ed25519"
    words = {"username": offer.ssh_user, "client_keys": [str(key)], "known_hosts": None, "config": None}
    return asyncssh.connect("127.0.0.1", offer.ssh_port, **words)


async def download(doors, begun):
    """Read a file that does not end, over WebDAV."""
    offer = doors.offers[READ]
    async with doors.alice.session.get(
        f"{offer.webdav}big", headers={"Authorization": f"Bearer {offer.secret}"}
    ) as got:
        async for _ in got.content.iter_any():
            begun.set()


@pytest.mark.req("DISC-8")
async def test_a_block_shuts_a_server_out_and_its_end_lets_it_in_again(doors):
    """The block refuses WebDAV (403), SSH, tokens and new shares, cuts a download and a session, and spares others."""
    alice, secret, peer = doors.alice, doors.offers[READ].secret, await the_peer(doors)
    begun = asyncio.Event()
    reading = asyncio.create_task(download(doors, begun))
    async with over_ssh(doors) as session:
        await begun.wait()
        await alice.gateway.standing.decide(peer, Trust.DENIED)
        async with asyncio.timeout(SECONDS):
            with pytest.raises(aiohttp.ClientError):
                await reading
            with suppress(asyncssh.Error):
                await session.wait_closed()
    status, said = await alice.dav("GET", secret, "a.txt")
    assert (status, f"{peer} is not allowed here." in said.decode()) == (403, True)
    with pytest.raises(asyncssh.PermissionDenied):
        await over_ssh(doors)
    form = {"grant_type": "authorization_code", "code": secret, "client_id": peer}
    async with alice.session.post(f"{alice.local}/ocm/token", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_client")
    document = {"path": f"/{READ}", "recipient": f"eve@{peer}", "permissions": ["read"]}
    status, refusal = await alice.rest("POST", "shares", json=document)
    assert (status, refusal["detail"]) == (403, f"{peer} is not allowed here.")
    bobs = f"received/{doors.offers[READ].bobs}/files/a.txt"
    assert await doors.bob.rest("GET", bobs) == (200, b"hello")
    await alice.gateway.standing.decide(peer, Trust.UNKNOWN)
    assert await alice.dav("GET", secret, "a.txt") == (200, b"hello")
    async with over_ssh(doors) as session, session.start_sftp_client() as client:
        assert await client.exists("a.txt")


async def test_a_block_by_a_name_reaches_two_real_gateways(doors):
    """Bob, whose server Alice's operator blocks, reads that he is not let in; nothing of his is lost."""
    bobs = f"received/{doors.offers[READ].bobs}/files/a.txt"
    host = doors.bob.config.authority
    await doors.alice.gateway.standing.decide(host, Trust.DENIED)
    assert (await doors.bob.rest("GET", bobs))[0] == 403
    await doors.alice.gateway.standing.decide(host, Trust.UNKNOWN)
    assert await doors.bob.rest("GET", bobs) == (200, b"hello")


@pytest.mark.req("DISC-8")
async def test_what_came_from_a_blocked_server_does_not_open_either(doors):
    """Nothing is sent to a server that Bob's operator blocks, also not under what was opened before; and back again."""
    bobs = f"received/{doors.offers[READ].bobs}/files/a.txt"
    host = doors.alice.config.authority
    assert await doors.bob.rest("GET", bobs) == (200, b"hello")
    tasks = doors.bob.gateway.tasks
    opened = await tasks.check_received.use_remote.connect(await tasks.received.get(doors.offers[READ].bobs))
    assert (await opened.stat(ResourcePath(("a.txt",)))).size == len(b"hello")
    await doors.bob.gateway.standing.decide(host, Trust.DENIED)
    status, refusal = await doors.bob.rest("GET", bobs)
    assert (status, refusal["detail"]) == (403, f"{host} is not allowed here.")
    with pytest.raises(GatewayError) as caught:
        await opened.stat(ResourcePath(("a.txt",)))
    assert caught.value.kind is Kind.FORBIDDEN
    await doors.bob.gateway.standing.decide(host, Trust.UNKNOWN)
    assert await doors.bob.rest("GET", bobs) == (200, b"hello")


async def test_until_the_decisions_are_read_nobody_is_let_in_and_nobody_is_told_a_refusal(doors):
    """A gateway that does not know yet who is blocked answers 503, and lets go on what has begun."""
    board, secret = doors.alice.gateway.standing.board, doors.offers[READ].secret
    known = board.current()
    begun = asyncio.Event()
    reading = asyncio.create_task(download(doors, begun))
    await begun.wait()
    board.show(type(known)(is_known=False))
    doors.alice.gateway.standing.shown()
    assert (await doors.alice.dav("GET", secret, "a.txt"))[0] == 503
    board.show(known)
    assert (await doors.alice.dav("GET", secret, "a.txt"))[0] == 200
    assert not reading.done()
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
