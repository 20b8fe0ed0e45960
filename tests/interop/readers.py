"""How deployed servers read a discovery document: each as strictly as it is, and by nothing but what was seen of it.

A reader asks its own paths under its own name, one after another, and returns what it took from the first document
that it can use; it raises `Unreadable` where that server would say that we do not speak OCM. Sources: `dialects.md`
3.2 and 3.8 (Nextcloud), 4 (ownCloud 10), 6 (OpenCloud), 7 (CERNBox), 8.3 (Seafile); live-captures.md 2, items 1 to 7.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import load_pem_public_key

NEXTCLOUD = "Nextcloud Server Crawler"
NEXTCLOUD_35 = "Nextcloud-Server-Crawler/35.0.1"
OWNCLOUD = "ownCloud Server Crawler"
GO = "Go-http-client/1.1"
REQUESTS = "python-requests/2.32.3"
DRAFT = "ocm-server/1"
WELL_KNOWN = "/.well-known/ocm"
PROVIDER = "/ocm-provider"
PHP_DEPTH = 8


class Unreadable(Exception):  # noqa: N818 - it is what that server would find
    """This server would not find OCM at the other end."""


@dataclass(frozen=True)
class Found:
    """What a server took from a document."""

    end_point: str
    webdav: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """One server's way of discovering others."""

    name: str
    agent: str
    paths: tuple[str, ...]
    read: Callable[[dict[str, Any]], Found]


def need(is_so: object, why: str) -> None:
    """Give up where the server would."""
    if not is_so:
        raise Unreadable(why)


def depth(value: object) -> int:
    """Return how deep JSON is nested, as PHP counts it."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def text(document: dict[str, Any], name: str) -> str:
    """Return a member that is cast to a string."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


# Nextcloud


def nextcloud(document: dict[str, Any], *, versions: Callable[[str, str], bool]) -> Found:
    """Read as all of them do; `versions` gets `apiVersion` and `version`."""
    need(depth(document) <= PHP_DEPTH, "too deep")
    need(versions(text(document, "apiVersion"), text(document, "version")), "version")
    end_point = text(document, "endPoint")
    need(end_point and urlsplit(end_point).netloc, "no absolute end point")
    need(not end_point.endswith("/"), "end point with a slash makes //shares")
    types = document.get("resourceTypes")
    need(isinstance(types, list), "resource types")
    for entry in types:
        need(isinstance(entry, dict) and isinstance(entry.get("name"), str), "entry")
        need(isinstance(entry.get("shareTypes"), list), "shareTypes of an entry")
        need(isinstance(entry.get("protocols"), dict), "protocols of an entry")
    key = document.get("publicKey")
    need(key is None or isinstance(key, dict), "publicKey is no object")
    if key is not None:
        need(isinstance(key.get("publicKeyPem"), str) and isinstance(key.get("keyId"), str), "half a key")
        need(urlsplit(key["keyId"]).netloc, "keyId without a host")
    files = [entry for entry in types if entry["name"] == "file"]
    need(files and isinstance(files[0]["protocols"].get("webdav"), str), "no path for files")
    host = urlsplit(end_point)
    return Found(end_point, f"{host.scheme}://{host.netloc}{files[0]['protocols']['webdav']}", document)


def nextcloud_27(document: dict[str, Any]) -> Found:
    """Compares `apiVersion` with one constant."""
    return nextcloud(document, versions=lambda api, _: api == "1.0-proposal1")


def nextcloud_28(document: dict[str, Any]) -> Found:
    """Takes the constant, 1.0 and 1.1."""
    return nextcloud(document, versions=lambda api, _: api == "1.0-proposal1" or api.startswith(("1.0", "1.1")))


def nextcloud_31(document: dict[str, Any]) -> Found:
    """Takes any version, where there is one; checks our messages with the key that it finds here."""
    found = nextcloud(document, versions=lambda api, version: bool(version or api))
    key = document.get("publicKey")
    need(key is None or load_pem_public_key(key["publicKeyPem"].encode()), "key")
    return found


def nextcloud_35(document: dict[str, Any]) -> Found:
    """Checks no version; finds our keys by `jwksUri` only."""
    found = nextcloud(document, versions=lambda _api, _version: True)
    uri = urlsplit(text(document, "jwksUri"))
    need(uri.netloc == urlsplit(found.end_point).netloc, "keys at another host")
    return found


# Others


def owncloud_10(document: dict[str, Any]) -> Found:
    """Wants `enabled` to be true and reads the entry named `file`."""
    need(document.get("enabled") is True, "not enabled")
    types = document.get("shareTypes", document.get("resourceTypes"))
    need(isinstance(types, list), "no types")
    files = [entry for entry in types if entry.get("name") == "file"]
    need(files and isinstance(files[0].get("protocols", {}).get("webdav"), str), "no path for files")
    end_point = text(document, "endPoint")
    need(end_point and not end_point.endswith("/"), "end point")
    host = urlsplit(end_point)
    return Found(end_point, f"{host.scheme}://{host.netloc}{files[0]['protocols']['webdav']}", document)


