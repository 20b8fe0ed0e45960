"""Our own keys and how they are exchanged for new ones (KEYS-1, KEYS-2; DESIGN 10).

Each key passes through the states next, active, retiring and gone. A next key is published and not used, until every
peer's cache has had the time to see it; the active one signs; a retiring one stays published until nothing that it
signed is under way. So at no moment does a valid signature fail. Keys that encrypt our records pass through the same
states, for the sake of replicas that read an older key file, but do not go: records live longer than rotations.

A `KeyRing` is a value: `rotate` begins an exchange or returns the ring after the next step of one, and `tend` begins
only when the keys are old.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc.jwk import ECKey, OKPKey

from gateway.crypto.jwk import Algorithm
from gateway.crypto.secrets import SEALING_KEY_BYTES, new_id
from gateway.crypto.sshkeys import HostKey

DAY_SECONDS = 24 * 3600
PEPPER_BYTES = 32
CAVAGE_KEY_BITS = 2048

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
K = TypeVar("K")


class KeyState(StrEnum):
    """Where a key stands; `gone` is never kept."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its public name; `kid` is byte for byte the `keyid` of signatures and JWT headers."""

    kid: str
    algorithm: Algorithm
    private: PrivateKey = field(repr=False, compare=False)

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as it is published."""
        kind: type[OKPKey | ECKey] = OKPKey if self.algorithm is Algorithm.ED25519 else ECKey
        public = kind.import_key(self.pem()).as_dict(private=False)
        return {**{name: str(value) for name, value in public.items()}, **self._labels()}

    def pem(self) -> bytes:
        """Return the private key in PKCS#8, for the key file only."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def _labels(self) -> dict[str, str]:
        return {"kid": self.kid, "alg": self.algorithm.value, "use": "sig"}


