"""One exchange with the service behind: the request goes out while the answer is already awaited.

Its body is sent as the client sends it, so nothing waits here that the service or the client do not wait for
themselves. A body that breaks off is cut off at the service too, never ended. Interim answers (1xx) reach clients that
understand them, `100 Continue` only those that wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from aiohttp import ClientError, HttpVersion11, web

from gateway.web.aio import continue_now
from gateway.web.head import ClientGone
from gateway.web.passpool import Line
from gateway.web.passwire import (
    LAST_CHUNK,
    AnswerHead,
    Framing,
    Nonsense,
    chunk,
    read_head,
    render_fields,
    render_request,
)

INTERIM_MAX = 16
SWITCHING = 101
_CONTINUE = 100
_FIRST_FINAL = 200
_FIRST_ERROR = 400
# How often it is looked whether the client still waits.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the service may take, in seconds; a whole transfer may take as long as it likes.

    Attributes:
        first_byte: until its answer begins, counted from the last piece of the request's body.
        idle: between two pieces of a body.
    """

    first_byte: float
    idle: float


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request on its way over one connection, and the head of its answer once that is there."""

    line: Line
    request: web.Request
    framing: Framing
    patience: Patience
    base_path: str = ""
    head: AnswerHead = field(init=False)
    _moved_at: float = field(init=False, default=0.0)
    _sending: asyncio.Task[None] | None = field(init=False, default=None)
    _is_whole: bool = field(init=False, default=False)

    @property
    def is_sent(self) -> bool:
        """Whether the whole request, body included, has gone out."""
        return self._is_whole

    @property
    def is_sending(self) -> bool:
        """Whether the body is still on its way."""
        return self._sending is not None and not self._sending.done()

    async def begin(self, fields: Iterable[tuple[bytes, bytes]], *, may_switch: bool) -> None:
        """Send the request and wait for the head of its final answer.

        Raises:
            Nonsense: if that is none.
            TimeoutError: if it does not come in time.
            EOFError, OSError: if the connection breaks before it.
            ClientGone: if the client leaves.
        """
        request = self.request
        framed = [*fields, (b"Transfer-Encoding", b"chunked")] if self.framing.is_chunked else fields
        target = self.base_path + request.raw_path
        self.line.writer.write(render_request(request.method, target.encode("ascii"), framed))
        self._move()
        self._is_whole = self.framing.length == 0
        if not self._is_whole:
            self._sending = asyncio.create_task(self._send_body())
        for _number in range(INTERIM_MAX):
            head = await self._next_head()
            if head.status >= _FIRST_FINAL or head.status == SWITCHING:
                await self._accept(head, may_switch=may_switch)
                return
            await self._pass_interim(head)
        raise Nonsense("too many interim answers")

    async def stop(self) -> None:
        """Stop sending."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _accept(self, head: AnswerHead, *, may_switch: bool) -> None:
        if head.status == SWITCHING and not may_switch:
            raise Nonsense("a switch of protocols that nobody asked for")
        self.head = head
        if head.status >= _FIRST_ERROR and not self.is_sent:
            # Who refuses before the end does not want the rest.
            await self.stop()

    async def _next_head(self) -> AnswerHead:
        reading = asyncio.create_task(read_head(self.line.reader))
        try:
            while not reading.done():
                await asyncio.wait(self._awaited(reading), timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    self._check()
            return reading.result()
        finally:
            reading.cancel()

    def _awaited(self, reading: asyncio.Task[AnswerHead]) -> list[asyncio.Task[AnswerHead] | asyncio.Task[None]]:
        return [reading] if self._sending is None or self._sending.done() else [reading, self._sending]

    def _check(self) -> None:
        if self._sending is not None and self._sending.done():
            # It fails only with what the client did.
            self._sending.result()
        if is_gone(self.request):
            raise ClientGone("the client left before the answer")
        if asyncio.get_running_loop().time() > self._moved_at + self.patience.first_byte:
            raise TimeoutError("no answer began")

    async def _send_body(self) -> None:
        writer = self.line.writer
        body = aiter(self.request.content.iter_any())
        while piece := await _from_client(body):
            try:
                writer.write(chunk(piece) if self.framing.is_chunked else piece)
                await writer.drain()
            except OSError:
                # Its answer may be here all the same; if not, the reader says so.
                return
            self._move()
        if self.framing.is_chunked:
            writer.write(LAST_CHUNK)
        self._is_whole = True
        self._move()

    async def _pass_interim(self, head: AnswerHead) -> None:
        if head.status == _CONTINUE:
            await continue_now(self.request)
        elif self.request.version >= HttpVersion11:
            lines = render_fields(pair for pair in head.fields if pair[0].lower() not in _HOP_OF_INTERIM)
            await write_head(self.request, head, lines)

    def _move(self) -> None:
        self._moved_at = asyncio.get_running_loop().time()


_HOP_OF_INTERIM = (b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"keep-alive")


async def write_head(request: web.Request, head: AnswerHead, lines: bytes) -> None:
    """Write the head of an answer to the client, its fields ready as lines.

    Raises:
        ClientGone: if nobody is there to read it.
    """
    try:
        await request.writer.write(b"HTTP/1.1 %d %s\r\n%s\r\n" % (head.status, head.reason, lines))
        if head.status < _FIRST_FINAL:
            # As far as the server below is concerned the answer has not begun.
            request.writer.output_size = 0
    except OSError as error:
        raise ClientGone("the client left before the answer") from error


def is_gone(request: web.Request) -> bool:
    """Tell whether the client has closed its connection."""
    return request.transport is None or request.transport.is_closing()


async def _from_client(body: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(body, b"")
    except (OSError, ClientError, web.RequestPayloadError, EOFError) as error:
        raise ClientGone("the request body broke off") from error
