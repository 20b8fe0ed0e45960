"""A strict OCM provider for tests, written from the drafts and not from our own parser.

    async with FakePeer.running() as peer:
        peer.host, peer.url                  # "localhost:PORT", "http://localhost:PORT"
        peer.discovery["capabilities"] = []  # what it says of itself; the member `jwks` is its key set
        peer.replies["/ocm/shares"] = Reply(503, headers={"Retry-After": "7"})  # or a function of what it received
        await peer.trust_gateway("http://localhost:8080")   # from now on it refuses what is not signed by that gateway
        await peer.post_signed("http://localhost:8080/ocm/shares", {...}, created=0)
        peer.at("/ocm/shares")               # what it has received there, each with `.json` and `.signature`

It checks our signatures with structured-field parsing and `cryptography` alone: none of the gateway's code is used.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl

import aiohttp
import http_sf
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from yarl import URL

DISCOVERY_PATHS = ("/.well-known/ocm", "/ocm-provider/")
JWKS_PATH = "/jwks"
JWKS_WELL_KNOWN = "/.well-known/jwks.json"
REQUIRED = ("@method", "@target-uri", "content-digest", "content-length")
MAX_AGE_SECONDS = 300


@dataclass
class Reply:
    """What the peer answers at a path, instead of what it would.

    `is_silent` never answers, `is_endless` never stops answering, `is_cut` drops the connection, `delay` is the time in
    seconds that it takes.
    """

    status: int = 200
    body: object = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_silent: bool = False
    is_endless: bool = False
    is_cut: bool = False
    delay: float = 0.0

    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass
class Signature:
    """The OCM signature of a request that the peer received."""

    components: tuple[str, ...]
    parameters: dict[str, object]
    refusal: str = ""  # why it does not hold; empty if it holds, or if the peer trusts nobody yet


@dataclass
class Received:
    """A request that the peer received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    signature: Signature | None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))


