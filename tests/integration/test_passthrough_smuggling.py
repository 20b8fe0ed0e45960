"""No bytes make the service see a request that was not meant: raw sockets before, a recorder behind."""

import asyncio
from contextlib import suppress

import pytest

from support.passrig import rig
from support.rawservice import raw_service

NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(*lines, body=NEXT):
    """Return a request with these framing lines, and bytes behind its head."""
    return b"POST /x HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


AMBIGUOUS = {
    "length and chunks": post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + NEXT),
    "chunks and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + NEXT),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: %d" % len(NEXT)),
    "a list of lengths": post(b"Content-Length: 0, %d" % len(NEXT)),
    "plus": post(b"Content-Length: +0"),
    "minus": post(b"Content-Length: -1"),
    "space in length": post(b"Content-Length: 0 0"),
    "hexadecimal length": post(b"Content-Length: 0x0"),
    "no length": post(b"Content-Length:"),
    "endless length": post(b"Content-Length: 99999999999999999999999"),
    "another coding": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + NEXT),
    "two codings": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + NEXT),
    "chunked not last": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + NEXT),
    "chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + NEXT),
    "identity": post(b"Transfer-Encoding: identity"),
    "quoted coding": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + NEXT),
    "space before colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + NEXT),
    "space before length's colon": post(b"Content-Length : 0"),
    "folded coding": post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n" + NEXT),
    "folded field": post(b"X: a\r\n b", b"Content-Length: 0"),
    "control in coding": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + NEXT),
    "bare line feeds": b"POST /x HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + NEXT,
    "one bare line feed": post(b"X: y\nTransfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + NEXT),
    "bare carriage return": post(b"X: y\rContent-Length: 5", b"Content-Length: 0"),
    "NUL in a value": post(b"X: a\0b", b"Content-Length: 0"),
    "NUL in a name": post(b"Content\0-Length: 0"),
    "no name": post(b": x", b"Content-Length: 0"),
    "two hosts": post(b"Host: y", b"Content-Length: 0"),
    "old with chunks": post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + NEXT).replace(
        b"HTTP/1.1", b"HTTP/1.0", 1
    ),
    "no version": b"GET /x\r\n\r\n" + NEXT,
    "version 2": b"GET /x HTTP/2.0\r\nHost: x\r\n\r\n" + NEXT,
    "space in target": b"GET /x y HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT,
    "whole URL": b"GET http://x/x HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT,
    "tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT,
    "prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + NEXT,
    "no host": b"GET /x HTTP/1.1\r\n\r\n" + NEXT,
}


@pytest.mark.parametrize("attack", AMBIGUOUS)
async def test_ambiguous_bytes_end_the_connection(attack):
    """A request whose end is a matter of opinion is refused, the connection closed, and nothing hidden in it passes."""
    async with raw_service() as service, rig(service.url) as running:
        answer = await running.say(AMBIGUOUS[attack])
        assert answer.split()[1] in (b"400", b"501", b"505"), answer
        assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") == 1
        assert all(b"smuggled" not in raw for raw in service.raw)
        assert service.seen == []


BROKEN_CHUNKS = {
    "size with sign": b"+0\r\n\r\n",
    "size with prefix": b"0x0\r\n\r\n",
    "size too large": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare line feed behind size": b"3\nabc\r\n0\r\n\r\n",
    "bare line feed behind data": b"3\r\nabc\n0\r\n\r\n",
    "line feed in extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\n0\r\n\r\n",
    "a trailer that frames": b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n",
    "space before size": b" 3\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("attack", BROKEN_CHUNKS)
async def test_malformed_chunks_are_broken_off(attack):
    """Behind a malformed chunk nothing is body or request; the service sees an unfinished request at most."""
    async with raw_service() as service, rig(service.url) as running:
        with suppress(ConnectionError):
            await running.say(post(b"Transfer-Encoding: chunked", body=BROKEN_CHUNKS[attack] + NEXT))
        assert [seen.line for seen in service.seen] in ([], [b"POST /x HTTP/1.1"])
        assert all(seen.body == b"" for seen in service.seen)
        assert all(b"smuggled" not in raw and not raw.endswith(b"0\r\n\r\n") for raw in service.raw)


CLEAR = {
    "chunk extensions": post(b"Transfer-Encoding: chunked", body=b'3;a="\t;\xff"\r\nabc\r\n0;b\r\n\r\n' + NEXT),
    "trailers": post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\nX: 5\r\nY: 6\r\n\r\n" + NEXT),
    "case of the coding": post(b"Transfer-Encoding: CHUNKED", body=b"3\r\nabc\r\n0\r\n\r\n" + NEXT),
    "length with zeros": post(b"Content-Length: 003", body=b"abc" + NEXT),
    "request in a body": post(b"Content-Length: %d" % len(NEXT), body=NEXT + NEXT),
    "GET with a body": post(b"Content-Length: %d" % len(NEXT), body=NEXT + NEXT).replace(b"POST", b"GET", 1),
    "named in Connection": post(b"Connection: Content-Length, Host", b"Content-Length: 3", body=b"abc" + NEXT),
    "lookalike field": post(
        b"Content_Length: 99", b"Transfer_Encoding: chunked", b"Content-Length: 3", body=b"abc" + NEXT
    ),
}


@pytest.mark.parametrize("case", CLEAR)
async def test_pipelined_requests_stay_apart(case):
    """What is clear, however odd, arrives as exactly the two requests that were sent."""
    last = NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n").replace(b"smuggled", b"second")
    sent = CLEAR[case].removesuffix(NEXT) + last
    async with raw_service() as service, rig(service.url) as running:
        answer = await running.say(sent)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert [seen.line.split()[1] for seen in service.seen] == [b"/x", b"/second"]
        assert service.seen[0].body == (NEXT if "body" in case else b"abc")
        assert all(b"second" not in seen.body for seen in service.seen)


async def test_the_wish_for_another_http_ends_the_connection():
    """A request that would switch to h2c passes as what it is, and what comes behind it is read by nobody."""
    ask = post(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA", b"Content-Length: 3")
    async with raw_service() as service, rig(service.url) as running:
        answer = await running.say(ask.removesuffix(NEXT) + b"abc" + NEXT)
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert b"Connection: close" in answer
        assert [seen.line for seen in service.seen] == [b"POST /x HTTP/1.1"]
        assert b"h2c" not in service.raw[0]


async def test_many_connections_never_mix_their_answers():
    """Each client gets the answer to its own request, over connections that are used again."""

    async def name_it(seen, reader, writer):
        body = seen.line.split()[1]
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        return True

    async with raw_service(name_it) as service, rig(service.url, connections=4) as running:

        async def one(number):
            assert (await running.ask(f"GET /{number}")).endswith(f"\r\n\r\n/{number}".encode())

        await asyncio.gather(*(one(number) for number in range(60)))
        assert len(service.raw) <= 4
