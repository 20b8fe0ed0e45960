"""The key file: our own keys as JSON, readable by us only (DESIGN 10). Also the door to all names about keys.

The file may be ours (mode 0600, written in one step) or a mounted Kubernetes Secret (read-only, readable by a group).
A file that everybody on the host can read is refused: its keys have to be counted as known.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError

from gateway.crypto.jwk import Algorithm, VerifyingKey, import_jwk_set, key_id_host, verifying_key
from gateway.crypto.refusal import SignatureError
from gateway.crypto.ring import DEFAULT_PACE, CavageKey, K, KeyRing, KeyState, Pace, SigningKey, Slot
from gateway.crypto.secrets import SEALING_KEY_BYTES
from gateway.crypto.sshkeys import HostKey
from gateway.errors import GatewayError, Kind

__all__ = [
    "DEFAULT_PACE",
    "Algorithm",
    "CavageKey",
    "KeyRing",
    "KeyState",
    "Pace",
    "SigningKey",
    "Slot",
    "VerifyingKey",
    "dump_key_ring",
    "import_jwk_set",
    "key_id_host",
    "load_key_file",
    "parse_key_ring",
    "save_key_file",
    "verifying_key",
]

KEY_FILE_MAX_BYTES = 256 * 1024
KEY_FILE_VERSION = 1

# All that the parsers of JSON, PEM and JWK raise for text that is not what they expect.
_MALFORMED = (ValueError, KeyError, TypeError, RecursionError, UnsupportedAlgorithm, JoseError, SignatureError)


def load_key_file(path: Path) -> KeyRing:
    """Return the keys in the file at `path`.

    Raises:
        GatewayError: `CONFIGURATION` if it cannot be read, is open to everybody, or is no key file.
    """
    try:
        with path.open("rb") as file:
            # Asked of the open file, so that it cannot be exchanged in between.
            status = os.fstat(file.fileno())
            if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise _unusable(f"The key file {path} is open to all users of this host; give it mode 0600 or 0440.")
            if status.st_size > KEY_FILE_MAX_BYTES:
                raise _unusable(f"The key file {path} is too large.")
            text = file.read()
    except OSError as error:
        raise _unusable(f"The key file {path} cannot be read: {error.strerror}.") from error
    return parse_key_ring(text)


def save_key_file(path: Path, ring: KeyRing) -> None:
    """Write the keys to `path`: the old file or the new one is there at any moment, and only we can read it.

    Raises:
        GatewayError: `CONFIGURATION` if it cannot be written.
    """
    try:
        replace_file(path, dump_key_ring(ring).encode())
    except OSError as error:
        raise _unusable(f"The key file {path} cannot be written: {error.strerror}.") from error


def parse_key_ring(text: str | bytes) -> KeyRing:
    """Return the keys in the text of a key file.

    Raises:
        GatewayError: `CONFIGURATION` if it is no key file of a version that we know.
    """
    try:
        document = json.loads(text)
        if document["version"] != KEY_FILE_VERSION:
            raise _unusable("The key file is of another version.")
        ring = _ring(document)
    except _MALFORMED as error:
        raise _unusable("The key file is malformed.") from error
    younger = (slots for slots in (ring.cavage, ring.ssh_host) if slots)
    for slots in (ring.signing, ring.token, ring.sealing, *younger):
        if [slot.state for slot in slots].count(KeyState.ACTIVE) != 1:
            raise _unusable("The key file needs exactly one active key of each kind.")
    return ring


def dump_key_ring(ring: KeyRing) -> str:
    """Return the text of a key file; it holds every private key."""
    document = {
        "version": KEY_FILE_VERSION,
        "public_url": ring.public_url,
        "instance_id": ring.instance_id,
        "signing": _dump_slots(ring.signing, _dump_signing_key),
        "token": _dump_slots(ring.token, _dump_signing_key),
        "sealing": _dump_slots(ring.sealing, _to_text),
        "pepper": _to_text(ring.pepper),
        "cavage": _dump_slots(ring.cavage, _dump_cavage_key),
        "ssh_host": _dump_slots(ring.ssh_host, HostKey.pem),
    }
    return json.dumps(document, indent=2) + "\n"


def _ring(document: dict[str, Any]) -> KeyRing:
    return KeyRing(
        public_url=_text(document["public_url"]),
        instance_id=_text(document["instance_id"]),
        signing=_slots(document["signing"], _signing_key),
        token=_slots(document["token"], _token_key),
        sealing=_slots(document["sealing"], _sealing_key),
        pepper=_from_text(document["pepper"]),
        cavage=_slots(document.get("cavage", []), _cavage_key),
        ssh_host=_slots(document.get("ssh_host", []), HostKey.from_pem),
    )


def _slots(entries: list[dict[str, Any]], parse: Callable[[Any], K]) -> tuple[Slot[K], ...]:
    if not isinstance(entries, list):
        raise TypeError("Keys come in a list.")
    return tuple(Slot(parse(entry["key"]), KeyState(entry["state"]), int(entry["since"])) for entry in entries)


def _signing_key(entry: dict[str, str]) -> SigningKey:
    private = load_pem_private_key(entry["private"].encode(), password=None)
    if not isinstance(private, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("Keys of this kind are not used here.")
    key = SigningKey(_text(entry["kid"]), Algorithm(entry["alg"]), private)
    verifying_key(key.public_jwk())
    return key


def _token_key(entry: dict[str, str]) -> SigningKey:
    key = _signing_key(entry)
    if key.algorithm is not Algorithm.ES256:
        raise ValueError("Access tokens are signed with ES256.")
    return key


def _cavage_key(entry: dict[str, str]) -> CavageKey:
    private = load_pem_private_key(entry["private"].encode(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("This key has to be an RSA key.")
    return CavageKey(_text(entry["key_id"]), private)


def _sealing_key(text: str) -> bytes:
    key = _from_text(text)
    if len(key) != SEALING_KEY_BYTES:
        raise ValueError("An encryption key has the wrong length.")
    return key


def _dump_slots(slots: tuple[Slot[K], ...], dump: Callable[[K], object]) -> list[dict[str, object]]:
    return [{"state": slot.state.value, "since": slot.since, "key": dump(slot.key)} for slot in slots]


def _dump_signing_key(key: SigningKey) -> dict[str, str]:
    return {"kid": key.kid, "alg": key.algorithm.value, "private": key.pem().decode()}


def _dump_cavage_key(key: CavageKey) -> dict[str, str]:
    return {"key_id": key.key_id, "private": key.pem().decode()}


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("A text is missing.")
    return value


def _to_text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _from_text(text: str) -> bytes:
    octets = base64.b64decode(text, validate=True)
    if not octets:
        raise ValueError("A value is empty.")
    return octets


def replace_file(path: Path, content: bytes) -> None:
    """Write a secret file whole or not at all, for our own eyes only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp makes it with mode 0600
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(sentence: str) -> GatewayError:
    return GatewayError(Kind.CONFIGURATION, sentence, code="key-file")