@dataclass
class Answered:
    """What somebody answered to a request of the peer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self):
        return json.loads(self.text)


class FakePeer:
    """See the head of this module. Make it with `running`."""

    def __init__(self, url: str):
        self.url = url
        self.host = url.partition("://")[2]
        self.received: list[Received] = []
        self.replies: dict[str, Reply] = {}
        self.trusted: dict[str, dict] | None = None
        self._closing = asyncio.Event()
        self._private = Ed25519PrivateKey.generate()
        self.key_id = f"{url}/ocm#key1"
        self.jwks = {"keys": [self.jwk()]}
        self.discovery = {
            "enabled": True,
            "apiVersion": "1.2.0",
            "endPoint": f"{url}/ocm",
            "provider": "fake peer",
            "resourceTypes": [{"name": "file", "shareTypes": ["user"], "protocols": {"webdav": "/dav/"}}],
            "capabilities": ["http-sig", "notifications", "exchange-token"],
            "jwksUri": f"{url}{JWKS_PATH}",
            "tokenEndPoint": f"{url}/ocm/token",
        }

    @classmethod
    @asynccontextmanager
    async def running(cls, name: str = "localhost", *, tls=None):
        """Run a peer at a port of the system's choice; with `tls` (a server's SSLContext) it speaks https."""
        listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        peer = cls(f"{scheme}://{name}:{listener.getsockname()[1]}")
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", peer._serve)
        runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, listener, ssl_context=tls).start()
            yield peer
        finally:
            peer._closing.set()
            await runner.cleanup()

    # What it has, and what it has heard.

    def jwk(self, **changes) -> dict:
        """Return its public key as a JWK."""
        x = base64.urlsafe_b64encode(self._private.public_key().public_bytes_raw()).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": self.key_id, "x": x} | changes

    def new_key(self, name: str) -> None:
        """Sign with a new key from now on, and publish only that."""
        self._private = Ed25519PrivateKey.generate()
        self.key_id = f"{self.url}/ocm#{name}"
        self.jwks = {"keys": [self.jwk()]}

    def at(self, path: str) -> list[Received]:
        """Return the requests received at a path."""
        return [request for request in self.received if request.target.partition("?")[0] == path]

    def trust(self, jwks: dict) -> None:
        """Refuse, from now on, messages that none of these keys has signed."""
        self.trusted = {jwk["kid"]: jwk for jwk in jwks["keys"]}

    async def trust_gateway(self, url: str) -> None:
        """Discover a gateway, and trust the keys that it announces."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/.well-known/ocm", raise_for_status=True) as response:
                document = await response.json()
            async with session.get(document["jwksUri"], raise_for_status=True) as response:
                self.trust(await response.json())

    # What it says.

    async def post_signed(self, url: str, document: object, **faults) -> Answered:
        """Post a signed JSON document (or bytes); `faults` as for `sign`."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.post(url, body, headers=self.sign("POST", url, body, **faults))

    async def post(self, url: str, document: object, *, headers=None) -> Answered:
        """Post a JSON document (or bytes) as it is, without a signature of its own making."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"Content-Type": "application/json"} | (headers or {})
        async with (
            aiohttp.ClientSession() as session,
            session.post(URL(url, encoded=True), data=body, headers=headers, allow_redirects=False) as response,
        ):
            return Answered(response.status, dict(response.headers), await response.text())

    def sign(
        self,
        method: str,
        url: str,
        body: bytes,
        *,
        components=(*REQUIRED, "date"),
        created=None,
        key_id=None,
        label="ocm",
        tag="ocm",
        nonce=None,
        alg=None,
        signed_url=None,
        signed_body=None,
        date=None,
        signature=None,
    ) -> dict[str, str]:
        """Return the header fields of a signed request.

        Each argument by its name departs from a correct signature: other `components`, another time, `tag=None`,
        a signature made for `signed_url` or `signed_body` but sent with another, other `signature` bytes.
        """
        signed = body if signed_body is None else signed_body
        values = {
            "@method": method,
            "@target-uri": signed_url or url,
            "content-digest": f"sha-256=:{base64.b64encode(hashlib.sha256(signed).digest()).decode()}:",
            "content-length": str(len(body)),
            "date": date or formatdate(time.time(), usegmt=True),
        }
        parameters = {
            "created": int(time.time()) if created is None else created,
            "keyid": key_id or self.key_id,
            "alg": alg,
            "nonce": nonce or secrets.token_urlsafe(12),
            "tag": tag,
        }
        head = _signature_params(components, {name: value for name, value in parameters.items() if value is not None})
        made = self._private.sign(_base(components, values, head)) if signature is None else signature
        return {
            "Content-Digest": values["content-digest"],
            "Date": values["date"],
            "Signature-Input": f"{label}={head}",
            "Signature": f"{label}=:{base64.b64encode(made).decode()}:",
        }

    # What it answers.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        received = Received(
            request.method, request.raw_path, dict(request.headers), body, self._signature_of(request, body)
        )
        self.received.append(received)
        reply = self.replies.get(request.path)
        if callable(reply):
            reply = reply(received)
        if reply is None:
            return self._answer(received, request.path)
        return await self._reply(request, reply)

    async def _reply(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.is_silent:
            await self._closing.wait()
        await asyncio.sleep(reply.delay)
        if reply.is_cut and request.transport is not None:
            request.transport.close()
        if reply.is_endless:
            return await self._flood(request)
        headers = {"Content-Type": "application/json"} | reply.headers
        return web.Response(status=reply.status, body=reply.payload(), headers=headers)

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not self._closing.is_set():
            await response.write(b" " * 65536)
        return response

    def _answer(self, received: Received, path: str) -> web.Response:
        match received.method, path:
            case "GET", "/.well-known/ocm" | "/ocm-provider/":
                return web.json_response(self.discovery)
            case "GET", "/jwks" | "/.well-known/jwks.json":
                return web.json_response(self.jwks)
            case "POST", "/ocm/shares" | "/ocm/notifications" | "/ocm/token":
                return self._take(received, path)
        return web.json_response({"message": "not found"}, status=404)

    def _take(self, received: Received, path: str) -> web.Response:
        refusal = self._refusal(received)
        is_token = path.endswith("/token")
        if refusal and is_token:
            return web.json_response({"error": "invalid_client"}, status=400)
        if refusal:
            return web.json_response({"message": refusal}, status=401)
        if is_token:
            return web.json_response({"access_token": "token", "token_type": "Bearer", "expires_in": 600})
        return web.json_response({"recipientDisplayName": "Marie Curie"}, status=201)

    def _refusal(self, received: Received) -> str:
        if received.signature is None:
            return "" if self.trusted is None else "unsigned"
        return received.signature.refusal

    def _signature_of(self, request: web.Request, body: bytes) -> Signature | None:
        if "Signature-Input" not in request.headers:
            return None
        text = request.headers["Signature-Input"]
        inputs = http_sf.parse(text.encode(), tltype="dictionary")
        tagged = [label for label, (_, parameters) in inputs.items() if parameters.get("tag") == "ocm"]
        if tagged != list(inputs):
            return Signature((), {}, "not exactly one signature, tagged ocm")
        items, parameters = inputs[tagged[0]]
        components = tuple(name for name, _ in items)
        signature = Signature(components, parameters)
        made = http_sf.parse(request.headers["Signature"].encode(), tltype="dictionary")[tagged[0]][0]
        head = text.removeprefix(f"{tagged[0]}=")
        signature.refusal = self._fault(request, body, signature) or self._mismatch(request, signature, head, made)
        return signature

    def _fault(self, request: web.Request, body: bytes, signature: Signature) -> str:
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        checks = {
            "component missing": set(REQUIRED) <= set(signature.components),
            "digest mismatch": request.headers.get("Content-Digest") == digest,
            "length mismatch": request.headers.get("Content-Length") == str(len(body)),
            "too old": abs(time.time() - int(signature.parameters.get("created", 0))) <= MAX_AGE_SECONDS,
            "alg stated": "alg" not in signature.parameters,
            "no nonce": bool(signature.parameters.get("nonce")),
            "unknown key": self.trusted is None or signature.parameters.get("keyid") in self.trusted,
        }
        return next((name for name, is_fine in checks.items() if not is_fine), "")

    def _mismatch(self, request: web.Request, signature: Signature, head: str, made: bytes) -> str:
        if self.trusted is None:
            return ""
        fields = {name.lower(): value.strip() for name, value in request.headers.items()}
        values = fields | {"@method": request.method, "@target-uri": self.url + request.raw_path}
        jwk = self.trusted[signature.parameters["keyid"]]
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "=="))
        try:
            public.verify(made, _base(signature.components, values, head))
        except InvalidSignature:
            return "invalid signature"
        return ""


def _base(components, values, head) -> bytes:
    lines = [f'"{name}": {values[name]}' for name in components]
    return "\n".join([*lines, f'"@signature-params": {head}']).encode()


def _signature_params(components, parameters) -> str:
    names = " ".join(f'"{name}"' for name in components)
    shown = (f";{name}={value if isinstance(value, int) else json.dumps(value)}" for name, value in parameters.items())
    return f"({names}){''.join(shown)}"
