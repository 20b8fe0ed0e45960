"""How every key of this gateway in Redis is spelled.

    <prefix>:t:<table>:r:<record key>               the record: a hash of document and revisions
    <prefix>:t:<table>:l:<look-up>:<fingerprint>    a unique look-up: leads to a record key
    <prefix>:t:<table>:i:<index>:<partition>        a sorted index: leads to record keys in order
    <prefix>:once:<fingerprint>, <prefix>:rate:<fingerprint>, <prefix>:feed:<topic>, <prefix>:instance
    <prefix>:locks:{<fingerprint>}:<part>           the locks of one storage view, in one hash slot
    <prefix>:props:{<fingerprint>}:<part>           the dead properties of one storage view, likewise
    <prefix>:sums:{<fingerprint>}:<part>            the checksums of files in one storage view, likewise
    <prefix>:props:spaces, <prefix>:sums:spaces     the storage views in which there may be any

What could be secret or long (look-up values, keys of acts and limits) is there only as a keyed fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import GatewayError, Kind

# No braces (hash tags) and no wildcards (patterns of SCAN and PSUBSCRIBE) in what stands before every key.
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyspace:
    """The keys of one gateway.

    Attributes:
        prefix: stands before every key, so that several gateways may share a server.
        fingerprint: the keyed hash (HMAC-SHA256 with the pepper) under which values are looked up.
    """

    prefix: str
    fingerprint: Callable[[str], str]

    def __post_init__(self) -> None:
        """Refuse a prefix that Redis would read as a pattern or a hash tag.

        Raises:
            GatewayError: `CONFIGURATION` if it does not fit.
        """
        if not _PREFIX.fullmatch(self.prefix):
            raise GatewayError(Kind.CONFIGURATION, "The store prefix may hold only letters, digits and . _ : -")

    @property
    def instance(self) -> str:
        """Where the instance marker lies (DESIGN 6)."""
        return f"{self.prefix}:instance"

    def record(self, table: str, key: str) -> bytes:
        """Return the key of a record."""
        return to_bytes(f"{self.prefix}:t:{table}:r:{key}")

    def table(self, table: str, part: str) -> str:
        """Return the pattern for all keys of one part (`r`, `l` or `i`) of a table."""
        return f"{self.prefix}:t:{table}:{part}:*"

    def lookup(self, table: str, lookup: str, value: str) -> str:
        """Return the key of a unique look-up for `value`."""
        return f"{self.prefix}:t:{table}:l:{lookup}:{self._hashed(f'{table}:{lookup}:{value}')}"

    def index(self, table: str, index: str, partition: str) -> bytes:
        """Return the key of one partition of a sorted index."""
        return to_bytes(f"{self.prefix}:t:{table}:i:{index}:{partition}")

    def once(self, key: str) -> str:
        """Return the key of an act that must happen once."""
        return f"{self.prefix}:once:{self._hashed(f'once:{key}')}"

    def rate(self, key: str) -> str:
        """Return the key of a token bucket."""
        return f"{self.prefix}:rate:{self._hashed(f'rate:{key}')}"

    def feed(self, topic: str) -> str:
        """Return the channel of a topic."""
        return f"{self.prefix}:feed:{topic}"

    def locks(self, space: str) -> tuple[str, ...]:
        """Return the keys of the locks of one space: documents, paths, expiry and holders."""
        tag = self._hashed(f"locks:{space}")
        return tuple(f"{self.prefix}:locks:{{{tag}}}:{part}" for part in ("docs", "paths", "expiry", "holders"))

    def kept(self, family: str, space: str) -> tuple[str, ...]:
        """Return the keys of what is kept with the files of one space: documents, paths, size and ages."""
        tag = self._hashed(f"{family}:{space}")
        return tuple(f"{self.prefix}:{family}:{{{tag}}}:{part}" for part in ("docs", "paths", "size", "ages"))

    def spaces(self, family: str) -> str:
        """Return the key of the set of spaces in which something of a family may be kept."""
        return f"{self.prefix}:{family}:spaces"

    def _hashed(self, text: str) -> str:
        # What strangers claim may hold lone surrogates, at which a strict encoding would stop.
        return self.fingerprint(text.encode(errors="backslashreplace").decode())


def to_bytes(text: str) -> bytes:
    """Return `text` as stored; any string will do, whatever surrogates a stranger or a storage put into it."""
    return text.encode(errors="surrogatepass")


def to_text(data: bytes) -> str:
    """Return what `to_bytes` was given."""
    return data.decode(errors="surrogatepass")
