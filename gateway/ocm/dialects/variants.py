"""Who gets which form of our discovery document (`dialects.md` 14.1; live-captures.md 2, items 1 to 3).

The only place that knows crawlers by name. Nextcloud and ownCloud ask `/ocm-provider/` and need the old pair of
versions; readers written in Go, such as OpenCloud's, may take every protocol value to be a string.
"""

from __future__ import annotations

from gateway.ocm.discovery import Variant

LEGACY_PATH = "/ocm-provider"
# Nextcloud 35.0.1 was seen to write hyphens, and its version.
_LEGACY_AGENTS = ("Nextcloud Server Crawler", "Nextcloud-Server-Crawler/", "ownCloud Server Crawler")
_STRINGS_AGENTS = ("Go-http-client/",)
# One reader of each form, for trying whether each gets its own.
SAMPLE_AGENTS = ("ocm-gateway", "Nextcloud Server Crawler", "Go-http-client/2.0")


def choose_variant(path: str, user_agent: str) -> Variant:
    """Return the form for a reader that asks `path` and calls itself `user_agent`."""
    if path.startswith(LEGACY_PATH) or user_agent.startswith(_LEGACY_AGENTS):
        return Variant.LEGACY
    return Variant.STRINGS if user_agent.startswith(_STRINGS_AGENTS) else Variant.FULL
