"""The names that received shares get in a mount."""

import pytest

from gateway.model.address import Host, OcmAddress
from gateway.model.mountname import folded, mount_name
from gateway.model.secret import Secret
from gateway.model.share import ReceivedShare, WebdavOffer


def share(name, *, kind="folder"):
    """Return a received share of this name, from ada@cloud.example.net."""
    ada = OcmAddress("ada", Host("cloud.example.net"))
    return ReceivedShare(
        share_id="r1",
        peer=ada.host,
        provider_id="p1",
        recipient="bob",
        owner=ada,
        owner_display_name="Ada",
        sender=ada,
        sender_display_name="Ada",
        name=name,
        resource_type=kind,
        webdav=WebdavOffer(uri="x", secret=Secret("s")),
        is_signed=True,
        received_at=1.0,
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Spectra", "Spectra"),
        ("/Spectra", "Spectra"),
        ("a/b\\c", "a_b_c"),
        ("..", "share"),
        ("", "share"),
        (" \x00\u202e ", "share"),
        ("trailing. ", "trailing"),
        ("line\nbreak", "line_break"),
        ("u\u0308ber", "\u00fcber"),
        ("\ud800", "share"),
    ],
)
def test_a_name_is_made_fit_for_every_client(name, shown):
    """What parts paths, steers terminals or is lost on some client does not come into a name."""
    assert mount_name(share(name), ()) == shown


def test_a_name_is_never_too_long():
    """A long name is cut between characters, and with its owner behind it a storage still takes it."""
    name = mount_name(share("ü" * 500), {folded("ü" * 60)})
    assert name.startswith("ü" * 60 + " (ada@")
    assert len(name.encode()) <= 255


@pytest.mark.parametrize("taken", ["report", "REPORT", "Report"])
def test_names_that_differ_in_case_only_are_one(taken):
    """Windows and macOS would show one of the two only."""
    assert mount_name(share("Report"), {folded(taken)}) == "Report (ada@cloud.example.net)"


def test_a_third_share_is_numbered():
    """Where the owner's address does not tell them apart, a number does, before a file's suffix."""
    taken = {folded("a.pdf"), folded("a (ada@cloud.example.net).pdf")}
    assert mount_name(share("a.pdf", kind="file"), taken) == "a (ada@cloud.example.net) 2.pdf"
    assert mount_name(share("a.pdf"), {folded("a.pdf")}) == "a.pdf (ada@cloud.example.net)"
    assert mount_name(share(".profile", kind="file"), {".profile"}) == ".profile (ada@cloud.example.net)"
