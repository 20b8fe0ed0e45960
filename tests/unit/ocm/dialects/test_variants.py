from __future__ import annotations

import pytest

from gateway.ocm.dialects.variants import choose_variant
from gateway.ocm.discovery import Variant


@pytest.mark.req("DISC-1")
@pytest.mark.parametrize(
    ("path", "agent", "variant"),
    [
        ("/.well-known/ocm", "", Variant.FULL),
        ("/.well-known/ocm", "curl/8.5", Variant.FULL),
        ("/.well-known/ocm", "Mozilla/5.0 Nextcloud Server Crawler", Variant.FULL),
        ("/.well-known/ocm", "Go-http-client", Variant.FULL),
        ("/.well-known/ocm", "Nextcloud Server Crawler", Variant.LEGACY),
        ("/.well-known/ocm", "Nextcloud-Server-Crawler/35.0.1", Variant.LEGACY),
        ("/.well-known/ocm", "ownCloud Server Crawler", Variant.LEGACY),
        ("/.well-known/ocm", "Go-http-client/1.1", Variant.STRINGS),
        ("/.well-known/ocm", "Go-http-client/2.0", Variant.STRINGS),
        ("/ocm-provider", "", Variant.LEGACY),
        ("/ocm-provider/", "curl/8.5", Variant.LEGACY),
        ("/ocm-provider/index.php", "Go-http-client/1.1", Variant.LEGACY),
        ("/ocm-provider/", "Nextcloud Server Crawler", Variant.LEGACY),
    ],
)
def test_choose_variant(path, agent, variant):
    """The form follows from the path, else from the reader's name."""
    assert choose_variant(path, agent) is variant
