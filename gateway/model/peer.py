"""Peers: other providers, what we know of them, and who a request was proven to come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.address import Host
from gateway.model.dialect import Payload


class Role(StrEnum):
    """The protocol roles of one resource type in a discovery document (DISC-3)."""

    WEBDAV = "webdav"
    WEBDAV_RECEIVE = "webdav-receive"
    SSH = "ssh"
    SSH_RECEIVE = "ssh-receive"


@dataclass(frozen=True, slots=True)
class VerifiedPeer:
    """The provider that a valid signature proved (SIG-3 to SIG-7). Made only by `web.auth`."""

    host: Host
    key_id: str


@dataclass(frozen=True, slots=True)
class UnsignedPeer:
    """The provider that an unsigned message claims to come from; only the policy may admit it.

    `claimed_host` is None where the message names nobody.
    """

    claimed_host: Host | None


AnyPeer = VerifiedPeer | UnsignedPeer


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOffer:
    """One entry of `resourceTypes` (DISC-2).

    Attributes:
        protocols: role name to its value as text; object values are kept by their useful member (`uri`), else "".
    """

    name: str
    share_types: tuple[str, ...]
    protocols: dict[str, str]


class Shape(StrEnum):
    """What a document looks like beside what it says: deployed peers are told apart by it."""

    SHARE_TYPES = "shareTypes"
    OBJECT_TYPES = "object-types"
    VERSION = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """A peer's discovery document after parsing, aliases already resolved to the draft's words (DISC-1).

    Attributes:
        end_point: absolute URL without trailing slash.
        capabilities, criteria: the draft's spellings (`dialects.md` 9.1 maps the others).
        jwks_uri, token_end_point: absolute URLs, or empty.
        ssh_host_keys: URL of the signed statement of the SSH door's host keys (our extension), or empty.
        public_key: `(keyId, PEM)` of a draft-cavage peer, or None.
        notes: what had to be tolerated in it, for people.
        shapes: its peculiarities, for recognising whose it is.
    """

    enabled: bool
    api_version: str
    end_point: str
    provider: str = ""
    resource_types: tuple[ResourceOffer, ...] = ()
    capabilities: frozenset[str] = frozenset()
    criteria: frozenset[str] = frozenset()
    jwks_uri: str = ""
    token_end_point: str = ""
    ssh_host_keys: str = ""
    public_key: tuple[str, str] | None = None
    notes: tuple[str, ...] = field(default=())
    shapes: frozenset[Shape] = frozenset()

    def receives(self, role: Role, resource_type: str) -> bool:
        """Tell whether the peer lists `role` for `resource_type`, or for files where it does not know that type."""
        named = [offer for offer in self.resource_types if offer.name == resource_type]
        others = [offer for offer in self.resource_types if offer.name == "file"]
        return any(role in offer.protocols for offer in named or others)

    def webdav_path(self, resource_type: str = "file") -> str | None:
        """Return the `webdav` path of `resource_type`, else of any type, else None (ACC-1)."""
        named = [offer for offer in self.resource_types if offer.name == resource_type]
        for offer in (*named, *self.resource_types):
            if Role.WEBDAV in offer.protocols:
                return offer.protocols[Role.WEBDAV]
        return None


class Scheme(StrEnum):
    """How messages are signed (SIG-9): by RFC 9421, or by the draft before it."""

    RFC9421 = "rfc9421"
    CAVAGE = "cavage"


class Trust(StrEnum):
    """What the operator decided about a peer."""

    UNKNOWN = "unknown"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What we remember of one provider (DESIGN 8).

    Attributes:
        discovery: the last good document, fetched at `discovered_at` (seconds since the epoch).
        jwks: the last good key set as JSON text, fetched at `keys_at`.
        has_signed_to_us: a valid signature was seen; unsigned messages are refused from then on.
        we_signed_to: we have signed to it; we never go back to unsigned (SIG-9).
        scheme: how we last signed to it, or None.
        payload: the form of a share that it took, after another was refused; None until then.
        first_seen, last_seen: when it was first and last asked or heard (roughly, see `peers.records`).
        trust: what the operator decided about it.
        failures: consecutive failures; `quiet_until` is when we may call again.
        failed_at, failure: when it last failed us, and how, in a sentence; 0 and empty if it never did.
        kept_until: when the record may be forgotten, or None: never, because a signature went one way or the other.
    """

    host: Host
    discovery: Discovery | None = None
    discovered_at: float = 0.0
    jwks: str | None = None
    keys_at: float = 0.0
    has_signed_to_us: bool = False
    we_signed_to: bool = False
    scheme: Scheme | None = None
    payload: Payload | None = None
    trust: Trust = Trust.UNKNOWN
    first_seen: float = 0.0
    last_seen: float = 0.0
    failures: int = 0
    quiet_until: float = 0.0
    failed_at: float = 0.0
    failure: str = ""
    kept_until: float | None = None

    @property
    def is_stranger(self) -> bool:
        """Whether nothing is known of it that must not be forgotten: a signature either way, or the operator's word."""
        return not (self.has_signed_to_us or self.we_signed_to or self.trust is not Trust.UNKNOWN)

    @property
    def has_documents(self) -> bool:
        """Whether there is anything large in the record; all of it can be fetched again."""
        return self.discovery is not None or self.jwks is not None
