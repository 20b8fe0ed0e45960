import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.peers.urls import checked_url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/ocm",
        "ftp://h.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://user@h.example/",
        "https://h.example/a#b",
        "https://h.example/a b",
        "https://h.example\\@evil.example/",
        "https://h.example:99999/",
        "https://h.example:x/",
        "https://[::1/",
        "https://exämple.org/",
        "https://h.example/\r\nX: y",
        "https://h.example/" + "a" * 2048,
    ],
)
def test_unusable_urls(text):
    """A URL that is no plain absolute http(s) URL is refused."""
    with pytest.raises(GatewayError) as caught:
        checked_url(text, allow_http=True)
    assert caught.value.kind is Kind.INVALID


@pytest.mark.req("DISC-6")
def test_http_needs_leave():
    """Plain http is refused unless the configuration allows it."""
    assert str(checked_url("http://h.example/", allow_http=True)) == "http://h.example/"
    with pytest.raises(GatewayError):
        checked_url("http://h.example/", allow_http=False)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("https://H.Example:443/ocm", "https://h.example/ocm"),
        ("https://h.example", "https://h.example/"),
        ("https://h.example:8443/a%2fb/%41?x=%20&y", "https://h.example:8443/a%2fb/%41?x=%20&y"),
        ("http://h.example:80/", "http://h.example/"),
        ("http://h.example:443/", "http://h.example:443/"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("https://h.example/a/../b//c", "https://h.example/a/../b//c"),
    ],
)
def test_only_the_host_is_normalised(text, sent):
    """The host takes its normal form; path and query stay byte for byte."""
    assert str(checked_url(text, allow_http=True)) == sent


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_refused(text):
    """Whatever a stranger writes gives a URL or a `GatewayError`, nothing else."""
    for candidate in (text, f"https://{text}", f"https://h.example/{text}"):
        try:
            url = checked_url(candidate, allow_http=True)
        except GatewayError:
            continue
        assert url.scheme in ("http", "https")
        assert url.raw_host
        assert url.user is None
