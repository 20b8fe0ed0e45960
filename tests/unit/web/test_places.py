"""Whose a path is, however it is spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.places import Places

PLACES = Places(prefix="/ocm", pass_probes=False)

OURS = [
    "/ocm",
    "/ocm/",
    "/ocm/shares",
    "/ocm?x=1",
    "//ocm/shares",
    "///ocm",
    "/./ocm/shares",
    "/%6fcm/shares",
    "/%256fcm/shares",
    "/%25256fcm/shares",
    "/ocm%2fdav",
    "/ocm%252fdav",
    "/%2focm/dav",
    "/OCM/shares",
    "/ocm;v=1/shares",
    "/;a/ocm/shares",
    "/x/../ocm/shares",
    "/x/%2e%2e/ocm/shares",
    "/x/..;/ocm/shares",
    "/a%2fb/../ocm/shares",
    "/a/../ocm//../x",
    "/x/..%2focm/shares",
    "\\ocm\\shares".replace("\\", "/%5c", 1),
    "/%5cocm/shares",
    "/ocm%00/shares",
    "/ocm%3fx",
    "/ocm%23x",
    "/ocm./shares",
    "/ocm%20/shares",
    "/.well-known/ocm",
    "/.well-known//ocm",
    "/.well-known/jwks.json",
    "/%2ewell-known/ocm",
    "/ocm-provider",
    "/ocm-provider/",
]
PROBES = [
    "/status.php",
    "/status.php?x",
    "//status.php",
    "/ocs/v2.php/cloud",
    "/ocs",
    "/ocs-provider/",
    "/ocs-provider-v2",
    "/index.php/apps/files_sharing/x",
    "/index.php//apps/./files_sharing/x",
]
THEIRS = [
    "/",
    "/index.html",
    "/ocmx",
    "/ocm-files/a",
    "/x/ocm/shares",
    "/x?path=/ocm/shares",
    "/x?..%2focm",
    "/a/../b",
    "/a%2fb",
    "/a//b",
    "/.well-known/acme-challenge/x",
    "/.well-known/ocmx",
    "/files/%E2%82%AC;v=1",
    "/index.php/apps/files",
    "/100%25",
]


@pytest.mark.parametrize("path", OURS)
def test_no_spelling_of_ours_passes(path):
    """What any server might read as a path of ours never goes to the service."""
    assert not PLACES.may_pass(path)


@pytest.mark.parametrize("path", PROBES)
def test_probes_pass_only_if_the_operator_says_so(path):
    """What peers ask to find out the product is kept from the service, unless it is let through by name."""
    assert not PLACES.may_pass(path)
    assert Places(prefix="/ocm", pass_probes=True).may_pass(path)


@pytest.mark.parametrize("path", THEIRS)
def test_all_else_passes(path):
    """A path that only looks similar is the service's."""
    assert PLACES.may_pass(path)


@pytest.mark.parametrize("path", ["*", "http://x/y", "x", "", "/x#/ocm", "/\xe9", "/%2525252525256fcm"])
def test_what_is_no_plain_path_never_passes(path):
    """Targets that are no path, and text that was encoded too often to be honest, stay here."""
    assert not PLACES.may_pass(path)


@given(
    st.lists(st.sampled_from(["/", "/./", "//", "/%2f", "/x/../", "/%2e/", "/x/%2e%2e/"]), min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.integers(0, 2),
)
def test_no_mixture_of_spellings_passes(before, encoded, times):
    """However the tricks are combined, our prefix is seen."""
    name = "".join(f"%{ord(c):02x}" if hide else c for c, hide in zip("ocm", encoded, strict=True))
    for _time in range(times):
        name = name.replace("%", "%25")
    assert not PLACES.may_pass("".join(before) + name + "/shares")


def test_a_prefix_of_several_names_is_kept_whole():
    """Only the whole prefix is ours, not its first name."""
    places = Places(prefix="/a/b", pass_probes=False)
    assert not places.may_pass("/a/b/x")
    assert not places.may_pass("/a/./b")
    assert places.may_pass("/a/c")
