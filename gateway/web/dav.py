"""The WebDAV door: classes 1 and 2 over any storage (RFC 4918; DESIGN 5 and 6).

One table says which method does what and what it needs; a method that is not in it is refused. The share comes in
already narrowed to its grant, so a check here only refuses earlier what the storage below would refuse anyway: before
a body is asked for. Whatever goes wrong before the answer starts is told in WebDAV's words, never as 500 or 501 for
what a peer sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from gateway.backends.base import ResponseSink
from gateway.errors import ROOT_MISSING, GatewayError, Kind
from gateway.log import get_logger
from gateway.model import ifheader
from gateway.web import davfind, davlock, davpatch, davread, davwrite
from gateway.web.davshare import DavCall, DavShare
from gateway.web.head import RequestHead
from gateway.web.respond import Reply, error_reply, send
from gateway.web.status import dav_status, unsupported_body

log = get_logger(__name__)

_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class Method:
    """What a method does, and whether it changes something or needs locks."""

    answer: Callable[[DavCall], Awaitable[None]]
    is_write: bool = False
    needs_locks: bool = False


async def options(call: DavCall) -> None:
    """Answer OPTIONS (RFC 4918, 10.1); Windows and its office programs need the last field."""
    has_locks = call.share.locks is not None and call.share.may_write
    level = "1, 2" if has_locks else "1"
    await send(Reply(200, (("DAV", level), ("Allow", allowed(call.share)), ("MS-Author-Via", "DAV"))), call.sink)


METHODS = {
    "OPTIONS": Method(options),
    "GET": Method(davread.get),
    "HEAD": Method(davread.head),
    "PROPFIND": Method(davfind.propfind),
    "PUT": Method(davwrite.put, is_write=True),
    "DELETE": Method(davwrite.delete, is_write=True),
    "MKCOL": Method(davwrite.mkcol, is_write=True),
    "COPY": Method(davwrite.copy, is_write=True),
    "MOVE": Method(davwrite.move, is_write=True),
    "PROPPATCH": Method(davpatch.proppatch, is_write=True),
    "LOCK": Method(davlock.lock, is_write=True, needs_locks=True),
    "UNLOCK": Method(davlock.unlock, is_write=True, needs_locks=True),
}


def allowed(share: DavShare) -> str:
    """Return the methods that `share` allows, as `Allow` tells them."""
    return ", ".join(
        name for name, method in METHODS.items() if _is_offered(method, share) and _is_granted(method, share)
    )


class DavDoor:
    """Serves shares to whoever holds their grant."""

    async def handle(self, head: RequestHead, body: AsyncIterator[bytes], sink: ResponseSink, share: DavShare) -> None:
        """Answer one request.

        Raises:
            GatewayError: if the storage failed after the answer had started; the connection must then be cut.
        """
        tracked = _Tracked(sink)
        try:
            await self._answer(head, body, tracked, share)
        except GatewayError as error:
            if tracked.is_started:
                raise
            if error.code == ROOT_MISSING and share.on_root_missing is not None:
                await share.on_root_missing()
            await self._refuse(head, error, sink, share)

    async def _answer(self, head: RequestHead, body: AsyncIterator[bytes], sink: ResponseSink, share: DavShare) -> None:
        method = METHODS.get(head.method)
        if method is None or not _is_offered(method, share):
            raise GatewayError(Kind.NOT_ALLOWED, "This method is not served here.")
        if not _is_granted(method, share):
            raise GatewayError(Kind.FORBIDDEN, "This share may only be read.")
        if (head.headers.get("Content-Encoding") or "identity").lower() != "identity":
            raise unsupported_body("Request bodies are taken as they are, without a content coding.")
        lists = ifheader.parse(head.headers.single("If"))
        tokens = ifheader.presented_tokens(lists)
        await method.answer(
            DavCall(
                head=head,
                body=body,
                sink=sink,
                share=share,
                place=share.root.locate(head.raw_target),
                writes_to=share.locks.presenting(tokens) if share.locks is not None else share.backend,
                lists=lists,
            )
        )

    async def _refuse(self, head: RequestHead, error: GatewayError, sink: ResponseSink, share: DavShare) -> None:
        if dav_status(error) >= _SERVER_FAULT:
            log.warning("webdav request failed", method=head.method, reason=str(error))
        reply = error_reply(error, href=head.raw_target.partition("?")[0])
        if error.kind is Kind.NOT_ALLOWED:
            reply = Reply(reply.status, (*reply.headers, ("Allow", allowed(share))), reply.body)
        await send(reply, sink, is_head=head.method == "HEAD")


@dataclass(slots=True)
class _Tracked:
    """A sink that remembers whether the answer has started."""

    sink: ResponseSink
    is_started: bool = False

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.is_started = True
        await self.sink.start(status, headers)

    async def write(self, chunk: bytes) -> None:
        await self.sink.write(chunk)


def _is_offered(method: Method, share: DavShare) -> bool:
    return share.locks is not None or not method.needs_locks


def _is_granted(method: Method, share: DavShare) -> bool:
    return share.may_write or not method.is_write
