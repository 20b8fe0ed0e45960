"""What operators of other servers paste: it is whole, it is JSON, and each kind finds the host as it compares it."""

import json

import pytest

from gateway.ocm.dialects.snippets import KINDS, snippet

VERIFIED = (
    "If the server verifies hosts (OCM_OCM_PROVIDER_AUTHORIZER_VERIFY_REQUEST_HOSTNAME), the address from which this\n"
    "gateway calls out has to be among those that DNS tells for its host name."
)
TAILS = {
    "ocis": VERIFIED,
    "opencloud": VERIFIED,
    "cernbox": "The host stands without a port here: this kind of server compares it as it is.",
}
WHOLE = """\
Add this entry to the list in ocmproviders.json, and restart the server: it reads the file at its start.
{
    "name": "Universität X",
    "full_name": "Universität X",
    "organization": "Universität X",
    "domain": "cloud.example.org:8443",
    "homepage": "https://cloud.example.org:8443",
    "description": "Universität X (Open Cloud Mesh gateway)",
    "services": [
        {
            "endpoint": {
                "type": {
                    "name": "OCM",
                    "description": "Open Cloud Mesh API"
                },
                "name": "Open Cloud Mesh API",
                "path": "https://cloud.example.org:8443/ocm/",
                "is_monitored": true
            },
            "api_version": "0.0.1",
            "host": "cloud.example.org:8443"
        },
        {
            "endpoint": {
                "type": {
                    "name": "Webdav",
                    "description": "WebDAV API"
                },
                "name": "WebDAV API",
                "path": "https://cloud.example.org:8443/ocm/dav/",
                "is_monitored": true
            },
            "api_version": "0.0.1",
            "host": "cloud.example.org:8443"
        }
    ]
}
"""


def told(kind, public_url):
    """Return the text for a gateway at `public_url`."""
    return snippet(kind, public_url=public_url, prefix="/ocm", name="Universität X")


def entry(text):
    """Return the JSON between the sentence before it and the one behind it."""
    found, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    return found


@pytest.mark.parametrize("kind", ["ocis", "opencloud"])
def test_the_whole_entry(kind):
    """The entry for oCIS and OpenCloud is told letter for letter, with what to know before and behind it."""
    assert told(kind, "https://cloud.example.org:8443") == WHOLE + VERIFIED


@pytest.mark.parametrize("kind", TAILS)
def test_each_kind_is_told_what_to_mind(kind):
    """Where to put the entry is said first, and how this kind of server compares hosts is said last."""
    text = told(kind, "https://cloud.example.org")
    assert text.startswith("Add this entry to the list in ocmproviders.json, and restart the server")
    assert text.endswith(f"\n}}\n{TAILS[kind]}")


@pytest.mark.parametrize(
    ("kind", "public_url", "domain", "host"),
    [
        ("ocis", "https://x.example", "x.example", "x.example:443"),
        ("ocis", "https://x.example:443", "x.example", "x.example:443"),
        ("ocis", "https://x.example:8443", "x.example:8443", "x.example:8443"),
        ("opencloud", "https://x.example", "x.example", "x.example:443"),
        ("opencloud", "https://[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]:443"),
        ("opencloud", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ("cernbox", "https://x.example", "x.example", "x.example"),
        ("cernbox", "https://x.example:8443", "x.example", "x.example"),
        ("cernbox", "https://[2001:db8::1]:8443", "[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_the_port_of_the_host(kind, public_url, domain, host):
    """Kinds that split a port off get one always, the others never; the domain is the one in users' addresses."""
    found = entry(told(kind, public_url))
    assert found["domain"] == domain
    assert [service["host"] for service in found["services"]] == [host, host]


@pytest.mark.parametrize("kind", TAILS)
def test_where_the_services_are(kind):
    """The paths are whole URLs with the port and the prefix of the gateway, for every kind."""
    found = entry(snippet(kind, public_url="https://x.example:8443", prefix="/cloud/ocm", name="X"))
    assert [service["endpoint"]["path"] for service in found["services"]] == [
        "https://x.example:8443/cloud/ocm/",
        "https://x.example:8443/cloud/ocm/dav/",
    ]
    assert found["homepage"] == "https://x.example:8443"


def test_nextcloud_needs_nothing():
    """Operators of Nextcloud read that their server finds the gateway by itself, and what has to be switched on."""
    assert told("nextcloud", "https://x.example:8443") == (
        "Nothing has to be added: a Nextcloud server finds x.example:8443 by itself.\n"
        "To have its users invited, its contacts app needs Open Cloud Mesh invitations switched on."
    )


def test_there_is_a_text_for_each_kind():
    """Each kind that can be asked for is one of those above."""
    assert {*TAILS, "nextcloud"} == set(KINDS)
