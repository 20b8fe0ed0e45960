from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.webdav_names import Place, absolute_path
from gateway.errors import GatewayError
from gateway.model.resource import ResourcePath

SEGMENTS = st.text(min_size=1, max_size=12).filter(
    lambda text: (
        text not in (".", "..") and not any(c in "/\\\x7f" or ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in text)
    )
)
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda parts: ResourcePath(tuple(parts)))


@given(PATHS, st.booleans())
def test_every_path_survives_its_url(path, is_folder):
    """The URL of a path means that path again, absolute or as a bare path."""
    place = Place("https://h.example:444/base/%C3%A9/")
    url = place.url(path, is_folder=is_folder)

    assert place.path(str(url)) == path
    assert place.path(url.raw_path) == path


@given(st.text(max_size=60))
def test_any_href_is_a_path_below_or_nothing(href):
    """Whatever an href is, it never means anything but a checked path."""
    found = Place("http://h/base").path(href)

    assert found is None or ".." not in found.parts


@given(st.text(alphabet="/.%2eEfF5cC~;?#", max_size=30))
def test_tricks_with_dots_and_escapes_lead_nowhere(tail):
    """Dots, escapes and slashes in any order never leave the place."""
    found = Place("http://h/base").path(f"/base/{tail}")

    assert found is None or all(part not in ("..", ".") and "/" not in part for part in found.parts)


@pytest.mark.parametrize("href", ["/base", "/base/", "http://any/base", "//any/base/", "HTTPS://ANY/base"])
def test_the_place_itself(href):
    """The place itself is meant with or without slash, on whatever host."""
    assert Place("http://h/base/").path(href) == ResourcePath()


def test_a_relative_href_counts_from_its_base():
    """An href without a slash at its start is resolved against the base."""
    assert absolute_path("x", "/a/b/") == ResourcePath(("a", "b", "x"))


@given(SEGMENTS)
def test_names_are_decoded_once(name):
    """A name that looks escaped stays what it is."""
    assert Place("http://h/").path("/" + quote(name, safe="")) == ResourcePath((name,))


@pytest.mark.parametrize("url", ["h/", "http:///x", "http://u@h/", "http://h/%2e%2e/", "http://h/a//b"])
def test_bad_places(url):
    """A place is an http(s) URL with a plain path."""
    with pytest.raises(GatewayError):
        Place(url)
