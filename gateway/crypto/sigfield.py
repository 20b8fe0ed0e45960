"""The fields `Signature-Input` and `Signature` (RFC 9421, 4): which member is the OCM signature (SIG-3).

A message may carry other people's signatures beside ours, and those may be malformed: they are left alone. So the two
fields are cut into members first and each member is parsed on its own. Exactly one with `tag="ocm"` is the one (-07);
if none is tagged, one labelled `ocm` without any tag is (-05). What is found here is claimed, not proven.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import http_sf

from gateway.crypto.refusal import Reason, SignatureError

OCM = "ocm"
FIELD_MAX_CHARS = 8192
FIELD_MAX_MEMBERS = 16
COMPONENTS_MAX = 32

INPUT = "signature-input"
SIGNATURE = "signature"
# A comma ends a member unless it stands in a string; an unfinished string runs to the end of the field.
_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))++', re.DOTALL)
_LABEL = re.compile(r"([a-z*][a-z0-9_.*-]*)=")
_TAGGED = re.compile(r';\s*tag="ocm"')
_STRINGS = frozenset({"alg", "keyid", "nonce", "tag"})
_INTEGERS = frozenset({"created", "expires"})


@dataclass(frozen=True, slots=True)
class Component:
    """One covered component; `is_bare` says that it carries no parameter that changes its meaning."""

    name: str
    is_bare: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedSignature:
    """The OCM signature of a message before anything about it is proven.

    Attributes:
        unverified_key_id: who is said to have signed; fit only for finding the key.
        by_label_only: it was found by the label `ocm`, so the rules of -05 hold (`date` has to be covered).
        strange_parameters: parameters that RFC 9421 does not know.
        input_member, signature_member: the two members as they stood in the message.
    """

    label: str
    unverified_key_id: str
    created: int | None
    expires: int | None
    nonce: str | None
    algorithm: str | None
    by_label_only: bool
    components: tuple[Component, ...]
    strange_parameters: frozenset[str]
    signature: bytes = field(repr=False)
    input_member: str
    signature_member: str = field(repr=False)


def find_signature(headers: Sequence[tuple[str, str]]) -> ClaimedSignature | None:
    """Return the one OCM signature among `headers`, or None for a message without one.

    Raises:
        SignatureError: `TOO_LARGE`, `AMBIGUOUS` for two or more, `DUPLICATE_PARAMETER`, `KEYID_MISSING`, and
            `MALFORMED` if the OCM signature, or what may have been it, cannot be read.
    """
    inputs = [_Member(text) for text in _members(headers, INPUT)]
    chosen = _choose(inputs)
    if chosen is None:
        return None
    if [member.label for member in inputs].count(chosen.label) > 1:
        raise SignatureError(Reason.AMBIGUOUS, "Two signatures share a label.")
    if chosen.duplicates:
        raise SignatureError(Reason.DUPLICATE_PARAMETER, "The signature has a parameter twice.")
    return _claimed(chosen, _signature_member(headers, chosen.label))


def replay_key(claimed: ClaimedSignature) -> str:
    """Return the name under which a signature is remembered, so that it has an effect only once (SIG-8).

    It takes the first half of the signature: ECDSA lets anybody make a second valid signature out of a first one,
    which differs in its second half only. The label is not signed, so it does not count.
    """
    half = claimed.signature[: (len(claimed.signature) + 1) // 2]
    return hashlib.sha256(claimed.unverified_key_id.encode() + b"\0" + half).hexdigest()


class _Member:
    """One member of `Signature-Input`, parsed on its own; `components` is None if it cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = _LABEL.match(text)
        self.label = found[1] if found else ""
        self.duplicates: list[str] = []
        self.components: list[tuple[object, Mapping[str, object]]] | None = None
        self.params: Mapping[str, object] = {}
        value = _parse(text, self._note_duplicate)
        if isinstance(value, tuple) and isinstance(value[0], list) and _well_typed(value[1]):
            self.components, self.params = value

    def _note_duplicate(self, key: str, _context: str) -> None:
        self.duplicates.append(key)

    @property
    def is_readable(self) -> bool:
        return self.components is not None

    @property
    def is_tagged(self) -> bool:
        # A repeated `tag` could hide ours from a reader that keeps the last one; the text shows it.
        if self.is_readable and not self.duplicates:
            return self.params.get("tag") == OCM
        return _TAGGED.search(self.text) is not None

    @property
    def is_labelled_only(self) -> bool:
        return self.label == OCM and "tag" not in self.params


