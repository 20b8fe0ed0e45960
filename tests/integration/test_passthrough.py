"""What is not ours flows through to the service behind, unchanged, streamed, and without the store."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from gateway.web.passsend import Patience
from support.passrig import COOKIE, HOST, rig
from support.rawservice import OK, raw_service, read_body, says

PAGE = Path(__file__).parents[2] / "docs" / "passthrough.md"
# A request without its own host name, as the service must see it; what the gateway adds stands behind it.
ADDED = {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via"}
LARGE_BYTES = 5 * 2**30


def known_methods():
    """Return the methods that the page names."""
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `[A-Z-]+` \|", line)]
    return [name for row in rows for name in re.findall(r"`([A-Z-]+)`", row)]


def unknown_methods():
    """Return the registered methods of which the page says that they are refused."""
    return re.findall(r"`([A-Z-]+)`", PAGE.read_text().partition("these registered ones:")[2].partition(".")[0])


def own(seen):
    """Return the fields of a request without those that the gateway adds."""
    return [(name, value) for name, value in seen.fields if name.lower() not in ADDED]


@pytest.fixture
async def there():
    """A service that answers everything."""
    async with raw_service() as service:
        yield service


@pytest.fixture
async def here(there):
    """The passthrough before it."""
    async with rig(there.url) as running:
        yield running


async def test_every_method_of_the_page_passes(there, here):
    """Each method that the page names reaches the service under its own name."""
    methods = known_methods()
    for method in methods:
        answer = await here.ask(f"{method} /x")
        assert answer.startswith(b"HTTP/1.1 200 OK"), (method, answer)
    assert [seen.line.decode() for seen in there.seen] == [f"{method} /x HTTP/1.1" for method in methods]
    assert len(methods) > 30


@pytest.mark.parametrize("method", ["VERSION-CONTROL", "CUSTOM", "get", "G(T", "CONNECT", "PRI"])
async def test_other_methods_are_refused_and_end_the_connection(there, here, method):
    """What the parser does not know is 400 (or 405, 501), and nothing of it reaches the service."""
    answer = await here.say(
        f"{method} /x HTTP/1.1\r\nHost: x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    )
    assert answer.split()[1] in (b"400", b"405", b"501")
    assert there.seen == []


async def test_registered_methods_of_which_the_page_warns_are_refused(there, here):
    """The page is right about what does not pass, too."""
    for method in unknown_methods():
        assert (await here.ask(f"{method} /x")).split()[1] == b"400", method
    assert there.seen == []
    assert len(unknown_methods()) > 5


async def test_fields_pass_byte_for_byte(there, here):
    """Order, case, repetition and odd bytes of fields are the client's own, and so is the target."""
    fields = (
        "X-b: 1",
        "x-B: 2",
        "Accept-Encoding: br;q=0.1",
        "X-Odd: \xe9\xff\t!",
        "Authorization: Basic dTpw",
        "X-E:",
    )
    await here.ask("GET /a%2Fb//c/../d;e?f=%20&g[]=1", *fields)
    seen = there.seen[0]
    assert seen.line == b"GET /a%2Fb//c/../d;e?f=%20&g[]=1 HTTP/1.1"
    pairs = [field.partition(":")[::2] for field in fields]
    assert own(seen) == [
        (b"Host", HOST.encode()),
        *((name.encode(), value.strip().encode("latin-1")) for name, value in pairs),
    ]


async def test_answers_pass_byte_for_byte(here, there):
    """Status, reason, fields and body of the service are not touched: redirects, cookies, codings."""
    answer = (
        b"HTTP/1.1 302 M\xf6ved\r\nLocation: http://inner/%7e?\xff\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\n"
        b"Server: old\r\nContent-Encoding: gzip\r\nDate: then\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\xff"
    )
    async with raw_service(says(answer)) as service, rig(service.url) as running:
        got = await running.ask("GET /x", "Accept-Encoding: identity")
    moved = answer.replace(b"Content-Length: 4\r\n\r\n", b"Content-Length: 4\r\nConnection: close\r\n\r\n")
    assert got == moved


