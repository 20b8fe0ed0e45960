from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host
from gateway.model.peer import Discovery, ResourceOffer
from gateway.model.secret import Secret
from gateway.model.share import WebdavOffer
from gateway.ocm.access import check_uri, is_chosen_by_credential, webdav_url
from support.outcome import outcome


def offer(uri: str) -> WebdavOffer:
    return WebdavOffer(uri=uri, secret=Secret("x"))


def peer(path: str | None, end_point: str = "https://h.example:8443/sub/ocm") -> Discovery:
    protocols = {} if path is None else {"webdav": path}
    entry = ResourceOffer(name="file", share_types=("user",), protocols=protocols)
    return Discovery(enabled=True, api_version="", end_point=end_point, resource_types=(entry,))


@pytest.mark.req("ACC-1")
@pytest.mark.parametrize(
    ("uri", "path", "url"),
    [
        ("https://dav.example/x/y", "/dav/", "https://dav.example/x/y"),
        ("HTTPS://dav.example/x", None, "HTTPS://dav.example/x"),
        ("http://dav.example:8080/x/", "/dav/", "http://dav.example:8080/x/"),
        ("p1", "/dav/", "https://h.example:8443/dav/p1"),
        ("p1/", "/dav", "https://h.example:8443/dav/p1/"),
        ("p1", "seafdav", "https://h.example:8443/seafdav/p1"),
        ("p1", "https://dav.example/d/", "https://dav.example/d/p1"),
        ("p1", "XdavX", "https://h.example:8443/XdavX/p1"),
        ("p1", "https://dav.example/dX", "https://dav.example/dX/p1"),
        ("", "/public.php/webdav/", "https://h.example:8443/public.php/webdav/"),
        ("", "/public.php/webdav", "https://h.example:8443/public.php/webdav/"),
        ("/dav/p1", None, "https://h.example:8443/dav/p1"),
    ],
)
def test_webdav_url(uri, path, url):
    """An absolute address counts as it is, a relative one below the discovered path, one with a slash on the host."""
    assert webdav_url(offer(uri), peer(path), "file") == url


@pytest.mark.req("ACC-1")
def test_path_of_the_resource_type():
    """The path is that of the share's own resource type."""
    types = tuple(
        ResourceOffer(name=name, share_types=("user",), protocols={"webdav": f"/{name}/"})
        for name in ("file", "folder")
    )
    sender = Discovery(enabled=True, api_version="", end_point="https://h.example/ocm", resource_types=types)

    assert webdav_url(offer("p1"), sender, "folder") == "https://h.example/folder/p1"
    assert webdav_url(offer("p1"), sender, "file") == "https://h.example/file/p1"


@pytest.mark.req("ACC-1")
def test_another_host():
    """Where the resource is at another host than the end point, the discovered path is looked for there."""
    elsewhere = Host("owner.example:9443")
    assert webdav_url(offer("p1"), peer("/dav/"), "file", host=elsewhere) == "https://owner.example:9443/dav/p1"
    assert webdav_url(offer("/dav/p1"), peer(None), "file", host=elsewhere) == "https://owner.example:9443/dav/p1"
    own = "https://dav.example/x"
    assert webdav_url(offer(own), peer("/dav/"), "file", host=elsewhere) == own


def test_no_webdav():
    """Without a discovered path a relative address leads nowhere."""
    with pytest.raises(GatewayError) as refused:
        webdav_url(offer("p1"), peer(None), "file")

    assert (refused.value.kind, refused.value.public) == (Kind.INVALID, "The sender offers no WebDAV access.")


@pytest.mark.req("SHARE-3")
@pytest.mark.parametrize(
    "uri",
    [
        "https://user:pass@dav.example/x",
        "https://dav.example/x?secret=1",
        "https://dav.example/x#y",
        "x?y",
        "x#y",
        "x\\y",
        "ftp://dav.example/x",
        "file:///etc/passwd",
        "https:///x",
        "https://[::1/x",
        "a b",
        "ü",
        "a\r\nHost: x",
        "a\x7f",
    ],
)
def test_uri_refused(uri):
    """An address that is not percent-encoded, or holds credentials, a query or a fragment, is refused."""
    for act in (lambda: check_uri(uri), lambda: webdav_url(offer(uri), peer("/dav/"), "file")):
        error = outcome(act)
        assert isinstance(error, GatewayError)
        assert error.kind is Kind.INVALID
        assert error.public == "The sender's share has an address that cannot be used."


@pytest.mark.parametrize("path", ["/d v/", "/d?x/", "ftp://dav.example/", "https://a@b.example/"])
def test_path_refused(path):
    """A discovered path is trusted no more than an address in a share."""
    with pytest.raises(GatewayError) as refused:
        webdav_url(offer("p1"), peer(path), "file")

    assert refused.value.kind is Kind.INVALID


@pytest.mark.req("ACC-1")
@pytest.mark.parametrize(
    ("uri", "path", "is_chosen"),
    [
        ("", "/dav/", True),
        ("", None, True),
        ("https://h.example:8443/dav", "/dav/", True),
        ("https://h.example:8443/dav/", "/dav", True),
        ("https://h.example:8443/davX", "/davX/", True),
        ("https://h.example:8443/davX", "/dav/", False),
        ("https://h.example:8443/dav", "/davX/", False),
        ("https://h.example:8443/dav/p1", "/dav/", False),
        ("https://h.example/dav/", "/dav/", False),
        ("https://h.example:8443/dav/", None, False),
        ("dav/", "/dav/", False),
        ("/dav/", "/dav/", False),
    ],
)
def test_chosen_by_credential(uri, path, is_chosen):
    """A share at the root of its sender's WebDAV is told from others by its credential alone, any other by its URL."""
    assert is_chosen_by_credential(offer(uri), peer(path), "file") is is_chosen


def test_root_of_the_resource_type():
    """The root is that of the share's own resource type."""
    types = tuple(
        ResourceOffer(name=name, share_types=("user",), protocols={"webdav": f"/{name}/"})
        for name in ("file", "folder")
    )
    sender = Discovery(enabled=True, api_version="", end_point="https://h.example/ocm", resource_types=types)

    assert is_chosen_by_credential(offer("https://h.example/folder/"), sender, "folder")
    assert not is_chosen_by_credential(offer("https://h.example/folder/"), sender, "file")


@given(st.text(max_size=30) | st.text("htps:/[]@.%?#x", max_size=20).map("https://".__add__), st.text(max_size=10))
def test_any_text(uri, path):
    """Whatever a sender writes, there is a URL or a refusal."""
    url = outcome(lambda: webdav_url(offer(uri), peer(path), "file"))

    assert isinstance(url, str) or url.kind is Kind.INVALID
