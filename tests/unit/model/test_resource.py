from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.resource import PATH_MAX_BYTES, PATH_MAX_DEPTH, Entry, EntryKind, ResourcePath, Span
from support.outcome import outcome

# File names as an operating system may hold them: any bytes but the slash and NUL, here also without what we refuse.
NAMES = (
    st.binary(min_size=1, max_size=12)
    .map(lambda name: name.decode(errors="surrogateescape"))
    .filter(lambda name: name not in (".", "..") and not any(c in "/\\\x7f" or c < " " for c in name))
)
PATHS = st.lists(NAMES, max_size=5).map(lambda parts: ResourcePath(tuple(parts)))


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ("", ()),
        ("/", ()),
        ("//", ()),
        ("a", ("a",)),
        ("/a/", ("a",)),
        ("/a/b.txt", ("a", "b.txt")),
        ("/a%20b/%C3%BC", ("a b", "ü")),
        ("/%E4", ("\udce4",)),
        ("/...", ("...",)),
        ("/.a/a.", (".a", "a.")),
        ("/a%252Fb", ("a%2Fb",)),
        ("/100%", ("100%",)),
        ("/a+b;c=d", ("a+b;c=d",)),
    ],
)
def test_from_url(raw, parts):
    """Each segment of a URL's path is decoded once, on its own; invalid UTF-8 travels as surrogate escapes."""
    assert ResourcePath.from_url(raw).parts == parts


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    "raw",
    [
        "/..",
        "/../a",
        "/a/../b",
        "/a/..",
        "/.",
        "/a/./b",
        "//a",
        "/a//b",
        "/a//",
        "/%2e%2e",
        "/%2E%2E/a",
        "/.%2e",
        "/%2e",
        "/a%2Fb",
        "/a%2fb",
        "/..%2F..%2Fetc",
        "/a%5Cb",
        "/a\\b",
        "/..%5c..",
        "/a%00b",
        "/%00",
        "/a%0Ab",
        "/a%1Fb",
        "/a%7Fb",
        "/a%09",
        "/a\x00",
        "/ü",
    ],
)
def test_from_url_tricks(raw):
    """No spelling of a URL's path leads out of its folder or is read as two names."""
    with pytest.raises(GatewayError) as refused:
        ResourcePath.from_url(raw)

    assert (refused.value.kind, refused.value.code) == (Kind.INVALID, "path-invalid")


def test_from_url_not_encoded_sentence():
    """A path that is not percent-encoded is told so."""
    with pytest.raises(GatewayError) as refused:
        ResourcePath.from_url("/ü")

    assert refused.value.public == "This path is not percent-encoded."


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "a\\b", "a\x00", "\x1f", "\x7f", "\ud800", "\udcc3\udcbc"])
def test_part_refused(part):
    """A path cannot be built from a name that could leave its folder or has a second spelling."""
    with pytest.raises(GatewayError) as refused:
        ResourcePath(("a", part))

    error = refused.value
    assert (error.kind, error.code, error.public) == (Kind.INVALID, "path-invalid", "This path is not allowed.")


@pytest.mark.parametrize("build", [ResourcePath.parse, ResourcePath.from_url])
def test_too_long(build):
    """A path has at most 4096 bytes, its slashes counted."""
    name = "a" * 255
    longest = "/".join([name] * 16)
    assert len(longest) + 1 == PATH_MAX_BYTES

    assert build(longest).name == name
    with pytest.raises(GatewayError) as refused:
        build("a" + longest)
    error = refused.value
    assert (error.kind, error.code, error.public) == (Kind.INVALID, "path-too-long", "This path is too long.")


def test_too_long_in_bytes():
    """What counts is bytes, not characters."""
    assert ResourcePath(("ü" * 2047,)).name == "ü" * 2047
    with pytest.raises(GatewayError) as refused:
        ResourcePath(("ü" * 2048,))
    assert refused.value.code == "path-too-long"


def test_too_long_before_decoding():
    """An overlong URL is refused before it is taken apart."""
    assert ResourcePath.from_url("/" + "%41" * 4095).name == "A" * 4095
    with pytest.raises(GatewayError) as refused:
        ResourcePath.from_url("/" * (3 * PATH_MAX_BYTES + 1))
    error = refused.value
    assert (error.kind, error.code, error.public) == (Kind.INVALID, "path-too-long", "This path is too long.")