@dataclass(frozen=True, slots=True)
class CavageKey:
    """An RSA key for peers that know only the signatures before RFC 9421 (KEYS-3); discovery names it by `key_id`."""

    key_id: str
    private: rsa.RSAPrivateKey = field(repr=False, compare=False)

    def public_pem(self) -> str:
        """Return the public key as discovery shows it."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def pem(self) -> bytes:
        """Return the private key in PKCS#8, for the key file only."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Slot(Generic[K]):
    """A key in its state, `since` seconds since the epoch."""

    key: K = field(repr=False)
    state: KeyState
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a key stays in a state.

    Attributes:
        publish_seconds: longer than peers keep our key set (an hour is usual, a day is safe).
        retire_seconds: longer than anything signed is valid, and than the three days after which Nextcloud 31 to 34
            read a key again.
        renew_seconds: how old a key gets before `tend` begins to exchange it.
    """

    publish_seconds: int = DAY_SECONDS
    retire_seconds: int = 7 * DAY_SECONDS
    renew_seconds: int = 90 * DAY_SECONDS


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """All keys of one instance.

    Attributes:
        instance_id: names the instance whose records these keys can read.
        signing: Ed25519, for RFC 9421.
        token: ES256, for access tokens.
        sealing: AES-256, for secrets at rest.
        pepper: makes fingerprints of secrets useless to those who see only the store.
        cavage: RSA, for peers that know only the signatures before RFC 9421; none in a file of an older gateway.
        ssh_host: Ed25519, by which the SSH door is known; empty in a key file from before there was that door.
    """

    public_url: str
    instance_id: str
    signing: tuple[Slot[SigningKey], ...]
    token: tuple[Slot[SigningKey], ...]
    sealing: tuple[Slot[bytes], ...] = field(repr=False)
    pepper: bytes = field(repr=False)
    cavage: tuple[Slot[CavageKey], ...] = ()
    ssh_host: tuple[Slot[HostKey], ...] = ()

    @classmethod
    def generate(cls, public_url: str, now: float) -> KeyRing:
        """Return a ring of fresh keys, all of them active."""
        return cls(
            public_url=public_url,
            instance_id=new_id(),
            signing=(Slot(_new_signing_key(public_url), KeyState.ACTIVE, int(now)),),
            token=(Slot(_new_token_key(public_url), KeyState.ACTIVE, int(now)),),
            sealing=(Slot(secrets.token_bytes(SEALING_KEY_BYTES), KeyState.ACTIVE, int(now)),),
            pepper=secrets.token_bytes(PEPPER_BYTES),
        ).completed(now)

    def completed(self, now: float) -> KeyRing:
        """Return the ring with a key of every kind; a file of an older gateway lacks the younger kinds."""
        if self.is_complete:
            return self
        cavage = self.cavage or (Slot(_new_cavage_key(self.public_url), KeyState.ACTIVE, int(now)),)
        ssh_host = self.ssh_host or (Slot(HostKey.generate(), KeyState.ACTIVE, int(now)),)
        return replace(self, cavage=cavage, ssh_host=ssh_host)

    def signing_key(self) -> SigningKey:
        """Return the key that signs our requests."""
        return _active(self.signing)

    def cavage_key(self, now: float, pace: Pace = DEFAULT_PACE) -> CavageKey:
        """Return the one RSA key that discovery shows and that signs; the ring has to be complete.

        Peers look only at the one that discovery shows. So all replicas exchange it in the same moment: by the clock,
        not when the file is written.
        """
        return _active(_advance(self.cavage, now, pace, SIGNING_STEPS))

    def token_key(self) -> SigningKey:
        """Return the key that signs our access tokens."""
        return _active(self.token)

    def token_keys(self) -> tuple[SigningKey, ...]:
        """Return every key that a valid access token of ours may be signed with."""
        return tuple(slot.key for slot in self.token)

    def sealing_keys(self) -> tuple[bytes, ...]:
        """Return the encryption ring: the key that seals first, then all others that still open."""
        active = _active(self.sealing)
        return (active, *(slot.key for slot in self.sealing if slot.key != active))

    def host_keys(self) -> tuple[HostKey, ...]:
        """Return the keys of the SSH door: the one that it proves itself with first, then those it will or did use."""
        slots = sorted(self.ssh_host, key=lambda slot: slot.state is not KeyState.ACTIVE)
        return tuple(slot.key for slot in slots)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the JWK Set that we publish: every key in every state, no private part (KEYS-1)."""
        return {"keys": [slot.key.public_jwk() for slot in (*self.signing, *self.token)]}

    def rotate(self, now: float, pace: Pace = DEFAULT_PACE) -> KeyRing:
        """Return the ring one step further: begins a rotation, or takes the step of a running one that is due.

        While a rotation is under way and nothing is due the ring stays as it is, so calling this often does no harm.
        """
        advanced = self.advance(now, pace)
        if advanced != self or not self.is_settled:
            return advanced
        return replace(
            self,
            signing=_publish(self.signing, _new_signing_key(self.public_url), now),
            token=_publish(self.token, _new_token_key(self.public_url), now),
            cavage=_publish(self.cavage, _new_cavage_key(self.public_url), now) if self.cavage else (),
        )

    def tend(self, now: float, pace: Pace = DEFAULT_PACE) -> KeyRing:
        """Return the ring after what is due by `now`: a step of a running rotation, or the begin of one for old keys.

        Where nothing is due the ring stays as it is, so this can be called every day.
        """
        kinds: tuple[tuple[Slot[Any], ...], ...] = (self.signing, self.token, self.cavage)
        ages = [now - slot.since for slots in kinds for slot in slots if slot.state is KeyState.ACTIVE]
        return self.rotate(now, pace) if max(ages) >= pace.renew_seconds else self.advance(now, pace)

    def rotate_sealing(self, now: float) -> KeyRing:
        """Return the ring with a next encryption key, which opens at once and seals when `advance` makes it active."""
        if any(slot.state is KeyState.NEXT for slot in self.sealing):
            return self
        return replace(self, sealing=_publish(self.sealing, secrets.token_bytes(SEALING_KEY_BYTES), now))

    def rotate_host(self, now: float) -> KeyRing:
        """Return the ring with a next SSH host key, announced at once and used when `advance` makes it active."""
        if any(slot.state is not KeyState.ACTIVE for slot in self.ssh_host):
            return self
        return replace(self, ssh_host=_publish(self.ssh_host, HostKey.generate(), now))

    def advance(self, now: float, pace: Pace = DEFAULT_PACE) -> KeyRing:
        """Return the ring after every step that is due by `now`; it begins nothing."""
        return replace(
            self,
            signing=_advance(self.signing, now, pace, SIGNING_STEPS),
            token=_advance(self.token, now, pace, SIGNING_STEPS),
            sealing=_advance(self.sealing, now, pace, SEALING_STEPS),
            cavage=_advance(self.cavage, now, pace, SIGNING_STEPS),
            ssh_host=_advance(self.ssh_host, now, pace, SIGNING_STEPS),
        )

    @property
    def is_complete(self) -> bool:
        """Whether there is a key of every kind."""
        return bool(self.cavage and self.ssh_host)

    @property
    def is_settled(self) -> bool:
        """Whether no exchange of signing or token keys is under way."""
        kinds: tuple[tuple[Slot[Any], ...], ...] = (self.signing, self.token, self.cavage)
        return all(slot.state is KeyState.ACTIVE for slots in kinds for slot in slots)


