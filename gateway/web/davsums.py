"""Checksums of files over WebDAV (RFC 3230, RFC 9530, `OC-Checksum`; ANCHORS 1.2 and 1.7).

What is uploaded is summed while it streams, compared with what the client said, and kept with the file under its
entity tag, so that sums of a changed file are never told. A sum that is not known is computed only if a request wants
it by name, and only of files up to a bound: nothing else reads a file twice.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from gateway.backends.base import KeepsSums
from gateway.backends.webdav_digest import digests_of
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.model.props import Properties
from gateway.model.resource import Entry
from gateway.model.sums import SUMS, Sum
from gateway.ocm.dialects.davwords import OC_NAMESPACE
from gateway.web.conditions import is_strong
from gateway.web.davshare import DavCall
from gateway.web.davxml import PropertyName
from gateway.web.head import Headers, closing
from gateway.web.respond import HeaderList

log = get_logger(__name__)

CHECKSUMS = PropertyName(OC_NAMESPACE, "checksums")
# A sum that is not known is computed for a request that wants it only up to this size, in bytes.
READ_MAX_BYTES = 64 * 1024 * 1024
# What is summed of every upload (ANCHORS 6): what proves, and what research storages ask for. Together they cost 1.2 s
# of CPU a GiB; MD5, which costs 1.6 s alone, is summed if the client tells it, or read when it is asked for.
ALWAYS = ("sha-256", "adler32")
# From so many bytes on they are summed in a thread: less costs the thread more than the sum.
SUM_AT_ONCE = 1024 * 1024

_TOLD_BY = ("OC-Checksum", "Digest", "Repr-Digest", "Content-Digest")
_PROPERTY_NAMES = {"sha-1": "SHA1", "md5": "MD5", "adler32": "ADLER32"}
# As RFC 3230 and RFC 9530 write the names.
_OLD_NAMES = {"sha-512": "sha-512", "sha-256": "sha-256", "sha-1": "sha", "md5": "md5", "adler32": "adler32"}
_NEW_NAMES = {"sha-512": "sha-512", "sha-256": "sha-256", "sha-1": "sha", "md5": "md5", "adler32": "adler"}
_WANTED = re.compile(r"\s*([A-Za-z0-9-]{1,16})\s*(?:(?:;\s*q\s*)?=\s*([0-9.]{1,5}))?\s*")
_HEADER_MAX_CHARS = 1024
_MD5_BYTES = 16


@dataclass(slots=True)
class Summing:
    """The body of an upload, summed while it passes; of a large one in a thread, while the next pieces are written."""

    body: AsyncIterator[bytes]
    told: Mapping[str, str]
    _sums: dict[str, Sum] = field(default_factory=dict)
    _turn: asyncio.Task[None] | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body; its end comes only if the sums are what the client said.

        Raises:
            GatewayError: `INVALID` if they are not; the storage then keeps the old content.
        """
        self._sums = {name: SUMS[name]() for name in {*ALWAYS, *self.told}}
        waiting: list[bytes] = []
        try:
            async with closing(self.body) as body:
                async for piece in body:
                    waiting.append(piece)
                    if sum(map(len, waiting)) >= SUM_AT_ONCE:
                        await self._settled()
                        self._turn = asyncio.create_task(asyncio.to_thread(self._add, waiting))
                        waiting = []
                    yield piece
        finally:
            await self._settled()
        self._add(waiting)
        for name, expected in self.told.items():
            if self._sums[name].hexdigest() != expected:
                raise GatewayError(
                    Kind.INVALID, f"The {name} of what came is not the one that was told.", code="checksum-differs"
                )

    def _add(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            for one in self._sums.values():
                one.update(piece)

    async def _settled(self) -> None:
        if self._turn is not None:
            await self._turn

    @property
    def sums(self) -> dict[str, str]:
        """The sums of what has passed."""
        return {name: one.hexdigest() for name, one in self._sums.items()}


def told_sums(headers: Headers) -> dict[str, str]:
    """Return the sums that an upload says it has: algorithm to lower-case hex.

    Raises:
        GatewayError: `INVALID` if `Content-MD5` is none.
    """
    told = digests_of({"OC-Checksum": headers.get("OC-Checksum") or ""})
    for name in _TOLD_BY[1:]:
        told |= digests_of({"Digest": headers.get(name) or ""})
    text = headers.single("Content-MD5")
    if text is not None:
        try:
            value = base64.b64decode(text, validate=True)
        except binascii.Error:
            value = b""
        if len(value) != _MD5_BYTES:
            raise GatewayError(Kind.INVALID, "Content-MD5 is not an MD5 sum in base64.")
        told["md5"] = value.hex()
    return told


async def keep(call: DavCall, entry: Entry, sums: Mapping[str, str]) -> None:
    """Keep the sums with a file that was just written; that this fails is no reason to refuse the file."""
    if not isinstance(call.writes_to, KeepsSums) or not is_strong(entry.etag):
        return
    try:
        await call.writes_to.keep_sums(call.path, dict.fromkeys(SUMS) | {"etag": entry.etag} | dict(sums))
    except GatewayError as error:
        log.info("checksums are not kept", reason=str(error))


def kept_sums(kept: Properties, entry: Entry) -> dict[str, str]:
    """Return what sums are kept of a file, if they are of its present content."""
    if entry.etag is None or kept.get("etag") != entry.etag:
        return {}
    return {name: value for name, value in kept.items() if name in SUMS}


def checksums_xml(sums: Mapping[str, str]) -> str | None:
    """Return the content of the property `checksums`, or None if none that it has is known."""
    words = [f"{label}:{sums[name]}" for name, label in _PROPERTY_NAMES.items() if name in sums]
    return f'<x:checksum xmlns:x="{OC_NAMESPACE}">{" ".join(words)}</x:checksum>' if words else None


async def digest_fields(call: DavCall, entry: Entry) -> HeaderList:
    """Return the header fields that tell the sums which the request wants; none if it wants none."""
    headers = call.head.headers
    new, old = headers.get("Want-Repr-Digest"), headers.get("Want-Digest")
    if new is not None:
        sums = await _sums(call, entry, _wanted(new, _NEW_NAMES))
        words = [f"{_NEW_NAMES[name]}=:{_packed(value)}:" for name, value in sums.items()]
        return [("Repr-Digest", ", ".join(words))] if words else []
    if old is not None:
        sums = await _sums(call, entry, _wanted(old, _OLD_NAMES))
        words = [f"{_OLD_NAMES[name]}={value if name == 'adler32' else _packed(value)}" for name, value in sums.items()]
        return [("Digest", ",".join(words))] if words else []
    return []


def _wanted(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the algorithms that are wanted at all, of those that we know."""
    by_name = {label: name for name, label in names.items()} | {"sha-1": "sha-1"}
    found: list[str] = []
    for item in text[:_HEADER_MAX_CHARS].split(","):
        match = _WANTED.fullmatch(item)
        if match is not None and match[1].lower() in by_name and (match[2] or "1").strip("0."):
            found.append(by_name[match[1].lower()])
    return tuple(dict.fromkeys(found))


async def _sums(call: DavCall, entry: Entry, wanted: tuple[str, ...]) -> dict[str, str]:
    known: dict[str, str] = {}
    if isinstance(call.share.backend, KeepsSums):
        kept = await call.share.backend.sums(call.path)
        known = kept_sums(next(iter(kept.values()), {}), entry)
    missing = [name for name in wanted if name not in known]
    if missing and entry.size is not None and entry.size <= READ_MAX_BYTES and is_strong(entry.etag):
        known |= await _read_sums(call, entry, missing)
    return {name: known[name] for name in wanted if name in known}


async def _read_sums(call: DavCall, entry: Entry, names: list[str]) -> dict[str, str]:
    sums = {name: SUMS[name]() for name in names}
    async with call.share.backend.open(call.path, if_match=entry.etag) as content, closing(content.chunks) as chunks:
        async for chunk in chunks:
            for one in sums.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in sums.items()}


def _packed(value: str) -> str:
    return base64.b64encode(bytes.fromhex(value)).decode()
