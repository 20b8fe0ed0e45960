"""Signed messages made by hand, by the text of RFC 9421 and without the gateway's own signer.

A `Draft` is a correct OCM message; a test changes the one thing that it is about and sends it through the check.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.crypto import httpsig
from gateway.crypto.refusal import Reason, SignatureError

NOW = 1_785_060_500
KEY_ID = "sender.example.org#key1"
TARGET = "https://receiver.example.org/ocm/shares"
COMPONENTS = ("@method", "@target-uri", "content-digest", "content-length", "date")
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def base64url(octets: bytes) -> str:
    """Return unpadded base64url, as JWKs have it."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "alg": "Ed25519",
    "kid": KEY_ID,
    "x": base64url(PRIVATE.public_key().public_bytes_raw()),
}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message before it is signed; `params` are the signature's parameters as text, in order."""

    method: str = "POST"
    target: str = TARGET
    body: bytes = b'{"shareWith":"marie@receiver.example.org"}'
    label: str = "ocm"
    components: tuple[str, ...] = COMPONENTS
    params: Mapping[str, str] = field(
        default_factory=lambda: {"created": str(NOW), "keyid": f'"{KEY_ID}"', "tag": '"ocm"'}
    )
    tail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    signer: Callable[[bytes], bytes] = PRIVATE.sign

    def but(self, **params: str | None) -> Draft:
        """Return the draft with other parameters; None takes one away."""
        merged = {**self.params, **params}
        return replace(self, params={name: value for name, value in merged.items() if value is not None})

    def fields(self) -> dict[str, str]:
        """Return the unsigned header fields."""
        digest = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
        fields = {
            "content-digest": f"sha-256=:{digest}:",
            "content-length": str(len(self.body)),
            "date": "Sun, 26 Jul 2026 10:08:20 GMT",
            **self.headers,
        }
        return {name: value for name, value in fields.items() if value}

    def signature_params(self) -> str:
        """Return the inner list with its parameters."""
        names = " ".join(name if name.startswith('"') else f'"{name}"' for name in self.components)
        return f"({names})" + "".join(f";{name}={value}" for name, value in self.params.items()) + self.tail

    def base(self) -> bytes:
        """Return the signature base (RFC 9421, 2.5)."""
        values = {"@method": self.method, "@target-uri": self.target, **self.fields()}
        lines = [f'"{name}": {values[name]}' for name in self.components if name in values]
        return "\n".join([*lines, f'"@signature-params": {self.signature_params()}']).encode()

    def signed(self) -> list[tuple[str, str]]:
        """Return all header fields of the signed message."""
        signature = base64.b64encode(self.signer(self.base())).decode()
        return [
            *self.fields().items(),
            ("Signature-Input", f"{self.label}={self.signature_params()}"),
            ("Signature", f"{self.label}=:{signature}:"),
        ]


def check(draft: Draft, headers: list[tuple[str, str]] | None = None, **options: object) -> None:
    """Find and verify the signature of `draft` as the gateway does; `headers` and `body` replace what was signed."""
    lines = draft.signed() if headers is None else headers
    claimed = httpsig.find_signature(lines)
    assert claimed is not None
    settings = {"jwk": JWK, "now": float(NOW), "body": draft.body, **options}
    body = settings.pop("body")
    httpsig.verify(claimed, httpsig.SignedHead(draft.method, draft.target, lines), body, **settings)


@contextmanager
def refused(reason: Reason):
    """Expect a refusal for exactly this reason, in a sentence."""
    with pytest.raises(SignatureError) as caught:
        yield caught
    assert caught.value.reason is reason
    sentence = str(caught.value)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert not sentence.isupper()
