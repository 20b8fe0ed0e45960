"""The adapter between aiohttp and the doors (DESIGN 3): a request in, head and body and sink out.

aiohttp would answer `Expect: 100-continue` before any handler runs, and a stranger would upload gigabytes into a 401
(ANCHORS 1.4). A route that is given `admit_later` as its `expect_handler` waits: the client is told to continue when
somebody asks for the first piece of the body, which no door does before it has let the request in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import ClientError, HttpVersion11, web, web_response

from gateway.backends.base import ResponseSink
from gateway.errors import GatewayError
from gateway.log import get_logger
from gateway.web.head import ClientGone, Headers, RequestHead

log = get_logger(__name__)

SERVER_NAME = "ocm-gateway"
CONTINUE = "100-continue"
_CLIENT_GONE = (ConnectionError, ClientError, web.RequestPayloadError, EOFError)
_CONTINUED: web.RequestKey[bool] = web.RequestKey("continued", bool)

Serve = Callable[[RequestHead, AsyncIterator[bytes], ResponseSink], Awaitable[None]]


def name_server() -> None:
    """Let this process's HTTP servers call themselves as our doors do, and tell no versions (ANCHORS 7).

    What aiohttp answers by itself (a head that it cannot parse) passes no middleware and no signal; it takes the name
    from this constant, and there is no other way to say it.
    """
    web_response.SERVER_SOFTWARE = SERVER_NAME  # type: ignore[attr-defined] # not exported, as said above


def head_of(request: web.Request) -> RequestHead:
    """Return the head of a request as plain values."""
    fields = ((name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in request.raw_headers)
    return RequestHead(request.method, request.raw_path, Headers(fields), request.remote or "")


async def admit_later(request: web.Request) -> web.StreamResponse | None:
    """Be the `expect_handler` of a route whose door decides when the body may come; refuse other expectations."""
    if request.version < HttpVersion11 or is_waiting(request):
        return None
    # This runs before all middlewares, so an error raised here would be a 500.
    return web.Response(status=417, text="This expectation is not known.\n")


def is_waiting(request: web.Request) -> bool:
    """Tell whether the client holds its body back until it is told to continue."""
    is_asked = request.headers.get("Expect", "").lower() == CONTINUE and request.version >= HttpVersion11
    return is_asked and not request.get(_CONTINUED, False)


async def continue_now(request: web.Request) -> None:
    """Tell the client to send its body, if it waits for that; the request must have been let in."""
    if is_waiting(request):
        request[_CONTINUED] = True
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written does not belong to the answer that aiohttp counts.
        request.writer.output_size = 0


async def body_of(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes; the client is told to continue when the first piece is asked for.

    Raises:
        ClientGone: if it breaks off.
    """
    try:
        await continue_now(request)
        async for piece in request.content.iter_any():
            yield piece
    except _CLIENT_GONE as error:
        raise ClientGone("the request body broke off") from error


class AiohttpSink:
    """Writes an answer to aiohttp."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response: web.StreamResponse | None = None

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Send the head.

        Raises:
            ClientGone: if nobody is there to read it.
        """
        response = web.StreamResponse(status=status)
        for name, value in headers:
            response.headers.add(name, value)
        if is_waiting(self._request):
            # The client may send its body all the same, or not: nobody can tell where the next request begins.
            response.force_close()
        self.response = response
        try:
            await response.prepare(self._request)
        except _CLIENT_GONE as error:
            raise ClientGone("the client left before the answer") from error

    async def write(self, chunk: bytes) -> None:
        """Send a piece of the body; returns when the client can take more.

        Raises:
            ClientGone: if the client has left.
        """
        assert self.response is not None, "start comes before write"
        try:
            await self.response.write(chunk)
        except _CLIENT_GONE as error:
            raise ClientGone("the client left during the answer") from error


async def serve(request: web.Request, door: Serve) -> web.StreamResponse:
    """Let a door answer a request.

    A failure after the answer has begun cuts the connection, so that a torn body never looks whole; so does the end
    of a grant, which comes as a cancellation. A client that left is no event worth a traceback.

    Raises:
        GatewayError: if the door failed before it began to answer.
    """
    sink = AiohttpSink(request)
    try:
        await door(head_of(request), body_of(request), sink)
    except ClientGone as gone:
        log.debug("client left", reason=str(gone))
        _cut(request)
    except asyncio.CancelledError:
        _cut(request)
        raise
    except GatewayError as error:
        if sink.response is None:
            raise
        log.warning("answer broken off", reason=str(error))
        _cut(request)
    # Without an answer the client is gone, and this one reaches nobody.
    return sink.response or web.Response(status=400)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
