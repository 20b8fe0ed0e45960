"""Connections that the service switches to another protocol: WebSocket above all."""

import asyncio
import hashlib
import socket as sockets
import struct
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from support.passrig import rig
from support.rawservice import raw_service

ASK = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %s\r\n\r\n"
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Accept: x\r\n\r\n"
PIECE = bytes(range(256)) * 4096


def switch(then, name=b"websocket"):
    """Return a responder that agrees and then does `then` with the bare connection."""

    async def respond(_seen, reader, writer):
        writer.write(AGREED % name)
        await then(reader, writer)
        return False

    return respond


async def echo(reader, writer):
    """Send back what comes, until the other side has ended."""
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()


def reset(writer):
    """Break a connection off, so that the other side is told of more than its end."""
    bare = writer.get_extra_info("socket")
    bare.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def opened(running, name=b"websocket", behind=b""):
    """Open a tunnel and return its streams, the head of the answer read."""
    reader, writer = await running.connect()
    writer.write(ASK % name + behind)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    return head, reader, writer


async def test_a_real_websocket_works_through_the_gateway():
    """Text, binary, ping and close of a WebSocket client and server pass unchanged."""

    async def talk(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await (
                socket.send_str(message.data)
                if message.type is aiohttp.WSMsgType.TEXT
                else socket.send_bytes(message.data)
            )
        return socket

    app = web.Application()
    app.router.add_get("/ws", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with rig(f"http://127.0.0.1:{runner.addresses[0][1]}") as running, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://127.0.0.1:{running.port}/ws", autoping=False) as socket:
            await socket.send_str("hé")
            assert await socket.receive_str(timeout=10) == "hé"
            await socket.send_bytes(b"\0" * 200_000)
            assert await socket.receive_bytes(timeout=10) == b"\0" * 200_000
            await socket.ping(b"now")
            assert (await socket.receive(timeout=10)).data == b"now"
            await running.until(1)
        assert socket.close_code == 1000
        await running.until(0)
    await runner.cleanup()


@pytest.mark.parametrize("name", [b"websocket", b"custom-protocol/7"])
async def test_bytes_pass_exactly_and_sides_end_one_by_one(name):
    """Every byte arrives, also those sent behind the request; a half-closed side still hears the other."""
    digest = hashlib.sha256()

    async def consume(reader, writer):
        while piece := await reader.read(65536):
            digest.update(piece)
        writer.write(b"all of it: " + digest.hexdigest().encode())

    async with raw_service(switch(consume, name)) as service, rig(service.url) as running:
        early = b"\x81\x00early" if name == b"websocket" else b""
        head, reader, writer = await opened(running, name, early)
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Upgrade: " + name in head
        assert b"Sec-WebSocket-Accept: x" in head
        for _number in range(8):
            writer.write(PIECE)
            await writer.drain()
        writer.write_eof()
        expected = hashlib.sha256(early + PIECE * 8).hexdigest().encode()
        assert await asyncio.wait_for(reader.read(), 10) == b"all of it: " + expected
        assert service.seen[0].all(b"upgrade") == [name]
        assert service.seen[0].all(b"connection") == [b"Upgrade"]
        await running.until(0)
        writer.close()


async def test_the_service_may_end_its_side_first():
    """What the client sends after the service has ended its side still arrives."""
    got = asyncio.get_running_loop().create_future()

    async def end_first(reader, writer):
        writer.write(b"bye")
        writer.write_eof()
        got.set_result(await reader.read())

    async with raw_service(switch(end_first)) as service, rig(service.url) as running:
        _, reader, writer = await opened(running)
        assert await asyncio.wait_for(reader.read(), 10) == b"bye"
        writer.write(b"late")
        writer.write_eof()
        assert await asyncio.wait_for(got, 10) == b"late"
        await running.until(0)
        writer.close()


@pytest.mark.parametrize("who", ["client", "service"])
async def test_an_abort_of_one_is_an_abort_of_the_other(who):
    """When one side breaks off, the other does not wait for it."""
    ended = asyncio.Event()

    async def wait(reader, writer):
        if who == "service":
            await reader.readexactly(1)
            reset(writer)
            return
        try:
            await reader.read()
        finally:
            ended.set()

    async with raw_service(switch(wait)) as service, rig(service.url) as running:
        _, reader, writer = await opened(running)
        await running.until(1)
        if who == "client":
            reset(writer)
            await asyncio.wait_for(ended.wait(), 10)
        else:
            writer.write(b"x")
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 10) == b""
        await running.until(0)
        writer.close()


async def test_a_fast_sender_waits_for_a_slow_reader():
    """What nobody reads is not held by the gateway: the sender stops instead."""
    hold = asyncio.Event()

    async def ignore(_reader, _writer):
        await hold.wait()

    async with raw_service(switch(ignore)) as service, rig(service.url) as running:
        _, _, writer = await opened(running)
        sent = 0
        while sent < 64:
            writer.write(PIECE)
            try:
                await asyncio.wait_for(writer.drain(), 0.5)
            except TimeoutError:
                break
            sent += 1
        # The kernel holds some for each of the three connections; the gateway holds next to nothing.
        assert sent < 24
        hold.set()
        writer.transport.abort()
        await running.until(0)


async def test_a_tunnel_that_stands_still_is_cut():
    """Silence in both directions ends a tunnel; so many are open at most."""
    async with raw_service(switch(echo)) as service, rig(service.url, tunnel_idle=0.5, tunnels=1) as running:
        _, reader, writer = await opened(running)
        refused, _, second = await opened(running)
        assert refused.startswith(b"HTTP/1.1 503")
        second.close()
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        await running.until(0)
        writer.close()


@pytest.mark.parametrize("status", [b"403 No", b"200 Fine", b"426 Upgrade Required"])
async def test_a_service_that_does_not_agree_is_heard(status):
    """Without 101 the answer is an ordinary answer, and the connection stays HTTP."""

    async def refuse(_seen, _reader, writer):
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
        return True

    async with raw_service(refuse) as service, rig(service.url) as running:
        got = await running.say(ASK % b"websocket" + b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert got.count(b"HTTP/1.1 " + status) == 2
        assert [seen.line for seen in service.seen] == [b"GET /ws HTTP/1.1", b"GET /next HTTP/1.1"]


@pytest.mark.parametrize("name", [b"h2c", b"HTTP/2.0", b"TLS/1.2", b"h3", b"websocket, h2c", b"web socket", b""])
async def test_some_protocols_are_never_switched_to(name):
    """Another HTTP or TLS, several at once, or nonsense: the request passes, the wish to switch does not."""
    async with raw_service() as service, rig(service.url) as running:
        ask = ASK % name
        got = await running.say(ask.replace(b"keep-alive, ", b"close, HTTP2-Settings, "))
        assert got.startswith(b"HTTP/1.1 200 OK")
        assert service.seen[0].all(b"upgrade") == []
        assert service.seen[0].all(b"connection") == []


WISH = b"Host: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize(
    "ask",
    [
        b"POST /ws HTTP/1.1\r\n" + WISH + b"Content-Length: 0\r\n\r\n",
        b"GET /ws HTTP/1.1\r\n" + WISH + b"Content-Length: 2\r\n\r\nhi",
        b"GET /ws HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_only_a_plain_get_may_ask_to_switch(ask):
    """With a body, another method, an old version or without `Connection` there is no switch."""
    async with raw_service() as service, rig(service.url) as running:
        assert (await running.say(ask)).startswith(b"HTTP/1.1 200 OK")
        assert service.seen[0].all(b"upgrade") == []


async def test_another_protocol_than_asked_for_is_no_agreement():
    """A 101 to something else is nonsense, and nothing of it reaches the client."""
    async with raw_service(switch(echo, b"h2c")) as service, rig(service.url) as running:
        head, _, writer = await opened(running)
        assert head.startswith(b"HTTP/1.1 502")
        writer.close()


async def test_our_own_doors_switch_to_nothing():
    """A door of ours answers as always, and no tunnel opens."""
    async with raw_service(switch(echo)) as service, rig(service.url) as running:
        got = await running.say((ASK % b"websocket").replace(b"/ws", b"/ocm/door").replace(b"keep-alive", b"close"))
        assert b"our own door" in got
        assert service.seen == []
