"""What peers answer to a message that changes nothing is read by their kind (live-captures.md 2; dialects.md 6, 7)."""

from __future__ import annotations

import pytest

from gateway.model.dialect import Dialect, Payload
from gateway.ocm.dialects.dryrun import Heard, read_dry_run


def heard(status, text="", *, name="Nextcloud"):
    return read_dry_run(Dialect(name=name, why="", payloads=(Payload.MULTI,)), status, text)


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (199, Heard.UNDERSTOOD),
        (201, Heard.UNDERSTOOD),
        (299, Heard.UNDERSTOOD),
        (300, Heard.BROKEN),
        (399, Heard.BROKEN),
        (400, Heard.UNDERSTOOD),
        (401, Heard.REFUSED),
        (403, Heard.REFUSED),
        (404, Heard.NO_DOOR),
        (405, Heard.NO_DOOR),
        (499, Heard.UNDERSTOOD),
        (500, Heard.BROKEN),
        (501, Heard.NO_DOOR),
        (503, Heard.BROKEN),
    ],
)
def test_status(status, what):
    """Of who looks at signatures, an answer about the share itself says that the message was understood."""
    assert heard(status, "There is no such share.") is what


@pytest.mark.parametrize(
    "text",
    [
        "Invalid signature",
        "INVALID SIGNATURE",
        "this is no signed request",
        "you are supposed to sign",
        "request is unsigned",
        "keyId is unknown",
        "unknown key id",
    ],
)
def test_words_about_signatures(text):
    """A refusal that speaks of signatures says that ours did not hold, whatever its status; a success says no such."""
    for status in (400, 401, 404, 499):
        assert heard(status, text) is Heard.NOT_PROVEN
    assert heard(399, text) is Heard.BROKEN
    assert heard(500, text) is Heard.BROKEN
    assert heard(201, text) is Heard.UNDERSTOOD


@pytest.mark.parametrize("name", ["ownCloud 10", "Seafile", "OpenCloud", "CERNBox", "oCIS"])
def test_who_reads_no_signatures(name):
    """A server that never looks at signatures can say nothing of ours, in whatever words it answers."""
    for status in (201, 400, 401, 403):
        assert heard(status, "Invalid signature", name=name) is Heard.UNCHECKED
    assert heard(404, name=name) is Heard.NO_DOOR
    assert heard(502, name=name) is Heard.BROKEN
