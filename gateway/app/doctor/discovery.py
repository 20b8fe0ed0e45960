"""Whether everybody who looks for this gateway finds the same thing: all four paths, three kinds of reader, one name.

Deployed peers ask different paths and follow no redirect safely; a proxy that answers with a page of its own, or
serves from a cache what another reader was told, makes the gateway invisible to some of them (`dialects.md` 13).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gateway.app.doctor.finding import Result, doubt, fault, good
from gateway.app.doctor.ground import Ground
from gateway.app.doctor.stranger import Seen
from gateway.app.doors import offer_of
from gateway.crypto.keys import key_id_host
from gateway.errors import GatewayError
from gateway.model.address import host_of_url
from gateway.ocm.dialects.variants import SAMPLE_AGENTS, choose_variant
from gateway.ocm.discovery import render
from gateway.web.ocm import DISCOVERY_PATHS

_OK = 200
_URLS = ("endPoint", "jwksUri", "tokenEndPoint", "sshHostKeys")


async def check_discovery(ground: Ground) -> list[Result]:
    """Ask for the document at each path as each kind of reader."""
    faults: list[Result] = []
    for path in DISCOVERY_PATHS:
        found = [await _at(ground, path, agent) for agent in SAMPLE_AGENTS]
        faults += [first for first in [next((result for result in found if result is not None), None)] if first]
    said = f"{', '.join(DISCOVERY_PATHS)} answer as they should to all {len(SAMPLE_AGENTS)} kinds of reader."
    return faults or [good(said)]


async def check_keys_published(ground: Ground) -> list[Result]:
    """Compare the key set that the world sees with the keys that we sign with."""
    assert ground.keys is not None  # not run without
    target = f"{ground.config.prefix}/jwks"
    seen = await ground.stranger.ask("GET", target)
    shown = _parsed(seen)
    kid = ground.keys.current().signing_key().kid
    if shown is None:
        return [_not_there(target, seen, "Peers cannot check our signatures and refuse our messages.")]
    if kid not in {str(key.get("kid")) for key in shown.get("keys", []) if isinstance(key, dict)}:
        return [
            fault(
                f"{target} does not show the key that signs here ({kid}).",
                "Peers refuse every message of ours.",
                "give all replicas the same key file, and let no cache stand before this path.",
            )
        ]
    return [good("The world sees the keys that we sign with.")]


async def check_one_name(ground: Ground) -> list[Result]:
    """Compare every host that names us with the one in our users' addresses."""
    document = _parsed(await ground.stranger.ask("GET", "/.well-known/ocm"))
    if document is None:
        return []
    ours = ground.config.authority
    wrong = [f"{what} says {host}" for what, host in _hosts_in(document) if host != ours]
    if ground.keys is not None:
        ring = ground.keys.current()
        names = {"the signing key's name": ring.signing_key().kid, "the key file": ring.public_url}
        wrong += [f"{what} says {_host(url)}" for what, url in names.items() if _host(url) != ours]
    if not wrong:
        return [good(f"Addresses, end point, keys and WebDAV all say {ours}.")]
    return [
        fault(
            f"People have addresses @{ours}, but {'; '.join(wrong)}.",
            "Peers refuse signatures and shares whose hosts differ.",
            f"set `public_url` to https://{ours} on every replica and restart it; let no proxy rewrite bodies "
            "(nginx `sub_filter`, Apache `Substitute`).",
        )
    ]


async def _at(ground: Ground, path: str, agent: str) -> Result | None:
    seen = await ground.stranger.ask("GET", path, headers={"User-Agent": agent})
    shown = _parsed(seen)
    if shown is None:
        return _not_there(path, seen, "Peers that ask there see no Open Cloud Mesh here.")
    if ground.keys is None:
        return None
    key = ground.keys.current().cavage_key(ground.now())
    expected = render(offer_of(ground.config), choose_variant(path, agent), public_key=(key.key_id, key.public_pem()))
    differing = sorted(name for name in {*shown, *expected} if shown.get(name) != expected.get(name))
    if not differing:
        return None
    return doubt(
        f"{path} says something else than this configuration to readers such as {agent}: {', '.join(differing)}.",
        "Some peers may be told what does not hold.",
        "restart the gateway if the configuration is new; let no cache before it ignore `Vary: User-Agent`, and "
        "nothing rewrite the answer.",
    )


def _not_there(path: str, seen: Seen, means: str) -> Result:
    if "html" in seen.kind:
        todo = f"let the proxy pass {path} to the gateway; a page of another service answers there now."
    elif seen.is_ours:
        todo = (
            "let the proxy leave the path as it is: nginx `proxy_pass http://gateway:8080;` without a slash or path "
            "at its end, Traefik without stripPrefix, Apache with the same path on both sides."
        )
    elif "Location" in seen.headers:
        todo = f"serve {path} directly, without a redirect."
    else:
        todo = f"let the proxy pass {path} to the gateway."
    return fault(f"{path} does not answer with a document: {seen.words()}.", means, todo)


def _parsed(seen: Seen) -> dict[str, Any] | None:
    if seen.status != _OK or seen.kind != "application/json":
        return None
    try:
        document = json.loads(seen.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _hosts_in(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _URLS:
        if name in document:
            yield name, _host(str(document[name]))
    key = document.get("publicKey")
    if isinstance(key, dict):
        yield "keyId", key_id_host(str(key.get("keyId", ""))) or "nobody"
    for offer in document.get("resourceTypes", ()):
        path = str(offer.get("protocols", {}).get("webdav", "/")) if isinstance(offer, dict) else "/"
        if not path.startswith("/"):
            yield "WebDAV", _host(path)


def _host(url: str) -> str:
    try:
        return host_of_url(url)
    except GatewayError:
        return repr(url[:100])
