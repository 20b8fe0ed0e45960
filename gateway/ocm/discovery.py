"""The discovery document: a peer's read tolerantly, ours written strictly (DISC-1 to DISC-5).

Reading maps every alias to the draft's words and never trusts a type. Writing says what this gateway is configured to
do, in one of three forms: whole as the draft has it, or cut to what older readers survive (DESIGN 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import GatewayError, Kind
from gateway.model.address import host_of_url
from gateway.model.peer import Discovery, ResourceOffer, Role
from gateway.model.resource import EntryKind
from gateway.ocm.dialects import aliases, documents
from gateway.ocm.fields import Fields

API_VERSION = "1.4.0"
URL_MAX_CHARS = 2048
_EXCHANGE_TOKEN = "exchange-token"  # noqa: S105 - the draft's word, not a secret


# Some peers look for the draft's `invites`, some for the name of the end point (`dialects.md` 3.10).
CAPABILITIES = frozenset(
    {_EXCHANGE_TOKEN, "http-sig", "invite-accepted", "invites", "notifications", "protocol-object"}
)


class Variant(StrEnum):
    """A form of our document."""

    FULL = "full"
    STRINGS = "strings"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryOffer:
    """What we say of ourselves.

    Attributes:
        public_url: our origin, without a trailing slash.
        prefix: the path of everything that is ours, with a leading slash.
        provider: a name for people.
        capabilities, criteria: the draft's words; what is said here is enforced elsewhere.
        ssh_address: the `host:port` of the SSH door, or None if there is none.
        receives_ssh: whether shares that are offered over SSH are used here.

    Raises:
        GatewayError: `CONFIGURATION` if the words contradict each other (DISC-4, DISC-5).
    """

    public_url: str
    prefix: str
    provider: str
    capabilities: frozenset[str] = CAPABILITIES
    criteria: frozenset[str] = frozenset()
    has_token_end_point: bool = True
    ssh_address: str | None = None
    receives_ssh: bool = False

    def __post_init__(self) -> None:
        """Refuse an offer that no peer could use."""
        if _EXCHANGE_TOKEN in self.capabilities and not self.has_token_end_point:
            raise GatewayError(Kind.CONFIGURATION, "Token exchange needs a token end point.")
        if "must-exchange-token" in self.criteria and _EXCHANGE_TOKEN not in self.capabilities:
            raise GatewayError(Kind.CONFIGURATION, "Demanding token exchange needs the capability for it.")


def parse(document: dict[str, object]) -> Discovery:
    """Return what a peer's document says.

    Raises:
        GatewayError: `INVALID`, with every fault, if it is none that can be used, or if it says that OCM is off and
            names no end point.
    """
    fields = Fields(document)
    enabled = fields.flag("enabled", default=True)
    if not enabled and not fields.members.get(fields.first_of(*aliases.END_POINT)):
        raise GatewayError(Kind.INVALID, "Open Cloud Mesh is switched off at this server.", code="ocm-off")
    discovery = Discovery(
        enabled=enabled,
        api_version=fields.text(fields.first_of("apiVersion", "version")),
        end_point=_end_point(fields),
        provider=fields.text("provider"),
        resource_types=tuple(_offer(entry) for entry in documents.resource_entries(fields)),
        capabilities=aliases.translated(fields.words("capabilities"), aliases.CAPABILITIES),
        criteria=aliases.translated(fields.words("criteria"), aliases.CRITERIA),
        jwks_uri=fields.text("jwksUri", max_chars=URL_MAX_CHARS),
        token_end_point=fields.text("tokenEndPoint", max_chars=URL_MAX_CHARS),
        ssh_host_keys=fields.text("sshHostKeys", max_chars=URL_MAX_CHARS),
        public_key=documents.public_key(fields),
        notes=tuple(_notes(fields)),
        shapes=documents.shapes(fields),
    )
    fields.check("This discovery document")
    return discovery


def render(
    offer: DiscoveryOffer, variant: Variant = Variant.FULL, *, public_key: tuple[str, str] | None = None
) -> dict[str, object]:
    """Return our document in one of its forms.

    Args:
        public_key: `(keyId, PEM)` of the RSA key for peers that know only the signatures before RFC 9421 (KEYS-3).
    """
    document = _full(offer)
    if public_key is not None:
        document["publicKey"] = {"keyId": public_key[0], "publicKeyPem": public_key[1]}
    if variant is Variant.FULL:
        return document
    narrowed = documents.with_strings_only(document)
    return narrowed if variant is Variant.STRINGS else documents.with_legacy_version(narrowed)


def webdav_path(prefix: str) -> str:
    """Return the path below which peers find what is shared with them, with a slash at both ends."""
    return f"{prefix}/dav/"


def _end_point(fields: Fields) -> str:
    name = fields.first_of(*aliases.END_POINT)
    return fields.read(name, _absolute_url, max_chars=URL_MAX_CHARS) or ""


def _absolute_url(text: str) -> str:
    try:
        host_of_url(text)
    except GatewayError as error:
        raise GatewayError(Kind.INVALID, "it is not an absolute URL") from error
    return text.rstrip("/")


def _offer(entry: Fields) -> ResourceOffer:
    protocols = entry.object("protocols")
    return ResourceOffer(
        name=entry.text("name", is_required=True),
        # ownCloud 10 names no share types; it takes shares for users only.
        share_types=entry.words("shareTypes") or ("user",),
        protocols={role: _role_value(value) for role, value in protocols.members.items()} if protocols else {},
    )


def _role_value(value: object) -> str:
    uri = value.get("uri") if isinstance(value, dict) else value
    return uri if isinstance(uri, str) else ""


def _notes(fields: Fields) -> list[str]:
    """Return, for people, what had to be tolerated."""
    named = fields.members.keys()
    oddities = {
        "It does not say whether it is enabled.": "enabled" not in named,
        "It does not say its version.": not {"apiVersion", "version"} & named,
        "Its resource types stand under shareTypes.": fields.first_of("resourceTypes", "shareTypes") == "shareTypes",
        "It names no resource types.": not {"resourceTypes", "shareTypes"} & named,
        "Its end point has an old spelling.": not fields.has(aliases.END_POINT[0]),
    }
    return [note for note, is_so in oddities.items() if is_so]


def _full(offer: DiscoveryOffer) -> dict[str, object]:
    base = offer.public_url + offer.prefix
    document: dict[str, object] = {
        "enabled": True,
        "apiVersion": API_VERSION,
        "endPoint": base,
        "provider": offer.provider,
        "resourceTypes": [_resource_type(kind, offer) for kind in (EntryKind.FILE, EntryKind.FOLDER)],
        "capabilities": sorted(offer.capabilities),
        "criteria": sorted(offer.criteria),
        "jwksUri": f"{base}/jwks",
    }
    if offer.has_token_end_point:
        document["tokenEndPoint"] = f"{base}/token"
    if offer.ssh_address is not None:
        document["sshHostKeys"] = f"{base}/ssh-host-keys"
    return document


def _resource_type(kind: EntryKind, offer: DiscoveryOffer) -> dict[str, object]:
    # We can use both forms of `uri`; an absolute one leaves nothing to interpretation.
    protocols: dict[str, object] = {
        Role.WEBDAV.value: webdav_path(offer.prefix),
        Role.WEBDAV_RECEIVE.value: {"uri": "absolute"},
    }
    if offer.ssh_address is not None:
        protocols[Role.SSH.value] = offer.ssh_address
    if offer.receives_ssh:
        protocols[Role.SSH_RECEIVE.value] = {}
    return {"name": kind.value, "shareTypes": ["user"], "protocols": protocols}
