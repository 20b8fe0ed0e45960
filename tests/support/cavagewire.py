"""Signatures before RFC 9421, made and checked by the rules that were seen on the wire, without the gateway's code.

`check` is as strict as Nextcloud 31 (live-captures.md 2, items 14 and 15): `(request-target)` first, then what has to
be covered, every value quoted, commas without spaces, five minutes, the host as it knows itself, the key id as the
sender's discovery shows it. `sign` makes a message that it takes; each argument departs from one rule.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

ORDER = ("(request-target)", "content-length", "date", "digest", "host")
STRICT_FORM = re.compile(r'[a-zA-Z]+="[^"]*"(,[a-zA-Z]+="[^"]*")*')
HASHES = {"rsa-sha256": hashes.SHA256(), "rsa-sha512": hashes.SHA512()}
DIGESTS = {"SHA-256": hashlib.sha256, "SHA-512": hashlib.sha512}


def new_key() -> rsa.RSAPrivateKey:
    """Return a key as these servers make it."""
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """Return the public key as discovery shows it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(
    key: rsa.RSAPrivateKey,
    key_id: str,
    target: str,
    host: str,
    body: bytes,
    *,
    order=ORDER,
    algorithm="rsa-sha512",
    digest="SHA-512",
    signed_body: bytes | None = None,
    date: str | None = None,
    separator=",",
    extra="",
    signature: bytes | None = None,
    method="post",
) -> dict[str, str]:
    """Return the header fields of a signed message to `target` at `host`."""
    signed = body if signed_body is None else signed_body
    values = {
        "(request-target)": f"{method} {target}",
        "content-length": str(len(body)),
        "date": date or formatdate(time.time(), usegmt=True),
        "digest": f"{digest}={base64.b64encode(DIGESTS[digest](signed).digest()).decode()}",
        "host": host,
    }
    text = "\n".join(f"{name}: {values[name]}" for name in order).encode()
    made = (
        key.sign(text, padding.PKCS1v15(), HASHES.get(algorithm, hashes.SHA256())) if signature is None else signature
    )
    parameters = [
        f'keyId="{key_id}"',
        f'algorithm="{algorithm}"',
        f'headers="{" ".join(order)}"',
        f'signature="{base64.b64encode(made).decode()}"',
    ]
    return {
        "Date": values["date"],
        "Digest": values["digest"],
        "Signature": separator.join(parameters) + extra,
    }


def check(
    headers: Mapping[str, str], method: str, target: str, body: bytes, *, own_host: str, shown: Mapping[str, str] | None
) -> str:
    """Return why a strict server refuses this message, or "" if it takes it.

    Args:
        shown: `publicKey` of the sender's discovery document.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    text = fields.get("signature", "")
    if "signature-input" in fields or not STRICT_FORM.fullmatch(text):
        return "not in the form that is read"
    signature = dict(re.findall(r'([a-zA-Z]+)="([^"]*)"', text))
    order = signature["headers"].split(" ")
    values = fields | {"(request-target)": f"{method.lower()} {target}", "host": own_host}
    faults = {
        "request-target not first": order[0] == "(request-target)",
        "not all covered": set(ORDER) <= set(order),
        "algorithm": signature["algorithm"] in HASHES,
        "key id": shown is not None and signature["keyId"] == shown["keyId"],
        "length": fields.get("content-length") == str(len(body)),
        "date": abs(time.time() - parsedate_to_datetime(fields["date"]).timestamp()) <= 300,
        "digest": fields["digest"]
        in {f"{n}={base64.b64encode(d(body).digest()).decode()}" for n, d in DIGESTS.items()},
    }
    for fault, is_fine in faults.items():
        if not is_fine:
            return fault
    string = "\n".join(f"{name}: {values[name]}" for name in order).encode()
    public = load_pem_public_key(shown["publicKeyPem"].encode())
    try:
        public.verify(
            base64.b64decode(signature["signature"]), string, padding.PKCS1v15(), HASHES[signature["algorithm"]]
        )
    except InvalidSignature:
        return "signature"
    return ""