HOP_FIELDS = (
    "Connection: X-Mine, Host, Keep-Alive",
    "X-Mine: 1",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Proxy-Authorization: Basic x",
    "Proxy-Connection: keep-alive",
    "Trailer: X",
    "HTTP2-Settings: AAA",
)


async def test_fields_of_one_hop_stay_on_it(there, here):
    """What `Connection` names and what RFC 9110 lists is taken away, both ways; what frames a request is not."""
    await here.ask("GET /x", *HOP_FIELDS, "X-Stays: 1")
    assert own(there.seen[0]) == [(b"Host", HOST.encode()), (b"X-Stays", b"1")]
    said = (
        b"HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\nProxy-Authenticate: Basic\r\n"
        b"X-S: 1\r\nContent-Length: 0\r\n\r\n"
    )
    async with raw_service(says(said)) as service, rig(service.url) as running:
        got = await running.ask("GET /x")
    assert b"X-S: 1" in got
    assert not any(name in got.lower() for name in (b"x-hop", b"keep-alive", b"proxy-auth"))


async def test_our_cookie_stays_here(there, here):
    """The service never sees our log-in cookie, browsers never get one of its name from the service."""
    await here.ask("GET /x", f"Cookie: a=1; {COOKIE}=secret; b=2")
    await here.ask("GET /x", f"Cookie: {COOKIE}=secret")
    assert there.seen[0].all(b"cookie") == [b"a=1; b=2"]
    assert there.seen[1].all(b"cookie") == []
    said = f"HTTP/1.1 200 OK\r\nSet-Cookie: {COOKIE}=evil; Path=/\r\nSet-Cookie: theirs=1\r\nContent-Length: 0\r\n\r\n"
    async with raw_service(says(said.encode())) as service, rig(service.url) as running:
        got = await running.ask("GET /x")
    assert b"evil" not in got
    assert b"Set-Cookie: theirs=1" in got


CLAIMS = (
    "Forwarded: for=6.6.6.6", "X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-Host: evil",
    "X-Forwarded-Anything: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Remote-User: root", "Remote_User: root", "X-SSL-Client: me",
)  # fmt: skip


async def test_a_client_cannot_say_who_it_is(there, here, capsys):
    """Claims of a client are dropped in each spelling, and the operator hears once which range he might trust."""
    for _time in range(2):
        await here.ask("GET /x", *CLAIMS)
    seen = there.seen[1]
    assert b"6.6.6.6" not in seen.head
    assert not re.search(rb"root|evil|X-SSL", seen.head)
    assert seen.all(b"x-forwarded-for") == seen.all(b"x-real-ip") == [b"127.0.0.1"]
    assert seen.all(b"forwarded") == [f"for=127.0.0.1;host={HOST};proto=https".encode()]
    log = capsys.readouterr().out
    assert log.count("127.0.0.1/32") == 1
    assert "share one limit" in log


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        (["X-Forwarded-For: 9.9.9.9, 192.0.2.7, 10.0.0.9"], "192.0.2.7"),
        (["Forwarded: for=9.9.9.9, for=192.0.2.7;proto=https"], "192.0.2.7"),
        (['Forwarded: for="[2001:db8::7]:4711"'], "2001:db8::7"),
        (["Forwarded: for=192.0.2.7", "X-Forwarded-For: 192.0.2.7"], "192.0.2.7"),
        (["Forwarded: for=9.9.9.9", "X-Forwarded-For: 192.0.2.7"], "127.0.0.1"),
        (["X-Forwarded-For: unknown"], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
async def test_a_trusted_proxy_says_who_the_client_is(there, fields, client):
    """The rightmost address that is not trusted is the client; contradiction and silence leave the proxy itself."""
    async with rig(there.url, trusted=("127.0.0.0/8", "10.0.0.0/8")) as running:
        await running.ask("GET /x", *fields)
    assert there.seen[0].all(b"x-forwarded-for") == [client.encode()]


async def test_the_hop_is_told_and_a_loop_ends(there, here):
    """`Via` grows by this hop; a request that has been here before is not sent on."""
    await here.ask("GET /x", "Via: 1.0 fred")
    assert there.seen[0].all(b"via") == [b"1.0 fred", f"1.1 {HOST}".encode()]
    assert (await here.ask("GET /x", f"Via: 1.1 {HOST}, 1.1 other")).startswith(b"HTTP/1.1 503")
    async with rig("http://127.0.0.1:1") as running:
        running.behind.pool.origin = f"http://127.0.0.1:{running.port}"
        assert (await running.ask("GET /x")).startswith(b"HTTP/1.1 503")


CLOSED = b"Connection: close\r\n\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("head", "said", "got"),
    [
        (b"HTTP/1.1 204 No Content\r\nDate: d\r\n", b"\r\n", CLOSED),
        (b"HTTP/1.1 304 Not Modified\r\nDate: d\r\nETag: x\r\nContent-Length: 9\r\n", b"\r\n", CLOSED),
        (b"HTTP/1.1 200 OK\r\nDate: d\r\n", b"\r\nto the end", CHUNKS + CLOSED + b"a\r\nto the end\r\n0\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nDate: d\r\n",
            CHUNKS + b"\r\n3;x=y\r\nabc\r\n0\r\nX: trailer\r\n\r\n",
            CHUNKS + CLOSED + b"3\r\nabc\r\n0\r\n\r\n",
        ),
    ],
)
async def test_each_kind_of_answer_ends_where_it_ends(head, said, got):
    """Answers without a body, up to the connection's end, and in chunks are framed anew; trailers are dropped."""
    async with raw_service(says(head + said)) as service, rig(service.url) as running:
        assert await running.ask("GET /x") == head + got


