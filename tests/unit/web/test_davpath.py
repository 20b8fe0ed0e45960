"""Where in a share a URL points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.resource import EntryKind, ResourcePath
from gateway.web.davpath import DavRoot, attachment
from support.davdoor import attempt

FOLDER = DavRoot(prefix="/ocm/dav", share_id="id1", authorities=frozenset({"cloud.example"}))
FILE = DavRoot(prefix="/ocm/dav", share_id="id1", kind=EntryKind.FILE, name="a b.txt")


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize(
    ("target", "path", "base"),
    [
        ("/ocm/dav", "", "/ocm/dav/"),
        ("/ocm/dav/", "", "/ocm/dav/"),
        ("/ocm/dav/a/b", "a/b", "/ocm/dav/"),
        ("/ocm/dav/a/b/", "a/b", "/ocm/dav/"),
        ("/ocm/dav///a", "a", "/ocm/dav/"),
        ("/ocm/dav/a?b/c", "a", "/ocm/dav/"),
        ("/ocm/dav/id1", "", "/ocm/dav/id1/"),
        ("/ocm/dav/id1/", "", "/ocm/dav/id1/"),
        ("/ocm/dav/id1/a", "a", "/ocm/dav/id1/"),
        ("/ocm/dav//id1//a", "a", "/ocm/dav/id1/"),
        ("/ocm/dav/id1/id1", "id1", "/ocm/dav/id1/"),
        ("/ocm/dav/id12/a", "id12/a", "/ocm/dav/"),
        ("/ocm/dav/a%20b", "a b", "/ocm/dav/"),
    ],
)
def test_folder_share_answers_with_and_without_its_id(target, path, base):
    """The share's id may lead the path; empty segments behind the prefix and the query mean nothing."""
    place = FOLDER.locate(target)

    assert (place.path, place.href_base) == (ResourcePath.parse(path), base)


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    "target",
    [
        "http://cloud.example/ocm/dav/a",
        "*",
        "",
        "ocm/dav/a",
        "/ocm/dav/a#b",
        "/ocm/dav/../a",
        "/ocm/dav/%2e%2e/a",
        "/ocm/dav/id1/..",
        "/ocm/dav/a/./b",
        "/ocm/dav/a//b",
        "/ocm/dav/a%2fb",
        "/ocm/dav/a%5cb",
        "/ocm/dav/a%00",
        "/ocm/dav/é",
    ],
)
def test_target_that_is_no_plain_path_is_refused(target):
    """Whatever could be read in two ways is the client's fault, however it is spelled."""
    with pytest.raises(GatewayError) as caught:
        FOLDER.locate(target)

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("target", ["/", "/ocm/davx/a", "/ocm/da", "/other", "/ocm/d%61v/a"])
def test_target_outside_the_door_is_nothing(target):
    """What is not below the prefix does not exist."""
    with pytest.raises(GatewayError) as caught:
        FOLDER.locate(target)

    assert caught.value.kind is Kind.NOT_FOUND


@pytest.mark.req("ACC-1")
@pytest.mark.parametrize(
    ("target", "href"),
    [
        ("/ocm/dav", "/ocm/dav"),
        ("/ocm/dav/", "/ocm/dav/"),
        ("/ocm/dav//", "/ocm/dav/"),
        ("/ocm/dav/id1", "/ocm/dav/id1"),
        ("/ocm/dav/id1/", "/ocm/dav/id1/"),
        ("/ocm/dav/a%20b.txt", "/ocm/dav/a%20b.txt"),
        ("/ocm/dav/id1/a%20b.txt/", "/ocm/dav/id1/a%20b.txt/"),
    ],
)
def test_file_share_answers_in_every_form_and_in_that_form(target, href):
    """A share of one file is its root, with or without a slash, and its name below the root."""
    place = FILE.locate(target)

    assert place.path.is_root
    assert place.href_of(place.path, is_folder=False) == href


@pytest.mark.parametrize("target", ["/ocm/dav/other", "/ocm/dav/a%20b.txt/x", "/ocm/dav/id1/id1"])
def test_file_share_holds_nothing_else(target):
    """Below a shared file there is nothing."""
    with pytest.raises(GatewayError) as caught:
        FILE.locate(target)

    assert caught.value.kind is Kind.NOT_FOUND


def test_hrefs_use_the_form_of_the_request():
    """Answers name members below the base by which the client came, folders with a final slash."""
    place = FOLDER.locate("/ocm/dav/id1/x")

    assert place.href_of(ResourcePath(("a b", "ü")), is_folder=False) == "/ocm/dav/id1/a%20b/%C3%BC"
    assert place.href_of(ResourcePath(("a",)), is_folder=True) == "/ocm/dav/id1/a/"
    assert place.href_of(ResourcePath(), is_folder=True) == "/ocm/dav/id1/"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("/ocm/dav/b", None),
        ("/ocm/dav/id1/b", None),
        ("https://cloud.example/ocm/dav/b", None),
        ("https://CLOUD.example:443/ocm/dav/b", None),
        ("http://inside:8080/ocm/dav/id1/b", "inside:8080"),
        ("http://inside/ocm/dav/b", "inside:80"),
        ("http://inside:80/ocm/dav/b?x=y", "inside"),
    ],
)
def test_destination_is_understood_in_either_form(url, host):
    """A destination is a path or a URL of ours, with the share's id or without."""
    assert FOLDER.locate_url(url, host=host).path == ResourcePath(("b",))


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/ocm/dav/b",
        "https://cloud.example:444/ocm/dav/b",
        "//evil.example/ocm/dav/b",
        "/other/b",
        "https://cloud.example/",
    ],
)
def test_destination_outside_the_share_is_forbidden(url):
    """Nothing is moved or copied to another server or another part of this one."""
    with pytest.raises(GatewayError) as caught:
        FOLDER.locate_url(url, host="inside")

    assert caught.value.kind is Kind.FORBIDDEN


@pytest.mark.parametrize(
    "url", ["", "b", "ftp://cloud.example/b", "https://u@cloud.example/ocm/dav/b", "http://[::1/b", "/ocm/dav/%2e%2e/b"]
)
def test_destination_that_is_no_url_is_refused(url):
    """What is no path and no URL is the client's fault."""
    with pytest.raises(GatewayError) as caught:
        FOLDER.locate_url(url, host="inside")

    assert caught.value.kind is Kind.INVALID


@pytest.mark.req("ACC-6")
@given(st.text(alphabet="/.%2efF5cid1a?#:\\é", max_size=30))
def test_any_target_stays_inside_or_is_refused(tail):
    """However a path is spelled, it names something inside the share or nothing."""
    for read in (FOLDER.locate, lambda url: FOLDER.locate_url(url, host=None)):
        place, refusal = attempt(read, "/ocm/dav/" + tail)

        assert refusal in (None, Kind.INVALID, Kind.NOT_FOUND, Kind.FORBIDDEN)
        assert place is None or not {"..", ".", ""} & set(place.path.parts)
        assert place is None or place.href_base in ("/ocm/dav/", "/ocm/dav/id1/")


def test_attachment_keeps_any_name_apart_from_the_field():
    """A file's name cannot add parameters or fields to the answer."""
    assert attachment('a"; x="\r\nb é') == "attachment; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0Ab%20%C3%A9"
    assert attachment("") == "attachment"
