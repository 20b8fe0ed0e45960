"""The answer of the service on its way to the client: its head with our framing, its body as it comes.

A body that ends early at the service is cut off here too, so that a torn one never looks whole.
"""

from __future__ import annotations

import asyncio

from aiohttp import HttpVersion11, web

from gateway.log import get_logger
from gateway.web.aio import is_waiting
from gateway.web.head import ClientGone
from gateway.web.passhead import Hop, loses_what_follows
from gateway.web.passsend import Exchange, write_head
from gateway.web.passwire import Framing, Nonsense, framing_of, read_body, render_fields

log = get_logger(__name__)

_LEFT = 499


class Passed(web.StreamResponse):
    """Tells the server that the answer has been written already, and whether the connection may be used on."""

    def __init__(self, status: int, *, may_go_on: bool) -> None:
        super().__init__(status=status)
        self._may_go_on = may_go_on

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow."""
        return self._may_go_on

    @property
    def prepared(self) -> bool:
        """Whether it has begun: always."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing."""


async def pass_answer(exchange: Exchange, hop: Hop) -> tuple[Passed, bool]:
    """Pass an answer on; return it, and whether the connection to the service may be used again.

    Raises:
        Nonsense: if it cannot be passed on; then nothing of it was.
        ClientGone: if the client left, or if the answer broke off and so the client was cut off.
    """
    request, head = exchange.request, exchange.head
    framing = framing_of(head, request.method)
    is_new = request.version >= HttpVersion11
    is_open_ended = framing.length is None
    # After a refusal that came before the body nobody can tell where the next request begins.
    is_clear = exchange.is_sent or (exchange.is_sending and not is_waiting(request))
    is_clear = is_clear and not loses_what_follows(request)
    may_go_on = bool(request.keep_alive) and is_clear and (is_new or not is_open_ended)
    fields = hop.answer_fields(head, framing)
    if is_open_ended and is_new:
        fields.append((b"Transfer-Encoding", b"chunked"))
    if not may_go_on or not is_new:
        fields.append((b"Connection", b"keep-alive" if may_go_on else b"close"))
    await write_head(request, head, render_fields(fields))
    if is_open_ended and is_new:
        request.writer.enable_chunking()
    await _pass_body(exchange, framing)
    is_reusable = exchange.is_sent and head.minor == 1 and b"close" not in head.tokens(b"connection")
    is_framed = framing.is_chunked or framing.length is not None
    return Passed(head.status, may_go_on=may_go_on and exchange.is_sent), is_reusable and is_framed


def cut(request: web.Request) -> Passed:
    """Cut the client's connection; return what stands for the answer that it does not get."""
    if request.transport is not None:
        request.transport.abort()
    return Passed(_LEFT, may_go_on=False)


async def _pass_body(exchange: Exchange, framing: Framing) -> None:
    loop = asyncio.get_running_loop()
    writer, idle = exchange.request.writer, exchange.patience.idle
    try:
        async with asyncio.timeout(idle) as limit:
            async for piece in read_body(exchange.line.reader, framing):
                await writer.write(piece)
                limit.reschedule(loop.time() + idle)
            await writer.write_eof()
    except (Nonsense, EOFError, OSError) as error:
        # The head is out: only a cut connection tells the client that this is not the whole body.
        log.info("answer broken off", reason=repr(error))
        raise ClientGone from error
