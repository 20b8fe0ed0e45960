"""Discovery documents as deployed peers write and read them (`dialects.md` 3.1, 4, 8.3, 14.1).

Reading: ownCloud 10 lists its types under `shareTypes`, Seafile has an object where others have a list, ocm-stub gives
its key as a bare PEM text. Writing: OpenCloud's reader fails on protocol values that are no strings, and Nextcloud up
to 27 asks for one certain `apiVersion`.
"""

from __future__ import annotations

from gateway.model.peer import Shape
from gateway.ocm.fields import Fields

# What Nextcloud up to 27 compares with, and what it and its successors take for the true version (14.1, rule 2).
LEGACY_API_VERSION = "1.0-proposal1"
LEGACY_VERSION = "1.1"
# OCM 1.2 and 1.3 had a capability for what is now a matter of course; OpenCloud's generation asks for it (14.1, 5).
OLD_CAPABILITIES = ("webdav-uri",)


def resource_entries(document: Fields) -> list[Fields]:
    """Return the entries of the list of resource types, in whatever form it came, each with a `name`."""
    name = document.first_of("resourceTypes", "shareTypes")
    value = document.members.get(name)
    if isinstance(value, dict):
        return _entries(document, name, _from_object(value))
    if isinstance(value, list):
        return _entries(document, name, {str(place): item for place, item in enumerate(value)})
    if value is not None:
        document.fault(name, "has to be a list of objects")
    return []


def shapes(document: Fields) -> frozenset[Shape]:
    """Return what is peculiar in the form of a document."""
    found = {
        Shape.SHARE_TYPES: document.first_of("resourceTypes", "shareTypes") == "shareTypes",
        Shape.OBJECT_TYPES: isinstance(document.members.get("resourceTypes"), dict),
        Shape.VERSION: bool(document.members.get("version")),
    }
    return frozenset(shape for shape, is_so in found.items() if is_so)


def public_key(document: Fields) -> tuple[str, str] | None:
    """Return the key of a draft-cavage peer as `(keyId, PEM)`; the id is "" where none came."""
    if isinstance(document.members.get("publicKey"), str):
        bare = document.prose("publicKey")
        return ("", bare) if bare else None
    key = document.object("publicKey") or _first_key(document)
    if key is None:
        return None
    pem = key.prose("publicKeyPem")
    return (key.text("keyId"), pem) if pem else None


def with_strings_only(document: dict[str, object]) -> dict[str, object]:
    """Return our document for readers that take protocol values to be strings (OpenCloud; headline 6)."""
    entries = document["resourceTypes"]
    assert isinstance(entries, list)
    narrowed = [entry | {"protocols": _strings(entry["protocols"])} for entry in entries]
    capabilities = document["capabilities"]
    assert isinstance(capabilities, list)
    return document | {"resourceTypes": narrowed, "capabilities": [*capabilities, *OLD_CAPABILITIES]}


def with_legacy_version(document: dict[str, object]) -> dict[str, object]:
    """Return our document with the pair of versions that every Nextcloud and ownCloud takes (14.1, rule 2)."""
    return document | {"apiVersion": LEGACY_API_VERSION, "version": LEGACY_VERSION}


def _from_object(value: dict[str, object]) -> dict[str, object]:
    # Either one entry stands where a list of them should be, or the types' names are the object's own.
    if "protocols" in value:
        return {"0": value}
    return {name: {"name": name} | entry if isinstance(entry, dict) else entry for name, entry in value.items()}


def _entries(document: Fields, name: str, items: dict[str, object]) -> list[Fields]:
    entries = []
    for place, item in items.items():
        if isinstance(item, dict):
            entries.append(Fields(item, f"{name}[{place}].", document.faults))
        else:
            document.fault(f"{name}[{place}]", "has to be an object")
    return entries


def _first_key(document: Fields) -> Fields | None:
    # `publicKeys[]` was in the text for a moment before JWK sets (1.3).
    value = document.members.get("publicKeys")
    keys = value if isinstance(value, list) else []
    return next((Fields(key, "publicKeys.", document.faults) for key in keys if isinstance(key, dict)), None)


def _strings(protocols: dict[str, object]) -> dict[str, object]:
    return {role: value for role, value in protocols.items() if isinstance(value, str)}
