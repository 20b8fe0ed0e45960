"""PUT, MKCOL, DELETE, COPY and MOVE (RFC 4918, 9.3, 9.6 to 9.9; RFC 9110, 9.3.4).

All checks that need no body come before the body is asked for, so that a refused upload never crosses the wire
(ANCHORS 1.4). Whole files only: a piece by `Content-Range` is refused, as RFC 9110, 14.5 demands of those who cannot.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

from gateway.backends.base import HasQuota, SetTime
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, Outcome, ResourcePath, Written
from gateway.web import conditions
from gateway.web.davfind import MULTISTATUS_END, MULTISTATUS_HEADERS, MULTISTATUS_START
from gateway.web.davpath import Located
from gateway.web.davshare import DavCall
from gateway.web.davsums import Summing, keep, told_sums
from gateway.web.davxml import text_xml
from gateway.web.respond import HeaderList, Reply, http_date, send, status_line
from gateway.web.status import dav_status, unsupported_body

# From this size on, in bytes, the storage is asked for its free space before the upload is let in.
QUOTA_CHECK_BYTES = 1024 * 1024
MTIME_HEADER = "X-OC-Mtime"


async def put(call: DavCall) -> None:
    """Answer PUT."""
    headers = call.head.headers
    if "Content-Range" in headers:
        raise GatewayError(Kind.INVALID, "A file can only be written whole here.")
    modified = _wanted_time(headers.single(MTIME_HEADER))
    present = await call.share.find(call.path)
    if present is not None and present.is_folder:
        raise GatewayError(Kind.NOT_ALLOWED, "There is a folder at this path.")
    if present is None:
        await need_parent(call, call.path)
    await call.check_conditions(present)
    await _check_space(call, present)
    summing = Summing(call.body, told_sums(headers))
    written = await _write(call, present, summing)
    answer: HeaderList = []
    entry = written.entry
    if modified is not None and await set_time(call, modified):
        entry = await call.share.backend.stat(call.path)
        answer.append((MTIME_HEADER, "accepted"))
    await keep(call, entry, summing.sums)
    if entry.etag is not None:
        answer.append(("ETag", entry.etag))
    if entry.modified is not None:
        answer.append(("Last-Modified", http_date(entry.modified)))
    await send(Reply(201 if written.created else 204, tuple(answer)), call.sink)


async def mkcol(call: DavCall) -> None:
    """Answer MKCOL."""
    await refuse_body(call)
    present = await call.share.find(call.path)
    await call.check_conditions(present)
    if present is not None:
        raise GatewayError(Kind.NOT_ALLOWED, "There is something at this path already.")
    await call.writes_to.mkdir(call.path)
    await send(Reply(201), call.sink)


async def delete(call: DavCall) -> None:
    """Answer DELETE."""
    entry = await call.share.stat(call.path)
    _need_not_root(call.path)
    if entry.is_folder and (call.head.headers.single("Depth") or "infinity").lower() != "infinity":
        raise GatewayError(Kind.INVALID, "A folder can only be deleted with all that is in it.")
    await call.check_conditions(entry)
    await call.writes_to.delete(call.path)
    await send(Reply(204), call.sink)


async def copy(call: DavCall) -> None:
    """Answer COPY."""
    deep = _deep(call, may_be_shallow=True)
    target, overwrite = await _prepare_transfer(call)
    outcome = await call.writes_to.copy(call.path, target.path, overwrite=overwrite, deep=deep)
    await _tell_outcome(call, outcome, target)


async def move(call: DavCall) -> None:
    """Answer MOVE."""
    _need_not_root(call.path)
    _deep(call, may_be_shallow=False)
    target, overwrite = await _prepare_transfer(call)
    outcome = await call.writes_to.move(call.path, target.path, overwrite=overwrite)
    await _tell_outcome(call, outcome, target)


async def refuse_body(call: DavCall) -> None:
    """Let the request pass only if it has no body, or one of no bytes.

    Raises:
        GatewayError: 415 (RFC 4918, 9.3).
    """
    if call.head.may_have_body:
        async for piece in call.body:
            if piece:
                raise unsupported_body("A body means nothing with this method here.")


async def set_time(call: DavCall, modified: float) -> bool:
    """Set the time and tell whether it worked; the file is there in either case."""
    if not isinstance(call.writes_to, SetTime):
        return False
    try:
        await call.writes_to.set_time(call.path, modified)
    except GatewayError as error:
        if error.kind is not Kind.NOT_IMPLEMENTED:
            raise
        return False
    return True


# PUT


def _wanted_time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or abs(seconds) > TIME_MAX_SECONDS:
        raise GatewayError(Kind.INVALID, f"{MTIME_HEADER} is a time in seconds since 1970.")
    return seconds


# Beyond this no file system keeps a time (the year 9999).
TIME_MAX_SECONDS = 253402300799.0


async def need_parent(call: DavCall, path: ResourcePath) -> None:
    """Let the request pass only if something can be made at `path`.

    Raises:
        GatewayError: `CONFLICT` if the folder above is missing.
    """
    parent = None if path.is_root else await call.share.find(path.parent)
    if parent is None or not parent.is_folder:
        raise GatewayError(Kind.CONFLICT, "The folder above is missing.")


async def _check_space(call: DavCall, present: Entry | None) -> None:
    size = call.head.content_length
    if size is None or size < QUOTA_CHECK_BYTES or not isinstance(call.share.backend, HasQuota):
        return
    quota = await call.share.backend.quota(call.path if present is not None else call.path.parent)
    if quota.available is not None and quota.available >= 0 and size > quota.available:
        raise GatewayError(Kind.NO_SPACE, "There is not enough space for this file.")


async def _write(call: DavCall, present: Entry | None, summing: Summing) -> Written:
    asked = conditions.parse(call.head.headers)
    # What was checked above is checked again by the storage, in one step with the write.
    is_bound = asked.if_match is not None and present is not None and conditions.is_strong(present.etag)
    return await call.writes_to.write(
        call.path,
        summing.pieces(),
        size=call.head.content_length,
        if_match=present.etag if is_bound and present is not None else None,
        if_none_match=conditions.ANY if asked.if_none_match == (conditions.ANY,) else None,
    )


# COPY and MOVE


def _deep(call: DavCall, *, may_be_shallow: bool) -> bool:
    depth = (call.head.headers.single("Depth") or "infinity").lower()
    if depth == "infinity" or (depth == "0" and may_be_shallow):
        return depth == "infinity"
    raise GatewayError(Kind.INVALID, "Depth is infinity, or 0 for a COPY.")


async def _prepare_transfer(call: DavCall) -> tuple[Located, bool]:
    headers = call.head.headers
    if "Source" in headers:
        # A COPY with a source would make this server fetch for a stranger (ANCHORS 1.6).
        raise GatewayError(Kind.FORBIDDEN, "Nothing is fetched from other servers here.")
    await refuse_body(call)
    url = headers.single("Destination")
    if not url:
        raise GatewayError(Kind.INVALID, "A Destination is needed.")
    target = call.share.root.locate_url(url, host=headers.get("Host"))
    _need_not_root(target.path)
    overwrite = (headers.single("Overwrite") or "T").upper()
    if overwrite not in ("T", "F"):
        raise GatewayError(Kind.INVALID, "Overwrite is T or F.")
    await call.check_conditions(await call.share.stat(call.path))
    return target, overwrite == "T"


def _need_not_root(path: ResourcePath) -> None:
    if path.is_root:
        raise GatewayError(Kind.FORBIDDEN, "The share itself can be neither deleted, moved nor replaced.")


async def _tell_outcome(call: DavCall, outcome: Outcome, target: Located) -> None:
    if not outcome.failures:
        await send(Reply(201 if outcome.created else 204), call.sink)
        return
    responses = "".join(
        f"<d:response><d:href>{text_xml(target.href_of(path, is_folder=False))}</d:href>"
        f"<d:status>{status_line(dav_status(error))}</d:status></d:response>\n"
        for path, error in outcome.failures
    )
    body = (MULTISTATUS_START + responses + MULTISTATUS_END).encode()
    await send(Reply(207, tuple(MULTISTATUS_HEADERS), body), call.sink)


async def no_bytes() -> AsyncIterator[bytes]:
    """Yield nothing: the content of an empty file."""
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece
