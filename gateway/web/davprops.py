"""The properties of files and folders as PROPFIND tells them (RFC 4918, 9.1 and 15; RFC 4331; dialects.md, 3.6).

One table from a property's name to the function that writes it. What a share allows is told in the three ways that
peers read, because they show a share without any of them as writable.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.model.props import Properties
from gateway.model.resource import Entry, Quota, ResourcePath
from gateway.ocm.dialects import davwords
from gateway.web.davlocks import SUPPORTED_XML, SeenLock, active_locks_xml
from gateway.web.davpath import Located
from gateway.web.davshare import DavShare
from gateway.web.davsums import CHECKSUMS, checksums_xml, kept_sums
from gateway.web.davxml import DAV, PropertyName, Propfind, is_representable, property_xml, text_xml
from gateway.web.respond import http_date, status_line

UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known once for all entries; `locks`, `quota`, dead properties and `sums` only if asked for."""

    share: DavShare
    place: Located
    locks: tuple[SeenLock, ...] = ()
    quota: Quota | None = None
    dead: Mapping[ResourcePath, Properties] = field(default_factory=dict)
    sums: Mapping[ResourcePath, Properties] = field(default_factory=dict)


def response_xml(entry: Entry, asked: Propfind, facts: Facts) -> str:
    """Return the `response` element of one entry."""
    found: list[str] = []
    missing: list[str] = []
    dead = dead_of(entry, facts)
    for name in asked.names if asked.names is not None else _ALL:
        write = _WRITERS.get(name)
        content = write(entry, facts) if write is not None else None
        if content is not None:
            found.append(property_xml(name, "" if asked.is_propname else content))
        elif dead and write is None and str(name) in dead:
            found.append(dead[str(name)])
        elif asked.names is not None:
            missing.append(property_xml(name))
    if asked.names is None:
        found += [property_xml(PropertyName.parse(name)) if asked.is_propname else dead[name] for name in dead]
    href = facts.place.href_of(entry.path, is_folder=entry.is_folder)
    # A response without a single propstat is not valid; an empty list of names gets an empty one.
    body = "".join(propstat_xml(props, status) for props, status in ((found, 200), (missing, 404)) if props)
    return f"<d:response><d:href>{text_xml(href)}</d:href>{body or propstat_xml([], 200)}</d:response>\n"


def dead_of(entry: Entry, facts: Facts) -> Properties:
    """Return what is kept of an entry."""
    return facts.dead.get(entry.path.one_spelling, {}) if facts.dead else {}


def propstat_xml(properties: list[str], status: int) -> str:
    """Return a `propstat` of properties that share one status."""
    return f"<d:propstat><d:prop>{''.join(properties)}</d:prop><d:status>{status_line(status)}</d:status></d:propstat>"


def media_type(entry: Entry, share: DavShare) -> str:
    """Return a file's media type: the storage's word, else what its name suggests."""
    if entry.content_type:
        return entry.content_type
    return mimetypes.guess_type(entry_name(entry, share))[0] or UNKNOWN_TYPE


def entry_name(entry: Entry, share: DavShare) -> str:
    """Return the name of an entry, the root's own where the share tells it."""
    return entry.path.name or share.root.name


def wants(asked: Propfind, name: PropertyName) -> bool:
    """Tell whether a property has to be found out."""
    return not asked.is_propname and name in (asked.names if asked.names is not None else _ALL)


def wants_dead(asked: Propfind) -> bool:
    """Tell whether dead properties have to be looked up."""
    return asked.names is None or not PROTECTED.issuperset(asked.names)


def _display_name(entry: Entry, facts: Facts) -> str | None:
    name = entry_name(entry, facts.share)
    return text_xml(name) if is_representable(name) else None


def _length(entry: Entry, _facts: Facts) -> str | None:
    return None if entry.is_folder or entry.size is None else str(entry.size)


def _content_type(entry: Entry, facts: Facts) -> str | None:
    return "httpd/unix-directory" if entry.is_folder else text_xml(media_type(entry, facts.share))


def _etag(entry: Entry, _facts: Facts) -> str | None:
    return None if entry.etag is None else text_xml(entry.etag)


def _modified(entry: Entry, _facts: Facts) -> str | None:
    return None if entry.modified is None else http_date(entry.modified)


def _resource_type(entry: Entry, _facts: Facts) -> str:
    return "<d:collection/>" if entry.is_folder else ""


def _supported_lock(_entry: Entry, facts: Facts) -> str:
    return SUPPORTED_XML if facts.share.locks is not None else ""


def _lock_discovery(entry: Entry, facts: Facts) -> str:
    return active_locks_xml(facts.locks, facts.place, entry)


def _available(_entry: Entry, facts: Facts) -> str | None:
    return None if facts.quota is None or facts.quota.available is None else str(facts.quota.available)


def _used(_entry: Entry, facts: Facts) -> str | None:
    return None if facts.quota is None or facts.quota.used is None else str(facts.quota.used)


def _letters(entry: Entry, facts: Facts) -> str:
    return davwords.letters(facts.share.allowed_at(entry.path), is_folder=entry.is_folder, is_root=entry.path.is_root)


def _mask(entry: Entry, facts: Facts) -> str:
    allowed = facts.share.allowed_at(entry.path)
    return str(davwords.ocs_mask(allowed, is_folder=entry.is_folder, is_root=entry.path.is_root))


def _list(entry: Entry, facts: Facts) -> str:
    return text_xml(davwords.ocm_list(facts.share.allowed_at(entry.path)))


def _checksums(entry: Entry, facts: Facts) -> str | None:
    kept = facts.sums.get(entry.path.one_spelling, {}) if facts.sums else {}
    return checksums_xml(kept_sums(kept, entry))


def _id(entry: Entry, facts: Facts) -> str:
    if facts.share.resource_id is not None:
        return facts.share.resource_id(entry.path)
    place = f"{facts.share.root.share_id}\n{entry.path}".encode(errors="surrogateescape")
    return hashlib.sha256(place).hexdigest()[:32]


LOCK_DISCOVERY = PropertyName(DAV, "lockdiscovery")
QUOTA_AVAILABLE = PropertyName(DAV, "quota-available-bytes")
QUOTA_USED = PropertyName(DAV, "quota-used-bytes")

_STANDARD: dict[PropertyName, Callable[[Entry, Facts], str | None]] = {
    PropertyName(DAV, "displayname"): _display_name,
    PropertyName(DAV, "getcontentlength"): _length,
    PropertyName(DAV, "getcontenttype"): _content_type,
    PropertyName(DAV, "getetag"): _etag,
    PropertyName(DAV, "getlastmodified"): _modified,
    PropertyName(DAV, "resourcetype"): _resource_type,
    PropertyName(DAV, "supportedlock"): _supported_lock,
    LOCK_DISCOVERY: _lock_discovery,
}
# Only RFC 4918's own are in the answer to allprop; the rest cost more or are for peers that ask by name.
_ALL = tuple(_STANDARD)
_WRITERS = _STANDARD | {
    QUOTA_AVAILABLE: _available,
    QUOTA_USED: _used,
    PropertyName(davwords.OC_NAMESPACE, "permissions"): _letters,
    PropertyName(davwords.OC_NAMESPACE, "id"): _id,
    CHECKSUMS: _checksums,
    PropertyName(davwords.OCS_NAMESPACE, "share-permissions"): _mask,
    PropertyName(davwords.OCM_NAMESPACE, "share-permissions"): _list,
}
PROTECTED = frozenset(_WRITERS)