def test_too_deep():
    """A path has at most 256 names."""
    assert len(ResourcePath(("a",) * PATH_MAX_DEPTH).parts) == PATH_MAX_DEPTH
    with pytest.raises(GatewayError) as refused:
        ResourcePath(("a",) * (PATH_MAX_DEPTH + 1))
    assert refused.value.code == "path-too-long"


@given(PATHS)
def test_url_round_trip(path):
    """Every path survives its way through a URL, whatever bytes its names hold."""
    raw = path.to_url()

    assert ResourcePath.from_url(raw) == path
    assert ResourcePath.from_url(f"/{raw}/") == path


@given(PATHS)
def test_parse_round_trip(path):
    """Every path survives being written with slashes."""
    assert ResourcePath.parse("/".join(path.parts)) == path


@given(st.text(max_size=60) | st.text("/.%25ceEfF0\\a", max_size=30))
def test_from_url_any_text(raw):
    """Any text is a path that stays inside, or refused as INVALID."""
    path = outcome(lambda: ResourcePath.from_url(raw))
    if isinstance(path, GatewayError):
        assert path.kind is Kind.INVALID
        return

    assert not {"", ".", ".."} & set(path.parts)
    assert not any("/" in part or "\\" in part or "\0" in part for part in path.parts)
    assert ResourcePath.from_url(path.to_url()) == path


def test_to_url_escapes():
    """What some storages or clients read as more than a character is escaped."""
    path = ResourcePath(("a;b=c?d#e%f+g&h i", "x!$'()*,:@-._~"))

    assert path.to_url() == "a%3Bb%3Dc%3Fd%23e%25f%2Bg%26h%20i/x!$'()*,:@-._~"


@pytest.mark.parametrize(
    ("text", "parts"), [("", ()), ("/", ()), ("a/b", ("a", "b")), ("/a/", ("a",)), ("a b", ("a b",))]
)
def test_parse(text, parts):
    """A path may be written with one leading and one trailing slash."""
    assert ResourcePath.parse(text).parts == parts


@pytest.mark.parametrize("text", ["///", "//a", "a//", "a//b", "../a"])
def test_parse_refused(text):
    """A written path has no empty names and no dots."""
    with pytest.raises(GatewayError):
        ResourcePath.parse(text)


def test_relations():
    """A path knows its name, its parent, and what lies below what."""
    path = ResourcePath(("a", "b", "c"))

    assert path.name == "c"
    assert ResourcePath().name == ""
    assert path.parent == ResourcePath(("a", "b"))
    assert ResourcePath().parent == ResourcePath()
    assert (path.is_root, ResourcePath().is_root) == (False, True)
    assert path / "d" == ResourcePath(("a", "b", "c", "d"))
    assert path / ResourcePath(("d", "e")) == ResourcePath(("a", "b", "c", "d", "e"))
    assert path.is_within(path)
    assert path.is_within(ResourcePath())
    assert path.is_within(ResourcePath(("a", "b")))
    assert not path.is_within(ResourcePath(("a", "b", "c", "d")))
    assert not path.is_within(ResourcePath(("a", "x")))
    assert not ResourcePath(("ab",)).is_within(ResourcePath(("a",)))
    assert path.below(ResourcePath(("a",))) == ResourcePath(("b", "c"))
    assert path.below(path) == ResourcePath()


def test_below_another():
    """A path cannot be seen from a folder that does not hold it."""
    with pytest.raises(ValueError, match=r"^path is not below its ancestor$"):
        ResourcePath(("a",)).below(ResourcePath(("b",)))


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("name", ["..", ".", "", "a/b"])
def test_append_refused(name):
    """Appending a name cannot lead elsewhere."""
    with pytest.raises(GatewayError):
        ResourcePath(("a",)) / name


def test_text():
    """For people a path begins with a slash, and bytes that are not UTF-8 show as a replacement."""
    assert str(ResourcePath()) == "/"
    assert str(ResourcePath(("a", "b\udce4"))) == "/a/b\ufffd"


def test_entries():
    """An entry knows whether it holds others, and a span begins at the start."""
    assert Entry(path=ResourcePath(), kind=EntryKind.FOLDER).is_folder
    assert not Entry(path=ResourcePath(), kind=EntryKind.FILE).is_folder
    assert Span() == Span(0, None)
