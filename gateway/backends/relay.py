"""Passes a grant's WebDAV requests on to a WebDAV storage, almost as they are (DESIGN 6, "Relay"; ACC-6).

Used where the storage itself is a full WebDAV server: its locks, conditions and properties are then the client's.
The relay sees checked values only (`RelayCall`), lets closed lists pass (`relay_rules`), moves every name between the
share's and the storage's tree, and keeps tokens of other grants apart. Bodies stream both ways and are never held;
if the client goes away the request to the storage is dropped unfinished. Nothing the storage says about itself
reaches a peer: its outages are 503 here (`webdav_status`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager

from yarl import URL

from gateway.backends.base import RelayCall, ResponseSink
from gateway.backends.relay_answer import AnswerRewriter, Shown
from gateway.backends.relay_locks import one_token, rewrite_if, token_of_answer
from gateway.backends.relay_request import gather, lock_info, property_update, question
from gateway.backends.relay_rules import RelayPorts, answered, body_length, forwarded, lock_seconds
from gateway.backends.relay_splice import splice
from gateway.backends.relay_targets import TRANSFERS, check_permission, check_target
from gateway.backends.webdav import WebdavBackend
from gateway.backends.webdav_body import Body, body_of, ready_body
from gateway.backends.webdav_http import Answer
from gateway.backends.webdav_names import Place, absolute_path, has_long_name
from gateway.backends.webdav_status import nonsense, storage_error
from gateway.errors import ROOT_MISSING, GatewayError, Kind, unavailable
from gateway.model.grant import Grant
from gateway.model.resource import EntryKind, ResourcePath

XML = "application/xml; charset=utf-8"
ANSWER_MAX_BYTES = 1024 * 1024
# The storage may clean up late; until then the token must stay known as somebody's.
CLAIM_GRACE_SECONDS = 60

_FOLDER_PAGE = b"<!DOCTYPE html><title>Folder</title><p>This is a folder. Open it with a WebDAV client.\n"
_TIMEOUT = re.compile(rb"Second-([0-9]{1,10})|Infinite", re.IGNORECASE)
_MULTI_STATUS = 207
_MOVED = 301
_NOT_MODIFIED = 304


class ScopedRelay:
    """The storage of one grant, as WebDAV."""

    def __init__(self, webdav: WebdavBackend, grant: Grant, ports: RelayPorts) -> None:
        self._webdav = webdav
        self._grant = grant
        self._ports = ports
        self._place = Place.at(webdav.place.url(grant.root))

    async def relay(self, call: RelayCall, sink: ResponseSink) -> None:
        """Carry out `call` and write the answer to `sink`."""
        check_permission(call.method, self._grant)
        check_target(call, self._grant)
        headers = forwarded(call.headers)
        await self._ports.still_stands()
        match call.method:
            case "GET" | "HEAD":
                await self._read(call, headers, sink)
            case "PROPFIND":
                await self._propfind(call, headers, sink)
            case "PUT":
                await self._put(call, headers, sink)
            case "PROPPATCH":
                await self._proppatch(call, headers, sink)
            case "LOCK":
                await self._lock(call, headers, sink)
            case "UNLOCK":
                await self._unlock(call, sink)
            case _:
                await self._change(call, headers, sink)

    # Reading.

    async def _read(self, call: RelayCall, headers: Mapping[str, str], sink: ResponseSink) -> None:
        url = self._place.url(call.path)
        async with self._exchange(call, headers) as answer:
            if answer.status == _NOT_MODIFIED:
                await sink.start(_NOT_MODIFIED, answered(answer.headers))
                return
            if self._may_be_folder(answer, url) and await self._is_folder(call.path):
                await self._show_folder(call, sink)
                return
            await self._expect(call, answer, 200, 206)
            await sink.start(answer.status, answered(answer.headers, has_entity=True))
            if call.method == "GET":
                async for chunk in answer.chunks():
                    await sink.write(chunk)

    def _may_be_folder(self, answer: Answer, url: URL) -> bool:
        # Servers show folders as HTML, redirect to their slash, or refuse; the storage's own page is never passed on.
        return (
            answer.url.raw_path.endswith("/") != url.raw_path.endswith("/")
            or answer.headers.get("Content-Type", "").lower().startswith(("text/html", "httpd/unix-directory"))
            or answer.status in (403, 405)
        )

    async def _is_folder(self, path: ResourcePath) -> bool:
        entry = await self._webdav.find(self._grant.root / path)
        return entry is not None and entry.is_folder

    async def _show_folder(self, call: RelayCall, sink: ResponseSink) -> None:
        await sink.start(200, [("Content-Type", "text/html"), ("Content-Length", str(len(_FOLDER_PAGE)))])
        if call.method == "GET":
            await sink.write(_FOLDER_PAGE)

    async def _propfind(self, call: RelayCall, headers: dict[str, str], sink: ResponseSink) -> None:
        is_folder = call.path.is_root and self._grant.kind is EntryKind.FOLDER
        # Without Depth RFC 4918 means infinity, which is not served; peers that leave it out list the root so.
        depth = headers.setdefault("Depth", "1" if is_folder else "0")
        if depth not in ("0", "1"):
            raise GatewayError(Kind.FORBIDDEN, "Folders are listed one level at a time.", code="propfind-finite-depth")
        asked = question(await gather(call.body))
        body = ready_body(asked.body)
        async with self._exchange(call, headers | {"Content-Type": XML}, body, is_folder=is_folder) as answer:
            await self._expect(call, answer, _MULTI_STATUS)
            await self._pass_xml(call, answer, sink, Shown(own=asked.own, depth=int(depth)))

    # Writing.

    async def _put(self, call: RelayCall, headers: dict[str, str], sink: ResponseSink) -> None:
        await self._add_conditions(call, headers)
        body = await body_of(call.body or _empty(), body_length(call.headers))
        async with self._exchange(call, {"Content-Type": "application/octet-stream"} | headers, body) as answer:
            await self._expect(call, answer, 200, 201, 204)
            await self._wrote(call.path)
            await self._done(answer, sink)

    async def _proppatch(self, call: RelayCall, headers: dict[str, str], sink: ResponseSink) -> None:
        await self._add_conditions(call, headers)
        body = ready_body(property_update(await gather(call.body)))
        async with self._exchange(call, headers | {"Content-Type": XML}, body) as answer:
            await self._expect(call, answer, _MULTI_STATUS)
            await self._wrote(call.path)
            await self._pass_xml(call, answer, sink, Shown(own=frozenset(), depth=0))

    async def _change(self, call: RelayCall, headers: dict[str, str], sink: ResponseSink) -> None:
        await self._add_conditions(call, headers)
        body = await gather(call.body)
        if body:
            # RFC 4918, 9.3.1: no body is understood here, and so none is passed on.
            await sink.start(415, [("Content-Length", "0")])
            return
        headers.pop("Content-Type", None)
        if call.destination is not None and call.method in TRANSFERS:
            await self._webdav.destinations.check(self._webdav, self._grant.root / call.destination)
        for destination in self._destinations(call):
            async with self._exchange(call, headers | destination) as answer:
                if destination and answer.status == _MOVED:
                    continue
                await self._expect(call, answer, 200, 201, 204, _MULTI_STATUS)
                await self._wrote(*_touched(call))
                if answer.status == _MULTI_STATUS:
                    await self._pass_xml(call, answer, sink, Shown(own=frozenset(), depth=None))
                else:
                    await self._carry_along(call)
                    await self._done(answer, sink)
                return
        raise nonsense("redirect without a location")

    async def _carry_along(self, call: RelayCall) -> None:
        if call.method == "MOVE" and call.destination is not None:
            root = self._grant.root
            await asyncio.shield(self._ports.on_move(root / call.path, root / call.destination))

    def _destinations(self, call: RelayCall) -> list[dict[str, str]]:
        if call.destination is None or call.method not in TRANSFERS:
            return [{}]
        # mod_dav wants the slash behind a folder that is to be replaced, and answers 301 without it.
        bare, folder = (self._place.url(call.destination, is_folder=slash) for slash in (False, True))
        return [{"Destination": str(bare)}, {"Destination": str(folder)}]

    # Locks.

    async def _lock(self, call: RelayCall, headers: dict[str, str], sink: ResponseSink) -> None:
        seconds = lock_seconds(call.headers.get("timeout"))
        info = lock_info(await gather(call.body))
        refreshed = await self._add_conditions(call, headers)
        if info:
            await self._ports.lock_owners.check_room(self._grant.grant_id)
        headers |= {"Timeout": f"Second-{seconds}", **({"Content-Type": XML} if info else {})}
        async with self._exchange(call, headers, ready_body(info) if info else None) as answer:
            await self._expect(call, answer, 200, 201, _MULTI_STATUS)
            if answer.status == _MULTI_STATUS:
                await self._pass_xml(call, answer, sink, Shown(own=frozenset(), depth=None))
                return
            document = await answer.read(ANSWER_MAX_BYTES)
            token = token_of_answer(answer.headers.get("Lock-Token"))
            await self._claim(frozenset({token}) if token else refreshed, document, seconds)
            if answer.status == 201:  # noqa: PLR2004 - an empty file was made for the lock
                await self._wrote(call.path)
            fields = [("Lock-Token", f"<{token}>")] if token else []
            await self._pass_document(call, document, answer, sink, fields)

    async def _claim(self, tokens: frozenset[str], document: bytes, seconds: int) -> None:
        # The storage may give more time than was asked for.
        told = [int(match[1]) for match in _TIMEOUT.finditer(document) if match[1]]
        expires = self._ports.now() + max(seconds, *told, 0) + CLAIM_GRACE_SECONDS
        for token in tokens:
            await self._ports.lock_owners.claim(token, self._grant.grant_id, expires)

    async def _unlock(self, call: RelayCall, sink: ResponseSink) -> None:
        token = one_token(call.headers.get("lock-token"))
        if not await self._may_use(token):
            raise GatewayError(Kind.FORBIDDEN, "This lock belongs to somebody else.")
        headers: dict[str, str] = {}
        await self._add_conditions(call, headers)
        async with self._exchange(call, headers | {"Lock-Token": f"<{token}>"}) as answer:
            await self._expect(call, answer, 200, 204)
            await self._ports.lock_owners.release(token)
            await self._done(answer, sink)

    async def _add_conditions(self, call: RelayCall, headers: dict[str, str]) -> frozenset[str]:
        """Add the `If` header in the storage's terms; return the tokens in it, all of them ours to use."""
        if "if" not in call.headers:
            return frozenset()
        conditions = rewrite_if(call.headers["if"], lambda url: self._storage_url(call, url))
        for token in conditions.tokens:
            if not await self._may_use(token):
                raise GatewayError(Kind.LOCKED, "This lock belongs to somebody else.")
        headers["If"] = conditions.header
        return conditions.tokens

    async def _may_use(self, token: str) -> bool:
        # A token that nobody claimed here was never shown to anybody here; the storage judges it.
        return await self._ports.lock_owners.owner(token) in (None, self._grant.grant_id)

    def _storage_url(self, call: RelayCall, url: str) -> str | None:
        path = absolute_path(url)
        for base in (call.href_base, *call.other_bases):
            root = absolute_path(base)
            if path is not None and root is not None and path.is_within(root):
                return str(self._place.url(path.below(root), is_folder=url.endswith("/")))
        return None

    # The exchange and its end.

    def _exchange(
        self, call: RelayCall, headers: Mapping[str, str], body: Body | None = None, *, is_folder: bool = False
    ) -> AbstractAsyncContextManager[Answer]:
        url = self._place.url(call.path, is_folder=is_folder)
        return self._webdav.upstream.exchange(call.method, url, headers, body)

    async def _expect(self, call: RelayCall, answer: Answer, *statuses: int) -> None:
        if answer.status in statuses:
            return
        error = storage_error(answer.status, answer.headers)
        if error.kind is Kind.NOT_FOUND and call.path.is_root:
            await self._check_parent()
            raise GatewayError(Kind.NOT_FOUND, "The shared resource is gone.", code=ROOT_MISSING)
        if call.destination is not None and call.method in TRANSFERS:
            error = await self._webdav.why_not_there(self._grant.root / call.destination, error)
        elif has_long_name(call.path):
            error = await self._webdav.why_not_there(self._grant.root / call.path, error)
        raise error

    async def _check_parent(self) -> None:
        """Let a missing root count only if the folder above it is there: peers drop mounts on 404."""
        if self._grant.root.is_root or await self._webdav.find(self._grant.root.parent) is None:
            raise unavailable("The storage does not work at the moment.", log="share root and its parent are missing")

    async def _wrote(self, *paths: ResourcePath) -> None:
        for path in paths:
            await self._ports.on_write(self._grant.root / path)

    async def _done(self, answer: Answer, sink: ResponseSink) -> None:
        fields = answered(answer.headers)
        length = [] if answer.status == 204 else [("Content-Length", "0")]  # noqa: PLR2004 - has no body by definition
        await sink.start(answer.status, fields + length)

    async def _pass_xml(self, call: RelayCall, answer: Answer, sink: ResponseSink, shown: Shown) -> None:
        rewriter = self._rewriter(call, answer, shown)
        is_started = False
        async for part in splice(answer.chunks(), rewriter):
            if not is_started:
                await sink.start(answer.status, [("Content-Type", XML)])
                is_started = True
            await sink.write(part)

    async def _pass_document(
        self, call: RelayCall, document: bytes, answer: Answer, sink: ResponseSink, fields: list[tuple[str, str]]
    ) -> None:
        rewriter = self._rewriter(call, answer, Shown(own=frozenset(), depth=None))
        spliced = b"".join([part async for part in splice(_once(document), rewriter)])
        length = ("Content-Length", str(len(spliced)))
        await sink.start(answer.status, [("Content-Type", XML), length, *fields])
        await sink.write(spliced)

    def _rewriter(self, call: RelayCall, answer: Answer, shown: Shown) -> AnswerRewriter:
        return AnswerRewriter(
            webdav=self._webdav,
            grant=self._grant,
            ports=self._ports,
            call=call,
            asked=Place.at(answer.url),
            share=self._place,
            shown=shown,
        )


def _touched(call: RelayCall) -> tuple[ResourcePath, ...]:
    if call.method not in TRANSFERS or call.destination is None:
        return (call.path,)
    return (call.path, call.destination) if call.method == "MOVE" else (call.destination,)


async def _empty() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for chunk in pieces:
        yield chunk


async def _once(document: bytes) -> AsyncIterator[bytes]:
    yield document
