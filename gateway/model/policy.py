"""Who may do what: every rule that decides on a stranger, as a pure function (DESIGN 6 to 8; SIG-3, SIG-7, SHARE-6).

Facts go in, `Allow` or `Deny` comes out; nothing here asks the store or the network. A `Deny` is false and carries
what the stranger may be told. What discovery advertises as our criteria comes from the same `PeerRules` that are
enforced here, so the two cannot part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, OcmAddress, parse_address, without_port
from gateway.model.contact import Contact
from gateway.model.peer import AnyPeer, Discovery, Peer, VerifiedPeer
from gateway.model.share import Permission, Requirement

SIGNATURE_MISSING = "signature-missing"
EXCHANGE_TOKEN = "exchange-token"  # noqa: S105 - the draft's word, not a secret
ENFORCE_MFA = "enforce-mfa"
HTTP_SIG = "http-sig"

# What each WebDAV method needs; a method that is not here is not known to any door (DESIGN 6).
PERMISSION_OF_METHOD: Mapping[str, Permission] = {
    "OPTIONS": Permission.READ,
    "GET": Permission.READ,
    "HEAD": Permission.READ,
    "PROPFIND": Permission.READ,
    "PUT": Permission.WRITE,
    "DELETE": Permission.WRITE,
    "MKCOL": Permission.WRITE,
    "MOVE": Permission.WRITE,
    "COPY": Permission.WRITE,
    "PROPPATCH": Permission.WRITE,
    "LOCK": Permission.WRITE,
    "UNLOCK": Permission.WRITE,
}


@dataclass(frozen=True, slots=True)
class Allow:
    """Go ahead."""

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Deny:
    """No, and why: the meaning, a sentence fit for strangers, and a word for machines (by default the kind's own)."""

    kind: Kind
    public: str
    code: str = ""

    def __bool__(self) -> Literal[False]:
        return False

    def error(self) -> GatewayError:
        """Return the refusal as an error to raise."""
        return GatewayError(self.kind, self.public, code=self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was decided about single servers while the gateway runs.

    Attributes:
        allowed, blocked: hosts about which the operator decided (`ocm-gateway peers allow`, `block`).
        members: the hosts that the configured directories list; None as long as no directory could be read.
        is_known: whether the decisions have been read at all; until then nobody is spoken with.
    """

    allowed: frozenset[Host] = frozenset()
    blocked: frozenset[Host] = frozenset()
    members: frozenset[Host] | None = None
    is_known: bool = True


NOTHING_DECIDED = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRules:
    """What the operator demands of peers.

    `allow` and `deny` hold hosts in normal form and patterns such as `*.example.org`, which mean every host below that
    name but not the name itself. `deny` goes before `allow`, however exact either is; an empty `allow` means everybody.
    In `deny` a host without a port is denied on every port; in `allow` it is the host on the default port.

    Attributes:
        must_invite: shares are only between people who accepted an invitation (INV-4).
        by_directory: beside `allow`, the servers that the directories list are allowed, and no others (DIR-2).
        standing: tells what has been decided by now; asked at each decision.
    """

    must_sign: bool = False
    must_exchange_token: bool = False
    must_invite: bool = False
    by_directory: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    standing: Callable[[], Standing] = lambda: NOTHING_DECIDED

    @property
    def criteria(self) -> frozenset[str]:
        """The rules in the words of discovery (DISC-5)."""
        words = {
            "must-use-http-sig": self.must_sign,
            "must-exchange-token": self.must_exchange_token,
            "must-invite": self.must_invite,
            "allowlist": bool(self.allow) or self.by_directory,
            "denylist": bool(self.deny) or bool(self.standing().blocked),
        }
        return frozenset(word for word, is_so in words.items() if is_so)


def may_contact(host: Host, rules: PeerRules) -> Allow | Deny:
    """Decide whether we speak with `host` at all, before anything is fetched from it (DISC-8)."""
    standing = rules.standing()
    if not standing.is_known:
        return Deny(Kind.UNAVAILABLE, "Who is allowed here cannot be known now. Try again later.")
    spellings = (host, without_port(host))
    is_denied = any(_matches(spelling, pattern) for pattern in rules.deny for spelling in spellings)
    if is_denied or not standing.blocked.isdisjoint(spellings):
        return Deny(Kind.FORBIDDEN, f"{host} is not allowed here.", code="peer-denied")
    is_open = not rules.allow and not rules.by_directory
    if is_open or host in standing.allowed or any(_matches(host, pattern) for pattern in rules.allow):
        return Allow()
    if rules.by_directory and standing.members is None:
        public = "The list of the servers allowed here cannot be had now. Try again later."
        return Deny(Kind.UNAVAILABLE, public, code="directory-unavailable")
    if rules.by_directory and host in (standing.members or ()):
        return Allow()
    return Deny(Kind.FORBIDDEN, f"{host} is not among the servers allowed here.", code="peer-not-allowed")


def is_listed_by_name(host: Host, rules: PeerRules) -> bool:
    """Tell whether the operator allowed this host expressly, not just everybody or every host below a name."""
    is_named = host in rules.allow or host in rules.standing().allowed
    return is_named and bool(may_contact(host, rules))


def may_accept_unsigned(peer: Peer | None, rules: PeerRules) -> Allow | Deny:
    """Decide whether an unsigned message of this peer is heard (SIG-3).

    Args:
        peer: what we know of it, or None if we have never met. A draft-cavage key alone demands no signature.
    """
    if rules.must_sign:
        return Deny(Kind.UNAUTHENTICATED, "Messages have to be signed here.", code=SIGNATURE_MISSING)
    if peer is None:
        return Allow()
    if peer.has_signed_to_us:
        public = f"{peer.host} has signed before, so its messages have to be signed."
        return Deny(Kind.UNAUTHENTICATED, public, code=SIGNATURE_MISSING)
    if peer.jwks is not None and peer.discovery is not None and HTTP_SIG in peer.discovery.capabilities:
        public = f"{peer.host} publishes keys for signatures, so its messages have to be signed."
        return Deny(Kind.UNAUTHENTICATED, public, code=SIGNATURE_MISSING)
    return Allow()


def may_receive_share(peer: AnyPeer, owner: OcmAddress, sender: OcmAddress, rules: PeerRules) -> Allow | Deny:
    """Decide whether a share of this owner and sender may come from this peer (SIG-7, SHARE-8).

    Whether an unsigned peer had to sign is decided by `may_accept_unsigned`, which knows its record.
    """
    if owner.host != sender.host:
        return Deny(Kind.FORBIDDEN, "Owner and sender of a share have to be at one server.", code="foreign-owner")
    if isinstance(peer, VerifiedPeer):
        if peer.host != owner.host:
            return Deny(Kind.FORBIDDEN, f"{peer.host} cannot share for {owner.host}.", code="foreign-signer")
    elif rules.must_sign:
        return Deny(Kind.UNAUTHENTICATED, "Messages have to be signed here.", code=SIGNATURE_MISSING)
    elif peer.claimed_host != owner.host:
        return Deny(Kind.UNAUTHENTICATED, "This share does not say which server it comes from.", code="no-sender")
    return may_contact(owner.host, rules)


def may_open_by_secret(requirements: AbstractSet[Requirement], rules: PeerRules) -> Allow | Deny:
    """Decide whether a share that comes in may be one that its bare secret opens (SHARE-6, DISC-5).

    Args:
        requirements: what the share itself demands of us.
    """
    if not rules.must_exchange_token or Requirement.MUST_EXCHANGE_TOKEN in requirements:
        return Allow()
    public = f"Only shares that require {_EXCHANGE_CRITERION} are taken here."
    return Deny(Kind.INVALID, public, code="exchange-not-required")


def may_share_between(contact: Contact | None, rules: PeerRules) -> Allow | Deny:
    """Decide whether a share may pass between a local user and somebody elsewhere (INV-4, SHARE-8).

    Args:
        contact: what the local user's address book says of the other one.
    """
    if not rules.must_invite or (contact is not None and contact.is_agreed):
        return Allow()
    public = "Shares are only between people who know each other here: one has to accept an invitation of the other."
    return Deny(Kind.FORBIDDEN, public, code="no-invite")


def plan_requirements(
    discovery: Discovery, *, must_exchange_token: bool, must_use_mfa: bool = False
) -> frozenset[Requirement] | Deny:
    """Return what a new share has to require of its recipient's server, or why that server cannot have it (SHARE-6).

    Args:
        must_exchange_token, must_use_mfa: what we demand; the server's own criteria are added to it.
    """
    # A server that demands the exchange can do it, whether or not it says so.
    can_exchange = _EXCHANGE_CRITERION in discovery.criteria or EXCHANGE_TOKEN in discovery.capabilities
    if must_exchange_token and not can_exchange:
        public = "Shares from here open only with exchanged tokens, which the recipient's server does not know."
        return Deny(Kind.CONFLICT, public, code="peer-cannot-exchange-token")
    if must_use_mfa and ENFORCE_MFA not in discovery.capabilities:
        public = "This share needs a second factor, which the recipient's server does not promise to ask for."
        return Deny(Kind.CONFLICT, public, code="peer-cannot-enforce-mfa")
    planned = {
        Requirement.MUST_EXCHANGE_TOKEN: must_exchange_token or _EXCHANGE_CRITERION in discovery.criteria,
        Requirement.MUST_USE_MFA: must_use_mfa,
    }
    return frozenset(requirement for requirement, is_so in planned.items() if is_so)


def may_use(permissions: AbstractSet[Permission], method: str) -> Allow | Deny:
    """Decide whether a grant with these permissions allows a WebDAV method (ACC-6).

    `write` implies `read`, and a grant that names no permission is to be read.
    """
    needed = PERMISSION_OF_METHOD.get(method)
    if needed is None:
        return Deny(Kind.NOT_ALLOWED, "This method is not supported here.", code="method-not-allowed")
    granted = permissions or {Permission.READ}
    if needed in granted or (needed is Permission.READ and Permission.WRITE in granted):
        return Allow()
    return Deny(Kind.FORBIDDEN, f"This share does not allow to {needed.value}.", code="permission-missing")


def recipient_names(share_with: str, authority: Host) -> tuple[str, ...]:
    """Return the local identifiers that an incoming `shareWith` may mean, the first match counting (DESIGN 7).

    It is taken as received first, since an identifier may hold an `@`; then, if it names our host, without that.
    """
    try:
        address = parse_address(share_with)
    except GatewayError:
        return (share_with,)
    return (share_with, address.identifier) if address.host == authority else (share_with,)


def match_identifier(claimed_identifier: str, identifiers: Iterable[str]) -> str | None:
    """Return the identifier that is meant: the exact one, else the only one that differs in case alone, else None."""
    folded = claimed_identifier.casefold()
    alike = {identifier for identifier in identifiers if identifier.casefold() == folded}
    if claimed_identifier in alike:
        return claimed_identifier
    return alike.pop() if len(alike) == 1 else None


_EXCHANGE_CRITERION = Requirement.MUST_EXCHANGE_TOKEN.value


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
