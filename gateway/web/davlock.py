"""LOCK and UNLOCK (RFC 4918, 9.10 and 9.11).

A LOCK on nothing makes an empty file (9.10.4), after the lock is held, so that nobody can come between. A LOCK without
a body prolongs the lock whose token stands in `If`.
"""

from __future__ import annotations

import asyncio

from gateway.errors import GatewayError, Kind
from gateway.model.ifheader import presented_tokens
from gateway.model.resource import Entry, EntryKind
from gateway.web import conditions, davxml
from gateway.web.davlocks import DavLocks, SeenLock, active_locks_xml, parse_timeout
from gateway.web.davshare import DavCall
from gateway.web.davwrite import need_parent, no_bytes
from gateway.web.head import read_body
from gateway.web.respond import XML_TYPE, Reply, send


async def lock(call: DavCall) -> None:
    """Answer LOCK."""
    body = await read_body(call.body, max_bytes=davxml.XML_MAX_BYTES)
    if body.strip():
        await _take(call, _locks(call), davxml.parse_lockinfo(body))
    else:
        await _refresh(call, _locks(call))


async def unlock(call: DavCall) -> None:
    """Answer UNLOCK."""
    text = (call.head.headers.single("Lock-Token") or "").strip()
    if not (text.startswith("<") and text.endswith(">")):
        raise GatewayError(Kind.INVALID, "A Lock-Token in angle brackets is needed.")
    await call.check_if()
    await _locks(call).unlock(call.path, text[1:-1])
    await send(Reply(204), call.sink)


async def _take(call: DavCall, locks: DavLocks, info: davxml.LockInfo) -> None:
    is_deep = _is_deep(call)
    present = await call.share.find(call.path)
    await call.check_conditions(present)
    if present is None:
        await need_parent(call, call.path)
    taken = await locks.lock(
        call.path,
        is_deep=is_deep,
        is_exclusive=info.is_exclusive,
        owner_xml=info.owner_xml,
        seconds=parse_timeout(call.head.headers.get("Timeout")),
    )
    created = present is None and await _make_empty(call, locks, taken)
    headers = (("Lock-Token", f"<{taken.token}>"),)
    await _tell(call, taken, present, status=201 if created else 200, headers=headers)


async def _refresh(call: DavCall, locks: DavLocks) -> None:
    tokens = presented_tokens(call.lists)
    if len(tokens) != 1:
        raise GatewayError(Kind.INVALID, "To prolong a lock, its token alone is named in an If header.")
    present = await call.share.find(call.path)
    await call.check_conditions(present)
    seconds = parse_timeout(call.head.headers.get("Timeout"))
    kept = await locks.refresh(call.path, next(iter(tokens)), seconds=seconds)
    await _tell(call, kept, present, status=200)


async def _make_empty(call: DavCall, locks: DavLocks, taken: SeenLock) -> bool:
    storage = locks.presenting(presented_tokens(call.lists) | {taken.token})
    try:
        await storage.write(call.path, no_bytes(), size=0, if_none_match=conditions.ANY)
    except GatewayError as error:
        if error.kind is Kind.PRECONDITION_FAILED:
            return False
        await locks.unlock(call.path, taken.token)
        raise
    except asyncio.CancelledError:
        await asyncio.shield(locks.unlock(call.path, taken.token))
        raise
    return True


async def _tell(
    call: DavCall, seen: SeenLock, present: Entry | None, *, status: int, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    entry = present or Entry(path=call.path, kind=EntryKind.FILE)
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<d:prop xmlns:d="DAV:"><d:lockdiscovery>'
        f"{active_locks_xml([seen], call.place, entry)}</d:lockdiscovery></d:prop>\n"
    )
    await send(Reply(status, (("Content-Type", XML_TYPE), *headers), text.encode()), call.sink)


def _locks(call: DavCall) -> DavLocks:
    if call.share.locks is None:
        raise GatewayError(Kind.NOT_ALLOWED, "There are no locks here.")
    return call.share.locks


def _is_deep(call: DavCall) -> bool:
    depth = (call.head.headers.single("Depth") or "infinity").lower()
    if depth not in ("0", "infinity"):
        raise GatewayError(Kind.INVALID, "Depth is 0 or infinity.")
    return depth == "infinity"
