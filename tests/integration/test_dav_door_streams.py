"""The WebDAV door's bodies on the wire: when they are asked for, and what happens when they break off."""

import asyncio
import logging

import pytest

from gateway.errors import GatewayError, Kind, unavailable
from gateway.model.resource import Content, ResourcePath
from support.davdoor import PREFIX, dav_door


async def until(condition):
    """Wait until something is so, for five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in code that knows no event of ours
            await asyncio.sleep(0.01)


class Wire:
    """A plain connection to the door."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, served):
        return cls(*await asyncio.open_connection("127.0.0.1", int(served.origin.rpartition(":")[2])))

    async def send(self, method, path, *headers, body=b""):
        lines = [f"{method} {path} HTTP/1.1", "Host: door", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode() + body)
        await self.writer.drain()

    async def head(self):
        """Return status and head of the next answer."""
        async with asyncio.timeout(5):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return int(text.split()[1]), text

    def abort(self):
        """Leave as a killed client does."""
        self.writer.transport.abort()

    async def close(self):
        self.writer.close()
        await self.writer.wait_closed()


@pytest.fixture
async def door(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "big.bin").write_bytes(b"x" * 20_000_000)
    async with dav_door(folder) as served:
        yield served


async def test_body_is_asked_for_when_the_request_is_let_in(door):
    """A client that waits is told to continue exactly once, then gets its answer."""
    wire = await Wire.open(door)

    await wire.send("PUT", f"{PREFIX}/new.txt", "Expect: 100-continue", "Content-Length: 3")
    first, _ = await wire.head()
    wire.writer.write(b"abc")
    last, _ = await wire.head()
    await wire.close()

    assert (first, last) == (100, 201)
    assert (door.folder / "new.txt").read_bytes() == b"abc"


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("new.txt", ["If-Match: *"], 412),
        ("none/new.txt", [], 409),
        ("../new.txt", [], 400),
        ("big.bin", ["Content-Range: bytes 0-1/2"], 400),
    ],
)
async def test_refused_upload_never_crosses_the_wire(door, path, headers, status):
    """A client that waits gets the refusal without being asked for a byte, and the connection ends."""
    wire = await Wire.open(door)

    await wire.send("PUT", f"{PREFIX}/{path}", "Expect: 100-continue", "Content-Length: 5000000000", *headers)
    told, head = await wire.head()
    await wire.close()

    assert told == status
    assert "connection: close" in head.lower()


@pytest.mark.req("ACC-2")
async def test_stranger_is_refused_before_his_upload(tmp_path):
    """Without a credential the answer is 401 with both ways to log in, and no byte of the body is asked for."""

    def refuse(_head):
        raise GatewayError(Kind.UNAUTHENTICATED, "A secret is needed.", code="no-credential")

    async with dav_door(tmp_path, authorize=refuse) as served:
        wire = await Wire.open(served)
        await wire.send("PUT", f"{PREFIX}/f", "Expect: 100-continue", "Content-Length: 5000000000")
        status, head = await wire.head()
        await wire.close()

    assert status == 401
    assert 'WWW-Authenticate: Bearer realm="ocm"\r\n' in head
    assert 'WWW-Authenticate: Basic realm="ocm", charset="UTF-8"\r\n' in head


async def test_unknown_expectation_is_refused(door):
    """An expectation that nobody knows is told as one."""
    wire = await Wire.open(door)

    await wire.send("PUT", f"{PREFIX}/f", "Expect: a miracle", "Content-Length: 0")
    status, _ = await wire.head()
    await wire.close()

    assert status == 417


async def test_absolute_target_is_refused(door):
    """A target with a host is a matter for proxies."""
    wire = await Wire.open(door)

    await wire.send("GET", f"http://elsewhere{PREFIX}/big.bin")
    status, _ = await wire.head()
    await wire.close()

    assert status == 400


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_broken_upload_changes_nothing(door, framing, caplog):
    """A client that dies in mid-upload leaves the old file, no temporary and no traceback."""
    (door.folder / "f").write_bytes(b"old")
    sources = []
    door.wrap(lambda backend: Noted(backend, sources))
    wire = await Wire.open(door)
    await wire.send("PUT", f"{PREFIX}/f", framing, body=b"5\r\nabcde\r\n")
    await until(lambda: sources)

    wire.abort()
    await until(lambda: sources[0].is_over)

    assert sorted(p.name for p in door.folder.iterdir()) == ["big.bin", "f"]
    assert (door.folder / "f").read_bytes() == b"old"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class Noted:
    """A storage that notes the uploads that it was given."""

    def __init__(self, backend, sources):
        self._backend = backend
        self._sources = sources

    def __getattr__(self, name):
        return getattr(self._backend, name)

    async def write(self, path, chunks, **options):
        source = Upload()
        self._sources.append(source)
        try:
            return await self._backend.write(path, chunks, **options)
        finally:
            source.is_over = True


class Upload:
    is_over = False


async def test_broken_download_releases_the_storage(door, caplog):
    """A client that dies in mid-download lets the storage's stream be closed at once, without a traceback."""
    noted = Slow()
    door.wrap(noted.around)
    wire = await Wire.open(door)
    await wire.send("GET", f"{PREFIX}/big.bin")
    await wire.head()

    wire.abort()
    await until(lambda: noted.is_closed)

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class Slow:
    """Notes whether the stream that a storage gave was closed; may break it off with an error."""

    def __init__(self, failure=None):
        self.is_closed = False
        self._failure = failure

    def around(self, backend):
        self._backend = backend
        return self

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def open(self, path, *arguments, **options):
        return _Opened(self, self._backend.open(path, *arguments, **options))

    async def chunks(self, content):
        try:
            async for chunk in content.chunks:
                yield chunk
                if self._failure is not None:
                    raise self._failure
        finally:
            self.is_closed = True


class _Opened:
    def __init__(self, slow, opened):
        self._slow = slow
        self._opened = opened

    async def __aenter__(self):
        content = await self._opened.__aenter__()
        # Held here, so that only its reader closes it and not the garbage collection.
        self._slow.stream = self._slow.chunks(content)
        return Content(entry=content.entry, span=content.span, chunks=self._slow.stream)

    async def __aexit__(self, *error):
        return await self._opened.__aexit__(*error)


async def test_download_that_the_storage_breaks_off_never_looks_whole(door, caplog):
    """If the storage fails in mid-file the connection is cut, and the stream is closed."""
    noted = Slow(unavailable("The storage went away."))
    door.wrap(noted.around)
    wire = await Wire.open(door)

    await wire.send("GET", f"{PREFIX}/big.bin")
    await wire.head()
    received = 0
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(5):
            received = len(await wire.reader.readexactly(20_000_000))
    wire.abort()

    assert received == 0
    assert noted.is_closed
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_end_of_the_grant_cuts_the_connection(tmp_path):
    """When the task that serves is cancelled because its grant ended, the client's connection is cut at once."""
    (tmp_path / "big.bin").write_bytes(b"x" * 20_000_000)
    tasks = []
    async with dav_door(tmp_path, authorize=lambda _head: tasks.append(asyncio.current_task())) as served:
        noted = Slow()
        served.wrap(noted.around)
        wire = await Wire.open(served)
        await wire.send("GET", f"{PREFIX}/big.bin")
        await wire.head()

        tasks[0].cancel()

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            async with asyncio.timeout(5):
                await wire.reader.readexactly(20_000_000)
        wire.abort()
    assert noted.is_closed


async def test_file_under_download_stays_the_old_one(door):
    """A file replaced in mid-download arrives as it was, every byte."""
    wire = await Wire.open(door)
    await wire.send("GET", f"{PREFIX}/big.bin")
    await wire.head()

    _, created = await put(door, b"new")
    async with asyncio.timeout(10):
        content = await wire.reader.readexactly(20_000_000)
    await wire.close()

    assert not created
    assert set(content) == {ord("x")}


async def put(door, content):
    async def pieces():
        yield content

    written = await door.share.backend.write(ResourcePath(("big.bin",)), pieces())
    return written.entry, written.created
