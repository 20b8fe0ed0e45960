"""Checksums that a WebDAV server tells with a file (RFC 9530, RFC 3230, and `OC-Checksum`; `ANCHORS.md` 1.2).

The same algorithm is written in base64 by one server and in hex by another; here all become lower-case hex under the
names of RFC 9530. What does not have the right length is no checksum, and is left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

WANTED = {
    "Want-Repr-Digest": "sha-256=5, sha-512=4, md5=2, adler=1",
    "Want-Digest": "sha-256;q=1, adler32;q=0.9, md5;q=0.8, sha;q=0.7",
}
HEADER_MAX_CHARS = 2048
# Name as servers write it (lower case) to RFC 9530's, and the bytes of a sum.
_NAMES = {
    "sha-512": ("sha-512", 64),
    "sha-256": ("sha-256", 32),
    "sha256": ("sha-256", 32),
    "sha": ("sha-1", 20),
    "sha1": ("sha-1", 20),
    "sha-1": ("sha-1", 20),
    "md5": ("md5", 16),
    "adler": ("adler32", 4),
    "adler32": ("adler32", 4),
}
_ONE = re.compile(r"([A-Za-z0-9-]{1,16})[=:](:?)([A-Za-z0-9+/=]{1,128}):?")


def digests_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what the head of an answer says of the whole file: algorithm to lower-case hex."""
    found: dict[str, str] = {}
    for field in ("OC-Checksum", "Digest", "Repr-Digest"):
        for match in _ONE.finditer(headers.get(field, "")[:HEADER_MAX_CHARS]):
            name, size = _NAMES.get(match[1].lower(), ("", 0))
            value = _hex(match[3], size)
            if name and value:
                found[name] = value
    return found


def _hex(text: str, size: int) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]+", text) and len(text) <= 2 * size and (len(text) == 2 * size or size == 4):  # noqa: PLR2004 - adler32 may lack zeros
        return text.lower().zfill(2 * size)
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return ""
    return value.hex() if len(value) == size else ""
