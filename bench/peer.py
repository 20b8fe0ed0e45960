"""Another provider, as far as a run needs one: it publishes a key, takes shares, exchanges secrets, and signs.

It speaks for itself, with `cryptography` alone, so that what it sends is not made by what is measured. Signatures
follow RFC 9421 in the form of the OCM draft: four components, parameters `created`, `keyid`, `nonce` and `tag`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.openssh import Key, Login
from bench.place import USER
from bench.process import BenchError, Server

WAIT_SECONDS = 10.0
TIMEOUT_SECONDS = 20.0
_COMPONENTS = ("@method", "@target-uri", "content-digest", "content-length")


class Peer:
    """The provider at `host`; make it with `running`."""

    def __init__(self, port: int, key: Key | None) -> None:
        self.host = f"localhost:{port}"
        self._url = f"http://{self.host}"
        self._key = Ed25519PrivateKey.generate()
        self._key_id = f"{self._url}/ocm#bench"
        self._ssh_key = key
        self._shares: dict[str, dict[str, Any]] = {}
        self._arrived = threading.Condition()

    @classmethod
    @contextlib.contextmanager
    def running(cls, key: Key | None = None) -> Iterator[Peer]:
        """Run the provider in a thread of this process; with a key its users take shares over SSH too."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.peer = peer = cls(server.server_address[1], key)  # type: ignore[attr-defined] # read by the handler
        thread = threading.Thread(target=server.serve_forever, name="peer", daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def documents(self) -> dict[str, object]:
        """What it answers to GET, by path."""
        public = _base64url(self._key.public_key().public_bytes_raw())
        jwk = {"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": self._key_id, "x": public}
        protocols = {"webdav": "/dav/"} | ({"ssh-receive": {}} if self._ssh_key else {})
        discovery = {
            "enabled": True,
            "apiVersion": "1.3.0",
            "endPoint": f"{self._url}/ocm",
            "provider": "bench",
            "resourceTypes": [{"name": "file", "shareTypes": ["user"], "protocols": protocols}],
            "capabilities": ["http-sig", "notifications", "exchange-token"],
            "jwksUri": f"{self._url}/jwks",
            "tokenEndPoint": f"{self._url}/ocm/token",
        }
        keys = {"keys": [jwk]}
        return {"/.well-known/ocm": discovery, "/jwks": keys, "/.well-known/jwks.json": keys}

    def take(self, document: dict[str, Any]) -> dict[str, object]:
        """Take a share that a gateway sends; return the answer."""
        with self._arrived:
            self._shares[str(document["providerId"])] = document["protocol"]
            self._arrived.notify_all()
        keys = {"recipientPublicKeys": [self._ssh_key.line]} if self._ssh_key else {}
        return {"recipientDisplayName": "Bob", **keys}

    def token(self, gateway: Server, share: str) -> str:
        """Exchange the secret of a share that has arrived for an access token."""
        code = self._offer(share)["webdav"]["sharedSecret"]
        form = {"grant_type": "authorization_code", "client_id": self.host, "code": code}
        answer = self.post(gateway, "/ocm/token", urllib.parse.urlencode(form).encode(), _FORM)
        return str(json.loads(answer)["access_token"])

    def login(self, share: str) -> Login:
        """Return how a share that has arrived is opened over SSH."""
        assert self._ssh_key is not None
        found = urllib.parse.urlsplit(f"ssh://{self._offer(share)['ssh']['uri']}")
        return Login(found.port or 22, found.username or "", self._ssh_key, found.path or "/")

    def _offer(self, share: str) -> dict[str, Any]:
        with self._arrived:
            if not self._arrived.wait_for(lambda: share in self._shares, WAIT_SECONDS):
                raise BenchError("the share did not arrive")
            return self._shares[share]

    def post(self, gateway: Server, path: str, body: bytes, content_type: str) -> bytes:
        """Send a signed message and return the body of the answer."""
        request = urllib.request.Request(
            f"http://localhost:{gateway.ports['http']}{path}",
            body,
            {"Content-Type": content_type, **self.sign(gateway, path, body)},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise BenchError(f"{path} answered {error.code}: {error.read()!r}") from error

    def offer(self, gateway: Server, uri: str) -> None:
        """Share a folder at a WebDAV address, to be opened or copied."""
        document = self._new_share(gateway)
        webdav = document["protocol"]["webdav"]
        webdav.update(uri=uri, accessTypes=["remote", "datatx"])
        document["resourceType"] = "folder"
        self.post(gateway, "/ocm/shares", json.dumps(document).encode(), "application/json")

    def share_message(self, gateway: Server) -> bytes:
        """Return a whole HTTP request that announces one new share, signed."""
        return self.raw_post(gateway, "/ocm/shares", json.dumps(self._new_share(gateway)).encode())

    def raw_post(self, gateway: Server, path: str, body: bytes) -> bytes:
        """Return a signed request as bytes for a connection that is kept."""
        fields = {
            "Host": f"localhost:{gateway.ports['http']}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self.sign(gateway, path, body),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    def sign(self, gateway: Server, path: str, body: bytes) -> dict[str, str]:
        """Return the fields that sign a POST."""
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        target = f"http://localhost:{gateway.ports['http']}{path}"
        covered = dict(zip(_COMPONENTS, ("POST", target, digest, str(len(body))), strict=True))
        names = " ".join(f'"{name}"' for name in covered)
        nonce = secrets.token_urlsafe(12)
        parameters = f'({names});created={int(time.time())};keyid="{self._key_id}";nonce="{nonce}";tag="ocm"'
        lines = [f'"{name}": {value}' for name, value in covered.items()]
        base = "\n".join([*lines, f'"@signature-params": {parameters}']).encode()
        signature = base64.b64encode(self._key.sign(base)).decode()
        return {"Content-Digest": digest, "Signature-Input": f"ocm={parameters}", "Signature": f"ocm=:{signature}:"}

    def _new_share(self, gateway: Server) -> dict[str, Any]:
        sender = f"einstein@{self.host}"
        return {
            "shareWith": f"{USER}@localhost:{gateway.ports['http']}",
            "name": "spec.yaml",
            "providerId": secrets.token_hex(16),
            "owner": sender,
            "sender": sender,
            "ownerDisplayName": "Albert Einstein",
            "senderDisplayName": "Albert Einstein",
            "shareType": "user",
            "resourceType": "file",
            "protocol": {
                "name": "multi",
                "webdav": {
                    "uri": f"{self._url}/dav/spec.yaml",
                    "sharedSecret": secrets.token_urlsafe(24),
                    "permissions": ["read", "write"],
                },
            },
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer what others ask of a provider."""
        document = self._peer.documents.get(self.path)
        self._answer(200 if document else 404, document or {})

    def do_POST(self) -> None:
        """Take shares; what else is told is heard and forgotten."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer(201, self._peer.take(json.loads(body)) if self.path == "/ocm/shares" else {})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""

    @property
    def _peer(self) -> Peer:
        peer: Peer = self.server.peer  # type: ignore[attr-defined] # set by `running`
        return peer

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_FORM = "application/x-www-form-urlencoded"


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