async def test_the_head_alone_names_a_length_without_a_body(there):
    """An answer to HEAD keeps its length, and the connection goes on behind it."""
    said = b"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 123\r\n\r\n"
    async with raw_service(says(said, go_on=True)) as service, rig(service.url) as running:
        one = b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n"
        assert await running.say(one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) == (
            said + said.replace(b"123\r\n", b"123\r\nConnection: close\r\n")
        )


async def test_old_clients_are_answered_in_their_way(there):
    """HTTP/1.0 gets no chunks and no interim answers, and the end of its connection as end of an unmeasured body."""
    said = (
        b"HTTP/1.1 103 Early Hints\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    async with raw_service(says(said)) as service, rig(service.url) as running:
        got = await running.say(b"GET /x HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
        assert got == b"HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\nabc"
        assert service.seen[0].all(b"host") == [HOST.encode()]
        assert service.seen[0].all(b"expect") == []


async def test_interim_answers_pass(there):
    """Early hints reach the client before the answer."""
    said = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 0\r\n\r\n"
    async with raw_service(says(said)) as service, rig(service.url) as running:
        got = await running.ask("GET /x")
    assert got == said.replace(b"Length: 0\r\n", b"Length: 0\r\nConnection: close\r\n")


UPLOAD = b"PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"


async def test_the_service_decides_whether_a_body_comes(there):
    """`Expect` passes; the client goes on when the service says so, not before."""
    asked, may = asyncio.Event(), asyncio.Event()

    async def respond(seen, reader, writer):
        assert seen.all(b"expect") == [b"100-continue"]
        asked.set()
        await may.wait()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        seen.body = await read_body(seen, reader)
        writer.write(OK)
        return True

    async with raw_service(respond) as service, rig(service.url) as running:
        reader, writer = await running.connect()
        writer.write(UPLOAD)
        await asyncio.wait_for(asked.wait(), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        may.set()
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert service.seen[0].body == b"hello"
        writer.close()


@pytest.mark.parametrize("status", [b"401 No", b"413 Too Large", b"307 There", b"200 Enough"])
async def test_a_refused_body_is_never_asked_for(status):
    """A final answer before the body ends the exchange: no 100, and no byte of a next request is believed."""

    async def respond(_seen, _reader, writer):
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
        return True

    async with raw_service(respond) as service, rig(service.url) as running:
        reader, writer = await running.connect()
        writer.write(UPLOAD)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 " + status)
        assert b"Connection: close" in head
        # Were these bytes taken for a request, the service would see them; were they a body, it would be asked for.
        writer.write(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 20) == b"no"
        assert [seen.line for seen in service.seen] == [b"PUT /x HTTP/1.1"]
        writer.close()


async def test_a_refusal_in_mid_upload_reaches_the_client():
    """Who refuses while the body comes is heard, gets no more of it, and both connections end."""
    refused = asyncio.Event()

    async def respond(_seen, reader, writer):
        await reader.readexactly(1000)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        refused.set()
        await writer.drain()
        await reader.read(2**20)
        return False

    async with raw_service(respond) as service, rig(service.url) as running:
        reader, writer = await running.connect()
        writer.write(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 413")
        assert refused.is_set()
        writer.write_eof()
        assert (await asyncio.wait_for(reader.read(), 20)) == b"no"
        assert len(service.seen) == 1
        writer.close()


@pytest.mark.parametrize(
    ("framing", "part"), [("Content-Length: 10", b"abc"), ("Transfer-Encoding: chunked", b"3\r\nabc\r\n")]
)
async def test_a_body_that_breaks_off_is_broken_off(framing, part):
    """A client that leaves in mid-body never makes a whole, shorter upload at the service."""
    came, ended = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def respond(_seen, reader, _writer):
        await reader.readexactly(len(part))
        came.set()
        ended.set_result(await reader.read())
        return False

    async with raw_service(respond) as service, rig(service.url) as running:
        _, writer = await running.connect()
        writer.write(f"PUT /x HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode() + part)
        await asyncio.wait_for(came.wait(), 10)
        writer.transport.abort()
        assert await asyncio.wait_for(ended, 10) == b""


@pytest.mark.parametrize("broken", [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
async def test_an_answer_that_breaks_off_is_broken_off(broken):
    """A torn answer never looks whole to the client."""
    async with raw_service(says(b"HTTP/1.1 200 OK\r\n" + broken)) as service, rig(service.url) as running:
        try:
            got = await running.ask("GET /x")
        except ConnectionResetError:
            got = b""
        assert not got.endswith(b"0\r\n\r\n")
        assert b"Content-Length: 3" not in got


async def test_bodies_of_five_gibibytes_are_never_held():
    """While nobody reads, both senders of a huge body are stopped soon: the gateway holds a few buffers of it."""
    piece = b"\0" * 2**20
    most = 0

    async def respond(seen, reader, writer):
        nonlocal most
        left = int(seen.all(b"content-length")[0])
        assert left == LARGE_BYTES
        # Neither side reads: what is in the gateway then is all that it will ever hold.
        await reader.readexactly(2**20)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE_BYTES)
        for _number in range(64):
            writer.write(piece)
            try:
                await asyncio.wait_for(writer.drain(), 0.3)
            except TimeoutError:
                break
            most += len(piece)
        return False

    async with raw_service(respond) as service, rig(service.url) as running:
        _, writer = await running.connect()
        writer.write(f"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE_BYTES}\r\n\r\n".encode())
        sent = 0
        while sent < 64 * 2**20:
            writer.write(piece)
            try:
                await asyncio.wait_for(writer.drain(), 0.5)
            except (TimeoutError, ConnectionError):
                break
            sent += len(piece)
        assert sent < 24 * 2**20, "an upload that nobody reads is held"
        assert most < 24 * 2**20, "a download that nobody reads is held"
        writer.transport.abort()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"502"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"502"),
        (b"HTTP/1.1 200 OK\r\nX: a\n\r\nSet-Cookie: evil=1\r\n\r\n", b"502"),
        (b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\n\r\n", b"502"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", b"502"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK, b"502"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", b"502"),
        (b"", b"502"),
    ],
)
async def test_an_answer_that_cannot_be_passed_on_is_told_in_words(said, status):
    """Nonsense of the service becomes 502 with a sentence for people, and nothing of it reaches them."""
    async with raw_service(says(said)) as service, rig(service.url) as running:
        answer = await running.ask("GET /x")
        assert answer.split()[1] == status
        assert b"The service behind this gateway" in answer
        assert b"evil" not in answer


async def test_a_service_that_is_away_or_slow_is_told_in_words(there):
    """Nobody there is 503, no answer in time is 504; our own doors go on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with rig(f"http://127.0.0.1:{unused.getsockname()[1]}") as running:
            answer = await running.ask("GET /x")
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: " in answer
            assert b"does not answer" in answer
            assert b"our own door" in await running.ask("GET /ocm/door")

    async def never(_seen, reader, _writer):
        await reader.read()
        return False

    async with raw_service(never) as service, rig(service.url, patience=Patience(first_byte=0.2, idle=1)) as running:
        answer = await running.ask("GET /x")
        assert answer.startswith(b"HTTP/1.1 504")
        assert b"took too long" in answer


async def test_connections_to_the_service_are_limited():
    """When all connections are taken another request is told so, and waits for none for ever."""
    came, hold = asyncio.Event(), asyncio.Event()

    async def slow(_seen, _reader, writer):
        came.set()
        await hold.wait()
        writer.write(OK)
        return True

    async with raw_service(slow) as service, rig(service.url, connections=1) as running:
        first = asyncio.create_task(running.ask("GET /x"))
        await asyncio.wait_for(came.wait(), 10)
        assert b"is busy" in await running.ask("GET /y")
        hold.set()
        assert (await first).endswith(b"ok")


@pytest.mark.parametrize(
    ("request_line", "fields", "body", "times"),
    [
        ("GET /second", (), b"", 2),
        ("PROPFIND /second", (), b"", 2),
        ("POST /second", (), b"", 1),
        ("DELETE /second", (), b"", 1),
        ("PUT /second", ("Content-Length: 1",), b"x", 1),
        ("GET /second", ("Content-Length: 1",), b"x", 1),
    ],
)
async def test_only_what_changes_nothing_is_said_twice(request_line, fields, body, times):
    """When a kept connection turns out closed, a reading request is said once more; nothing else ever is."""

    async def respond(seen, reader, writer):
        seen.body = await read_body(seen, reader)
        if b"/second" in seen.line and len(service.seen) == 2:
            return False
        writer.write(OK)
        return True

    async with raw_service(respond) as service, rig(service.url) as running:
        assert (await running.ask("GET /first")).endswith(b"ok")
        answer = await running.ask(request_line, *fields, body=body)
        assert len([seen for seen in service.seen if b"/second" in seen.line]) == times
        assert answer.split()[1] == (b"200" if times == 2 else b"502")


async def test_bytes_that_nobody_asked_for_answer_nobody():
    """What a service sends behind an answer is never taken for the answer to the next client."""
    planted = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    async with raw_service(says(planted, go_on=True)) as service, rig(service.url) as running:
        for _time in range(3):
            assert (await running.ask("GET /x")).endswith(b"\r\n\r\nok")
        assert len(service.raw) == 3


@pytest.mark.parametrize(
    "path", ["//ocm/door", "/./ocm/door", "/%6fcm/door", "/ocm%2fdoor", "/x/..;/ocm/door", "/ocm/x"]
)
async def test_no_spelling_of_ours_reaches_anybody(there, here, path):
    """A path that might be read as ours goes neither to the service nor through our doors."""
    assert (await here.ask(f"GET {path}")).startswith(b"HTTP/1.1 404")
    assert there.seen == []
    assert here.opened == []


@pytest.mark.parametrize(
    "path", ["/status.php", "/ocs/v2.php/cloud", "/ocs-provider/", "/index.php/apps/files_sharing/x"]
)
async def test_probes_pass_only_by_the_option(there, here, path):
    """What peers probe is 404 before any service, unless the operator lets it through."""
    assert (await here.ask(f"GET {path}")).startswith(b"HTTP/1.1 404")
    async with rig(there.url, pass_probes=True) as running:
        assert (await running.ask(f"GET {path}")).startswith(b"HTTP/1.1 200")
    assert len(there.seen) == 1
