"""PROPFIND (RFC 4918, 9.1): one level at most, streamed, one `response` in memory.

A missing `Depth` means one level on the share's root and none elsewhere, because Seafile leaves it out there
(dialects.md, 14.4). Names that XML or UTF-8 cannot hold are left out of listings.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from gateway.backends.base import HasQuota, KeepsProperties, KeepsSums
from gateway.errors import GatewayError, Kind
from gateway.model.props import Properties
from gateway.model.resource import Entry, Quota, ResourcePath
from gateway.web import davxml
from gateway.web.davlocks import SeenLock
from gateway.web.davprops import LOCK_DISCOVERY, QUOTA_AVAILABLE, QUOTA_USED, Facts, response_xml, wants, wants_dead
from gateway.web.davshare import DavCall
from gateway.web.davsums import CHECKSUMS
from gateway.web.head import closing, read_body
from gateway.web.respond import XML_TYPE

PIECE_BYTES = 16 * 1024
MULTISTATUS_START = '<?xml version="1.0" encoding="utf-8"?>\n<d:multistatus xmlns:d="DAV:">\n'
MULTISTATUS_END = "</d:multistatus>\n"
MULTISTATUS_HEADERS = [("Content-Type", XML_TYPE), ("X-Content-Type-Options", "nosniff")]


async def propfind(call: DavCall) -> None:
    """Answer PROPFIND."""
    depth = _depth(call)
    asked = davxml.parse_propfind(await read_body(call.body, max_bytes=davxml.XML_MAX_BYTES))
    entry = await call.share.stat(call.path)
    await call.check_if()
    is_listing = depth == 1 and entry.is_folder
    facts = await _facts(call, asked, with_members=is_listing)
    async with aclosing(showable_members(call) if is_listing else _nobody()) as members:
        # The first member is asked for before the answer starts, so that an outage is still told as one.
        first = await anext(members, None)
        await call.sink.start(207, MULTISTATUS_HEADERS)
        text = MULTISTATUS_START + response_xml(entry, asked, facts)
        while first is not None:
            text += response_xml(first, asked, facts)
            if len(text) >= PIECE_BYTES:
                await call.sink.write(text.encode())
                text = ""
            first = await anext(members, None)
        await call.sink.write((text + MULTISTATUS_END).encode())


async def showable_members(call: DavCall) -> AsyncGenerator[Entry, None]:
    """Yield the members of the folder whose names can be written in UTF-8 and XML."""
    async with closing(call.share.backend.list(call.path)) as members:
        async for member in members:
            if davxml.is_representable(member.path.name):
                yield await call.share.with_etag(member)


def _depth(call: DavCall) -> int:
    text = call.head.headers.single("Depth")
    match (text or "").lower():
        case "":
            return 1 if call.path.is_root else 0
        case "0" | "1" as level:
            return int(level)
        case "infinity":
            raise GatewayError(
                Kind.FORBIDDEN, "Folders are listed one level at a time here.", code="propfind-finite-depth"
            )
        case _:
            raise GatewayError(Kind.INVALID, "Depth is 0, 1 or infinity.")


async def _facts(call: DavCall, asked: davxml.Propfind, *, with_members: bool) -> Facts:
    share = call.share
    locks: tuple[SeenLock, ...] = ()
    quota: Quota | None = None
    if share.locks is not None and wants(asked, LOCK_DISCOVERY):
        locks = await share.locks.discover(call.path, with_members=with_members)
    if wants(asked, QUOTA_AVAILABLE) or wants(asked, QUOTA_USED):
        quota = await _quota(call)
    dead: Mapping[ResourcePath, Properties] = {}
    if wants_dead(asked) and isinstance(share.backend, KeepsProperties):
        dead = await share.backend.properties(call.path, with_members=with_members)
    sums: Mapping[ResourcePath, Properties] = {}
    if wants(asked, CHECKSUMS) and isinstance(share.backend, KeepsSums):
        sums = await share.backend.sums(call.path, with_members=with_members)
    return Facts(share=share, place=call.place, locks=locks, quota=quota, dead=dead, sums=sums)


async def _quota(call: DavCall) -> Quota | None:
    if call.share.quota is not None:
        return await call.share.quota(call.path)
    backend = call.share.backend
    return await backend.quota(call.path) if isinstance(backend, HasQuota) else None


async def _nobody() -> AsyncGenerator[Entry, None]:
    nobody: tuple[Entry, ...] = ()
    for entry in nobody:
        yield entry