# From which state a key goes on by itself, and after how long. An active key leaves only when its successor comes.
Steps = Mapping[KeyState, tuple[KeyState, Callable[[Pace], int]]]
SEALING_STEPS: Steps = {KeyState.NEXT: (KeyState.ACTIVE, lambda pace: pace.publish_seconds)}
SIGNING_STEPS: Steps = {
    **SEALING_STEPS,
    KeyState.RETIRING: (KeyState.GONE, lambda pace: pace.retire_seconds),
}


def _advance(slots: tuple[Slot[K], ...], now: float, pace: Pace, steps: Steps) -> tuple[Slot[K], ...]:
    moved = tuple(_stepped(slot, now, pace, steps) for slot in slots)
    fresh = [slot for slot in moved if slot.state is KeyState.ACTIVE and slot not in slots]
    if fresh:
        moved = tuple(
            replace(slot, state=KeyState.RETIRING, since=int(now))
            if slot.state is KeyState.ACTIVE and slot is not fresh[0]
            else slot
            for slot in moved
        )
    return tuple(slot for slot in moved if slot.state is not KeyState.GONE)


def _stepped(slot: Slot[K], now: float, pace: Pace, steps: Steps) -> Slot[K]:
    if slot.state not in steps:
        return slot
    state, stay = steps[slot.state]
    return replace(slot, state=state, since=int(now)) if now >= slot.since + stay(pace) else slot


def _publish(slots: tuple[Slot[K], ...], key: K, now: float) -> tuple[Slot[K], ...]:
    return (Slot(key, KeyState.NEXT, int(now)), *slots)


def _active(slots: tuple[Slot[K], ...]) -> K:
    return next(slot.key for slot in slots if slot.state is KeyState.ACTIVE)


def _new_signing_key(public_url: str) -> SigningKey:
    return SigningKey(_new_kid(public_url, "sign"), Algorithm.ED25519, ed25519.Ed25519PrivateKey.generate())


def _new_token_key(public_url: str) -> SigningKey:
    return SigningKey(_new_kid(public_url, "token"), Algorithm.ES256, ec.generate_private_key(ec.SECP256R1()))


def _new_cavage_key(public_url: str) -> CavageKey:
    return CavageKey(_new_kid(public_url, "rsa"), rsa.generate_private_key(65537, CAVAGE_KEY_BITS))


def _new_kid(public_url: str, use: str) -> str:
    # Always a name that was never used before: peers keep keys by their name (KEYS-2).
    return f"{public_url}/ocm#{use}-{secrets.token_hex(6)}"
