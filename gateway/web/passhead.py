"""Which fields pass through to the service and back (RFC 9110, 7.6), byte for byte and in their order.

What belongs to one connection stays on it. What names the client is said anew, by us alone: a claim of the client,
in any spelling that a service might read as such, is dropped. Our log-in cookie stays here, and a cookie of that name
from the service does not reach browsers. All else, known or not, passes as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

from aiohttp import HttpVersion11, web

from gateway.errors import GatewayError, Kind
from gateway.web.passwire import AnswerHead, Fields, Framing
from gateway.web.status import AMBIGUOUS

# Fields of one hop (RFC 9110, 7.6.1); `HTTP2-Settings` would open a second protocol behind our back (RFC 7540, 3.2.1).
_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# What only a proxy that the service trusts may say; a client's own word on it never passes (ANCHORS 1.6).
_CLAIMS = (
    b"forwarded",
    b"x-forwarded-",
    b"x-real-ip",
    b"remote-user",
    b"x-gateway-authorization",
    b"x-ssl-",
    b"x-voms-",
)
# A client may name these in `Connection`; without them the request would be another one.
_NEVER_NOMINATED = frozenset({b"host", b"content-length", b"authorization", b"cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What this hop says of itself.

    Attributes:
        host, scheme: how the outside names it.
        cookie: the name of our own cookie.
        has_via: whether requests tell that they came through here.
    """

    host: str
    scheme: str
    cookie: str
    has_via: bool

    def request_fields(self, request: web.Request, upgrade: str | None) -> list[tuple[bytes, bytes]]:
        """Return the fields for the service, without those that frame the body."""
        has_length = b"transfer-encoding" not in {name.lower() for name, _ in request.raw_headers}
        fields = [
            (name, value)
            for name, value in _end_to_end(request.raw_headers)
            if not name.lower().replace(b"_", b"-").startswith(_CLAIMS)
            and (has_length or name.lower() != b"content-length")
        ]
        fields = [pair for name, value in fields if (pair := self._without_ours(name, value)) is not None]
        if request.version < HttpVersion11:
            fields = [(name, value) for name, value in fields if name.lower() != b"expect"]
        if "Host" not in request.headers:
            fields.insert(0, (b"Host", self.host.encode()))
        if upgrade is not None:
            fields += [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade.encode())]
        return [*fields, *self._said_anew(request)]

    def answer_fields(self, head: AnswerHead, framing: Framing) -> list[tuple[bytes, bytes]]:
        """Return the fields for the client, without those that frame the body."""
        mine = self.cookie.encode() + b"="
        fields = [
            (name, value)
            for name, value in _end_to_end(head.fields)
            if not (name.lower() == b"set-cookie" and value.startswith(mine)) and name.lower() != b"content-length"
        ]
        lengths = head.all(b"content-length")
        if lengths and not framing.is_chunked and head.status not in _BODYLESS:
            fields.append((b"Content-Length", lengths[0]))
        if not head.all(b"date"):
            # RFC 9110, 6.6.1 asks this of whoever passes an answer on.
            fields.append((b"Date", formatdate(usegmt=True).encode()))
        return fields

    def check_loop(self, request: web.Request) -> None:
        """Refuse a request that has been here before.

        Raises:
            GatewayError: `UNAVAILABLE`.
        """
        for member in ",".join(request.headers.getall("Via", [])).split(","):
            if member.split()[1:2] == [self.host]:
                raise GatewayError(
                    Kind.UNAVAILABLE,
                    "This gateway sends such requests to itself.",
                    log="passthrough.url leads back to this gateway",
                )

    def _without_ours(self, name: bytes, value: bytes) -> tuple[bytes, bytes] | None:
        mine = self.cookie.encode()
        if name.lower() != b"cookie" or mine not in value:
            return name, value
        kept = [part for part in value.split(b";") if part.partition(b"=")[0].strip() != mine]
        return (name, b";".join(kept).strip()) if kept else None

    def _said_anew(self, request: web.Request) -> Fields:
        client = request.remote or "unknown"
        node = f'"[{client}]"' if ":" in client else client
        host = f'"{self.host}"' if ":" in self.host else self.host
        said = {
            "Forwarded": f"for={node};host={host};proto={self.scheme}",
            "X-Forwarded-For": client,
            "X-Forwarded-Host": self.host,
            "X-Forwarded-Proto": self.scheme,
            "X-Real-IP": client,
        }
        if self.has_via:
            said["Via"] = f"{request.version.major}.{request.version.minor} {self.host}"
        return tuple((name.encode(), value.encode()) for name, value in said.items())


_BODYLESS = (204,)


def upgrade_of(request: web.Request) -> str | None:
    """Return the protocol to which a request would switch its connection, or None.

    Only a single protocol, on a GET without a body, is passed on; never another HTTP or TLS, whose requests nobody
    here would see.
    """
    tokens = {token.strip().lower() for value in request.headers.getall("Connection", []) for token in value.split(",")}
    wanted = request.headers.getall("Upgrade", [])
    if "upgrade" not in tokens or len(wanted) != 1 or request.method != "GET" or request.version != HttpVersion11:
        return None
    name = wanted[0].strip()
    plain = name.replace("-", "").replace("/", "").replace(".", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum()) or name.lower().startswith(("h2", "h3", "http", "tls")):
        return None
    return None if request.can_read_body else name


def loses_what_follows(request: web.Request) -> bool:
    """Tell whether the server below stops reading behind this request, as it does for protocols it does not know."""
    return any(value.strip().lower() != "websocket" for value in request.headers.getall("Upgrade", []))


def request_framing(request: web.Request) -> Framing:
    """Return how the body of a request ends; `length=0` if it has none.

    Raises:
        GatewayError: `INVALID` for a coding that this hop would have to undo.
    """
    codings = [value.strip().lower() for value in request.headers.getall("Transfer-Encoding", [])]
    if codings and (codings != ["chunked"] or request.version < HttpVersion11 or "Content-Length" in request.headers):
        raise GatewayError(Kind.INVALID, "The end of this request's body is unclear.", code=AMBIGUOUS)
    return Framing(is_chunked=True) if codings else Framing(length=request.content_length or 0)


def _end_to_end(fields: Fields) -> list[tuple[bytes, bytes]]:
    named = {
        token.strip().lower() for name, value in fields if name.lower() == b"connection" for token in value.split(b",")
    }
    dropped = _HOP | (named - _NEVER_NOMINATED)
    return [(name, value) for name, value in fields if name.lower() not in dropped]