def _choose(inputs: list[_Member]) -> _Member | None:
    tagged = [member for member in inputs if member.is_tagged]
    if len(tagged) > 1:
        raise SignatureError(Reason.AMBIGUOUS, "There are several OCM signatures.")
    candidates = tagged or [member for member in inputs if member.is_labelled_only]
    if not candidates:
        return None
    if not candidates[0].is_readable:
        raise _malformed()
    return candidates[0]


def _claimed(chosen: _Member, signature_member: str) -> ClaimedSignature:
    params = chosen.params
    key_id = params.get("keyid")
    if not isinstance(key_id, str) or not key_id:
        raise SignatureError(Reason.KEYID_MISSING, "The signature names no key.")
    signature = _parse(signature_member)
    octets = signature[0] if isinstance(signature, tuple) else None
    if not isinstance(octets, bytes) or not octets:
        raise _malformed()
    return ClaimedSignature(
        label=chosen.label,
        unverified_key_id=key_id,
        created=_integer(params.get("created")),
        expires=_integer(params.get("expires")),
        nonce=_string(params.get("nonce")),
        algorithm=_string(params.get("alg")),
        by_label_only="tag" not in params,
        components=_components(chosen.components),
        strange_parameters=frozenset(params) - _STRINGS - _INTEGERS,
        signature=octets,
        input_member=chosen.text,
        signature_member=signature_member,
    )


def _components(items: list[tuple[object, Mapping[str, object]]] | None) -> tuple[Component, ...]:
    if items is None or len(items) > COMPONENTS_MAX:
        raise SignatureError(Reason.TOO_LARGE, "The signature covers too many components.")
    found = []
    for name, params in items:
        if not isinstance(name, str):
            raise _malformed()
        found.append(Component(name, is_bare=not params))
    return tuple(found)


def _signature_member(headers: Sequence[tuple[str, str]], label: str) -> str:
    members = [text for text in _members(headers, SIGNATURE) if text.startswith(f"{label}=")]
    if len(members) > 1:
        raise SignatureError(Reason.AMBIGUOUS, "Two signatures share a label.")
    if not members:
        raise _malformed()
    return members[0]


def _members(headers: Sequence[tuple[str, str]], name: str) -> Iterator[str]:
    joined = ",".join(value for key, value in headers if key.lower() == name)
    if len(joined) > FIELD_MAX_CHARS:
        raise SignatureError(Reason.TOO_LARGE, "The signature fields are too long.")
    members = [text.strip(" \t") for text in _MEMBER.findall(joined)]
    if len(members) > FIELD_MAX_MEMBERS:
        raise SignatureError(Reason.TOO_LARGE, "There are too many signatures.")
    return iter(members)


def _parse(member: str, on_duplicate: http_sf.OnDuplicateKeyType | None = None) -> object:
    """Return the value of a dictionary that has only `member`, or None if it is malformed."""
    try:
        parsed = http_sf.parse(member.encode("ascii"), tltype="dictionary", on_duplicate_key=on_duplicate)
    except (ValueError, OverflowError):
        return None
    assert isinstance(parsed, dict)
    return next(iter(parsed.values())) if len(parsed) == 1 else None


def _well_typed(params: Mapping[str, object]) -> bool:
    strings = (isinstance(params[name], str) for name in _STRINGS & params.keys())
    integers = (type(params[name]) is int for name in _INTEGERS & params.keys())
    return all(strings) and all(integers)


def _integer(value: object) -> int | None:
    assert value is None or isinstance(value, int)
    return value


def _string(value: object) -> str | None:
    assert value is None or isinstance(value, str)
    return value


def _malformed() -> SignatureError:
    return SignatureError(Reason.MALFORMED, "The signature is malformed.")
