"""PROPPATCH (RFC 4918, 9.2): what clients may set.

The time of last modification can be set and the other live properties cannot; any other property is kept with the
resource. All or nothing: if one instruction is refused, the others fail with it. Windows sets four properties of each
file that it copies and reports an error if one is refused; where they cannot be kept they are accepted without effect.
"""

from __future__ import annotations

from gateway.backends.base import KeepsProperties, SetTime
from gateway.errors import GatewayError, Kind
from gateway.ocm.dialects.davwords import WINDOWS_NAMESPACE
from gateway.web import davxml
from gateway.web.conditions import parse_date
from gateway.web.davfind import MULTISTATUS_END, MULTISTATUS_HEADERS, MULTISTATUS_START
from gateway.web.davprops import PROTECTED, propstat_xml
from gateway.web.davshare import DavCall
from gateway.web.davwrite import TIME_MAX_SECONDS, set_time
from gateway.web.davxml import DAV, PropertyChange, PropertyName, property_xml, text_xml
from gateway.web.head import read_body
from gateway.web.respond import Reply, send

# No single property may be longer than this, in bytes.
PROPERTY_MAX_BYTES = 16 * 1024

_TIMES = frozenset(
    {
        PropertyName(DAV, "lastmodified"),
        PropertyName(DAV, "getlastmodified"),
        PropertyName(WINDOWS_NAMESPACE, "Win32LastModifiedTime"),
    }
)
_FORBIDDEN, _FAILED_WITH_ANOTHER, _NO_SPACE = 403, 424, 507


async def proppatch(call: DavCall) -> None:
    """Answer PROPPATCH."""
    changes = davxml.parse_proppatch(await read_body(call.body, max_bytes=davxml.XML_MAX_BYTES))
    entry = await call.share.stat(call.path)
    await call.check_conditions(entry)
    await call.check_unlocked()
    refused = {change.name: status for change in changes if (status := _refusal(call, change)) is not None}
    if not refused:
        refused = await _carry_out(call, changes)
    others = 200 if not refused else _FAILED_WITH_ANOTHER
    statuses = {change.name: refused.get(change.name, others) for change in changes}
    href = text_xml(call.place.href_of(call.path, is_folder=entry.is_folder))
    stats = "".join(propstat_xml([property_xml(name)], status) for name, status in statuses.items())
    text = f"{MULTISTATUS_START}<d:response><d:href>{href}</d:href>{stats}</d:response>\n{MULTISTATUS_END}"
    await send(Reply(207, tuple(MULTISTATUS_HEADERS), text.encode()), call.sink)


def _refusal(call: DavCall, change: PropertyChange) -> int | None:
    """Return the status with which an instruction is refused before anything is done."""
    if change.name in _TIMES and change.text is not None:
        is_possible = isinstance(call.writes_to, SetTime) and parse_time(change.text) is not None
        return None if is_possible else _FORBIDDEN
    if change.name in PROTECTED or change.name in _TIMES:
        return _FORBIDDEN
    if change.xml is not None and len(change.xml.encode()) > PROPERTY_MAX_BYTES:
        return _NO_SPACE
    can_keep = isinstance(call.writes_to, KeepsProperties) or change.name.namespace == WINDOWS_NAMESPACE
    return None if can_keep else _FORBIDDEN


async def _carry_out(call: DavCall, changes: tuple[PropertyChange, ...]) -> dict[PropertyName, int]:
    """Do what was asked and return what was refused; the last instruction for a property counts (9.2)."""
    dead = {change.name: change.xml for change in changes if change.name not in _TIMES}
    times = {change.name: change.text or "" for change in changes if change.name in _TIMES}
    for name, text in times.items():
        seconds = parse_time(text)
        is_set = seconds is not None and await set_time(call, seconds)
        if not is_set and name.namespace != WINDOWS_NAMESPACE:
            return {name: _FORBIDDEN}
    if dead and isinstance(call.writes_to, KeepsProperties):
        try:
            await call.writes_to.change_properties(call.path, {str(name): xml for name, xml in dead.items()})
        except GatewayError as error:
            if error.kind is not Kind.NO_SPACE:
                raise
            # Windows would report that as a failed copy of the file.
            return {name: _NO_SPACE for name in dead if name.namespace != WINDOWS_NAMESPACE}
    return {}


def parse_time(text: str) -> float | None:
    """Return a time given as seconds since the epoch or as an HTTP date, or None if it is neither."""
    trimmed = text.strip()
    if trimmed.isascii() and trimmed.isdigit():
        seconds = float(trimmed[:15])
        return seconds if seconds <= TIME_MAX_SECONDS else None
    return parse_date(trimmed)