_GO_TYPES: dict[str, type] = {
    "enabled": bool,
    "apiVersion": str,
    "endPoint": str,
    "provider": str,
    "resourceTypes": list,
    "capabilities": list,
    "inviteAcceptDialog": str,
}


def opencloud(document: dict[str, Any]) -> Found:
    """Decodes into typed fields: one value of another type, and the whole document is lost."""
    for name, kind in _GO_TYPES.items():
        need(name not in document or isinstance(document[name], kind), f"{name} of another type")
    need(all(isinstance(word, str) for word in document.get("capabilities", [])), "capability that is no text")
    for entry in document["resourceTypes"]:
        need(isinstance(entry.get("name"), str), "name")
        need(all(isinstance(word, str) for word in entry.get("shareTypes", [])), "share type")
        protocols = entry.get("protocols", {})
        need(isinstance(protocols, dict) and all(isinstance(value, str) for value in protocols.values()), "protocols")
    need(document.get("endPoint"), "no end point")
    return Found(document["endPoint"], document["resourceTypes"][0]["protocols"]["webdav"], document)


def cernbox(document: dict[str, Any]) -> Found:
    """Wants, for each share that we send, an entry of its resource type with a path for its protocol."""
    roots = {}
    for kind in ("file", "folder"):
        entries = [entry for entry in document.get("resourceTypes", []) if entry.get("name") == kind]
        need(entries and isinstance(entries[0].get("protocols", {}).get("webdav"), str), f"nothing for {kind}")
        roots[kind] = entries[0]["protocols"]["webdav"]
    need(roots["file"] == roots["folder"], "two roots")
    return Found(document["endPoint"], roots["file"], document)


def seafile(document: dict[str, Any]) -> Found:
    """Reads the first entry, whatever it is."""
    try:
        webdav = document["resourceTypes"][0]["protocols"]["webdav"]
    except (KeyError, IndexError, TypeError) as error:
        raise Unreadable("first entry") from error
    need(document["resourceTypes"][0].get("name") == "file", "first entry is not for files")
    return Found(text(document, "endPoint"), webdav, document)


def draft(document: dict[str, Any]) -> Found:
    """Wants what the draft says is there: words, objects for the roles, keys on our own host."""
    need(document.get("enabled") is True, "not enabled")
    need(isinstance(document.get("apiVersion"), str), "version")
    end_point = urlsplit(text(document, "endPoint"))
    need(end_point.netloc and not end_point.path.endswith("/"), "end point")
    files = [entry for entry in document["resourceTypes"] if entry["name"] == "file"]
    need(len(files) == 1 and "user" in files[0]["shareTypes"], "one entry for files, and users")
    webdav = files[0]["protocols"].get("webdav")
    need(isinstance(webdav, str) and webdav.startswith("/"), "path")
    for name in ("jwksUri", "tokenEndPoint"):
        need(urlsplit(text(document, name)).netloc == end_point.netloc, f"{name} at another host")
    return Found(text(document, "endPoint"), webdav, document)


READERS = (
    Reader("Nextcloud 27", NEXTCLOUD, (f"{PROVIDER}/",), nextcloud_27),
    *(Reader(f"Nextcloud {n}", NEXTCLOUD, (f"{PROVIDER}/",), nextcloud_28) for n in (28, 29)),
    *(Reader(f"Nextcloud {n}", NEXTCLOUD, (f"{PROVIDER}/",), nextcloud_31) for n in (30, 31)),
    *(Reader(f"Nextcloud {n}", NEXTCLOUD, (WELL_KNOWN, PROVIDER), nextcloud_31) for n in (32, 33, 34)),
    Reader("Nextcloud 35", NEXTCLOUD_35, (WELL_KNOWN, PROVIDER), nextcloud_35),
    Reader("ownCloud 10", OWNCLOUD, (f"{PROVIDER}/",), owncloud_10),
    Reader("OpenCloud", GO, (WELL_KNOWN, PROVIDER), opencloud),
    Reader("CERNBox", GO, (WELL_KNOWN, PROVIDER), cernbox),
    Reader("Seafile", REQUESTS, (PROVIDER,), seafile),
    Reader("draft", DRAFT, (WELL_KNOWN,), draft),
)


async def discover(reader: Reader, session: Any, base: str) -> Found:
    """Ask `base` as this server does; return what it took from the first answer that it can use."""
    trouble = Unreadable("nothing answered")
    for path in reader.paths:
        async with session.get(base + path, headers={"User-Agent": reader.agent}, allow_redirects=False) as answer:
            if answer.status != 200:
                trouble = Unreadable(f"{path} answered {answer.status}")
                continue
            try:
                return reader.read(json.loads(await answer.text()))
            except Unreadable as error:
                trouble = error
    raise trouble
