"""PROPPATCH (RFC 4918, 9.2): the time of last modification can be set, other properties cannot (yet).

All or nothing: if one instruction is refused, the others fail with it. Windows sets four properties of each file that
it copies and reports an error if one is refused; those that have no place here are accepted without effect.
"""

from __future__ import annotations

from gateway.backends.base import SetTime
from gateway.ocm.dialects.davwords import WINDOWS_NAMESPACE
from gateway.web import davxml
from gateway.web.conditions import parse_date
from gateway.web.davfind import MULTISTATUS_END, MULTISTATUS_HEADERS, MULTISTATUS_START
from gateway.web.davprops import propstat_xml
from gateway.web.davshare import DavCall
from gateway.web.davwrite import TIME_MAX_SECONDS, set_time
from gateway.web.davxml import DAV, PropertyChange, PropertyName, property_xml, text_xml
from gateway.web.head import read_body
from gateway.web.respond import Reply, send

_TIMES = frozenset(
    {
        PropertyName(DAV, "lastmodified"),
        PropertyName(DAV, "getlastmodified"),
        PropertyName(WINDOWS_NAMESPACE, "Win32LastModifiedTime"),
    }
)
_WITHOUT_EFFECT = frozenset(
    PropertyName(WINDOWS_NAMESPACE, name)
    for name in ("Win32CreationTime", "Win32LastAccessTime", "Win32FileAttributes")
)


async def proppatch(call: DavCall) -> None:
    """Answer PROPPATCH."""
    changes = davxml.parse_proppatch(await read_body(call.body, max_bytes=davxml.XML_MAX_BYTES))
    entry = await call.share.stat(call.path)
    await call.check_conditions(entry)
    await call.check_unlocked()
    refused = [change for change in changes if not _is_possible(call, change)]
    if not refused:
        refused = await _set_times(call, changes)
    statuses = {change.name: 200 if not refused else 424 for change in changes} | {c.name: 403 for c in refused}
    href = text_xml(call.place.href_of(call.path, is_folder=entry.is_folder))
    stats = "".join(propstat_xml([property_xml(name)], status) for name, status in statuses.items())
    text = f"{MULTISTATUS_START}<d:response><d:href>{href}</d:href>{stats}</d:response>\n{MULTISTATUS_END}"
    await send(Reply(207, tuple(MULTISTATUS_HEADERS), text.encode()), call.sink)


def _is_possible(call: DavCall, change: PropertyChange) -> bool:
    if change.name in _WITHOUT_EFFECT:
        return True
    is_settable = change.name in _TIMES and isinstance(call.writes_to, SetTime)
    return is_settable and change.text is not None and parse_time(change.text) is not None


async def _set_times(call: DavCall, changes: tuple[PropertyChange, ...]) -> list[PropertyChange]:
    """Set the time and return which instructions were refused: Windows' own never is, where no time can be set."""
    refused: list[PropertyChange] = []
    for change in changes:
        seconds = parse_time(change.text or "") if change.name in _TIMES else None
        if seconds is not None and not await set_time(call, seconds) and change.name.namespace != WINDOWS_NAMESPACE:
            refused.append(change)
    return refused


def parse_time(text: str) -> float | None:
    """Return a time given as seconds since the epoch or as an HTTP date, or None if it is neither."""
    trimmed = text.strip()
    if trimmed.isascii() and trimmed.isdigit():
        seconds = float(trimmed[:15])
        return seconds if seconds <= TIME_MAX_SECONDS else None
    return parse_date(trimmed)
