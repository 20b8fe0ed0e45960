"""How values are written: durations, sizes, hosts, networks, secrets."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError

from gateway.config.values import (
    CommandLine,
    Credentials,
    Hosts,
    HttpUrl,
    Networks,
    Origin,
    StorageUrl,
    StoreUrl,
    UrlPrefix,
    parse_duration,
    parse_size,
    show_duration,
    show_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("12h", 43200), ("7d", 604800), ("250ms", 0.25), ("5", 5), (5, 5), (1.5, 1.5)],
)
def test_duration(text, seconds):
    """A duration is a number with a unit, seconds without one."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "bad", ["", "x", "10 weeks", "-1s", -1, True, None, float("inf"), float("nan"), "1e9", "99999d"]
)
def test_duration_refused(bad):
    """What is not a duration up to ten years is refused."""
    with pytest.raises(ValueError, match=r"duration|ten years"):
        parse_duration(bad)


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), (512, 512), ("64KiB", 65536), ("1 MiB", 2**20), ("2GiB", 2**31), ("0.5KiB", 512)]
)
def test_size(text, size):
    """A size is a number with a binary unit, bytes without one."""
    assert parse_size(text) == size


@pytest.mark.parametrize("bad", ["", "64KB", "64K", "-1", "1.5", "0.3KiB", True, [1]])
def test_size_refused(bad):
    """Decimal units, fractions of a byte and negative sizes are refused."""
    with pytest.raises(ValueError, match="bytes"):
        parse_size(bad)


@given(st.integers(min_value=0, max_value=10 * 365 * 86400))
def test_duration_is_shown_as_it_is_read(seconds):
    """A duration that is written by us is read back as the same."""
    assert parse_duration(show_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=2**40))
def test_size_is_shown_as_it_is_read(size):
    """A size that is written by us is read back as the same."""
    assert parse_size(show_size(size)) == size


@pytest.mark.parametrize("parse", [parse_duration, parse_size])
@given(text=st.text())
def test_any_text_gives_a_number_or_a_fault(parse, text):
    """No text makes the parsers fail in any other way than they promise."""
    with contextlib.suppress(ValueError):
        assert parse(text) >= 0


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Hosts, "a.example, B.example:8443,", ("a.example", "b.example:8443")),
        (Hosts, ["https://a.example/"], ("a.example",)),
        (Origin, "https://Cloud.Example.org:443/", "https://cloud.example.org"),
        (Origin, "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (StorageUrl, "file:///srv/{user}", "file:///srv/{user}"),
        (StorageUrl, "webdav+http://h/d/{user}/", "webdav+http://h/d/{user}/"),
        (StorageUrl, "webdav+http://h/{user}/files", "webdav+http://h/{user}/files"),
        (StorageUrl, "sftp://ocm@h:2222/srv/{user}", "sftp://ocm@h:2222/srv/{user}"),
        (StorageUrl, "sftp://h/~/", "sftp://h/~/"),
        (CommandLine, "oidc-token 'my gateway'", "oidc-token 'my gateway'"),
        (StoreUrl, "embedded", "embedded"),
        (StoreUrl, "unix:///run/redis.sock", "unix:///run/redis.sock"),
        (UrlPrefix, "/a/b-c", "/a/b-c"),
    ],
)
def test_accepted(kind, text, value):
    """A value is brought into its normal form."""
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Hosts, "a b"),
        (Networks, "10.0.0.1/8"),
        (Networks, "example.org"),
        (Origin, "https://cloud.example.org/path"),
        (Origin, "ftp://cloud.example.org"),
        (HttpUrl, "https://user:pw@host/"),
        (HttpUrl, "https://host/?a=b"),
        (HttpUrl, "host:80"),
        (StorageUrl, "https://host/"),
        (StorageUrl, "webdav+https://user:pw@host/"),
        (StorageUrl, "webdav+https://host/?token=x"),
        (StorageUrl, "webdav+https:///path"),
        (StorageUrl, "file://host/path"),
        (StorageUrl, "file:///{user}/files"),
        (StorageUrl, "file:///a{user}"),
        (StorageUrl, "file:///{user}/{user}"),
        (StorageUrl, "sftp://h/{user}/files"),
        (StorageUrl, "sftp://ocm:secret@h/"),
        (StorageUrl, "sftp://h:port/"),
        (StorageUrl, "sftp:///srv"),
        (StorageUrl, "webdav+http://{user}/files"),
        (StorageUrl, "webdav+http://h/a{user}/"),
        (StorageUrl, "webdav+http://h/{user}b/"),
        (StorageUrl, "webdav+http://h/{user}/{user}"),
        (CommandLine, "oidc-token 'my gateway"),
        (CommandLine, " "),
        (StoreUrl, "http://host"),
        (StoreUrl, "redis://:secret@host"),
        (StoreUrl, "redis://host?password=secret"),
        (UrlPrefix, "ocm"),
        (UrlPrefix, "/ocm/"),
        (UrlPrefix, "/"),
        (UrlPrefix, "/a b"),
        (Credentials, "only-a-name"),
        (Credentials, ":only-a-password"),
        (Credentials, ""),
        (Credentials, True),
    ],
)
def test_refused(kind, text):
    """A value that cannot be meant, or that would show a secret in a URL, is refused."""
    adapter = TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    with pytest.raises(ValidationError):
        adapter.validate_python(text)
