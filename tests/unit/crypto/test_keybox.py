"""The keys of now: a changed key file is taken over, a bad one is not (KEYS-2; DESIGN 10)."""

import os
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from gateway.crypto.jwt import TokenFault, TokenInvalid
from gateway.crypto.keybox import KeyBox
from gateway.crypto.keys import KeyRing, save_key_file
from gateway.crypto.secrets import Sealer
from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret
from gateway.model.token import TokenClaims

NOW = 1_785_060_500
URL = "https://sender.example.org"
RING = KeyRing.generate(URL, NOW)
CLAIMS = TokenClaims(
    issuer=URL,
    subject="einstein",
    audience="marie@receiver.example.org",
    client_id="7c084226",
    token_id="t1",
    issued_at=NOW,
    expires_at=NOW + 600,
)


@pytest.fixture
def path(tmp_path):
    """Return the path of a key file."""
    save_key_file(tmp_path / "keys.json", RING)
    return tmp_path / "keys.json"


def _change(path, ring):
    """Write another ring, with a time of change that differs whatever the clock of the file system."""
    before = path.stat().st_mtime_ns
    save_key_file(path, ring)
    os.utime(path, ns=(before + 1, before + 1))


def test_the_first_reading(path):
    """A box holds the ring of its file, and a file that cannot be read ends the start."""
    assert KeyBox(path).current() == RING
    with pytest.raises(GatewayError, match="cannot be read") as caught:
        KeyBox(path.parent / "none.json")
    assert caught.value.kind is Kind.CONFIGURATION


def test_an_unchanged_file_is_not_read_again(path):
    """As long as the file has the same time of change, there is nothing to do."""
    box = KeyBox(path)
    ring = box.current()

    with capture_logs() as logs:
        assert box.read_again() is False
    assert box.current() is ring
    assert logs == []


@pytest.mark.req("KEYS-2")
def test_a_changed_file_is_taken_over(path):
    """A rotated key file is used at once: it signs and seals with the new keys, and still opens what the old made."""
    box = KeyBox(path)
    token, sealed = box.issue(CLAIMS).reveal(), box.seal(b"x", context="c")
    rotated = RING.rotate(NOW).rotate_sealing(NOW).advance(NOW + 24 * 3600)
    _change(path, rotated)

    with capture_logs() as logs:
        assert box.read_again() is True
        assert box.read_again() is False
    assert logs == [{"module": "gateway.crypto.keybox", "event": "keys read again", "log_level": "info"}]
    assert box.current() == rotated
    assert box.verify(token, NOW) == CLAIMS
    assert box.verify(box.issue(CLAIMS).reveal(), NOW) == CLAIMS
    assert box.issue(CLAIMS).reveal().split(".")[0] != token.split(".")[0]
    assert box.open(sealed, context="c") == b"x"
    assert Sealer([rotated.sealing_keys()[0]]).open(box.seal(b"y", context="c"), context="c") == b"y"


@pytest.mark.parametrize("fault", ["malformed", "gone"])
def test_a_file_that_cannot_be_read_changes_nothing(path, fault):
    """A key file that is gone or malformed costs a warning, and the last good keys stay."""
    box = KeyBox(path)
    if fault == "gone":
        path.unlink()
        reason = f"[Errno 2] No such file or directory: '{path}'"
    else:
        path.write_text("{}")
        reason = "The key file is malformed."

    with capture_logs() as logs:
        assert box.read_again() is False
    assert logs == [
        {
            "module": "gateway.crypto.keybox",
            "event": "key file cannot be read, keeping the last good keys",
            "reason": reason,
            "log_level": "warning",
        }
    ]
    assert box.current() == RING


@pytest.mark.parametrize("changes", [{"instance_id": "other"}, {"pepper": b"other"}])
def test_the_file_of_another_instance_changes_nothing(path, changes):
    """With another instance's keys our records could not be read, so its file is not taken over."""
    box = KeyBox(path)
    _change(path, replace(RING, **changes))

    with capture_logs() as logs:
        assert box.read_again() is False
    assert logs == [
        {
            "module": "gateway.crypto.keybox",
            "event": "key file is another instance's, keeping the last good keys",
            "log_level": "error",
        }
    ]
    assert box.current() == RING


def test_sealing(path):
    """A box seals under a context, bytes and secrets alike, and opens only under the same."""
    box = KeyBox(path)

    assert box.open(box.seal(b"x", context="c"), context="c") == b"x"
    assert box.open(box.seal(Secret("y"), context="c"), context="c") == b"y"
    with pytest.raises(GatewayError):
        box.open(box.seal(b"x", context="c"), context="d")


@pytest.mark.req("TOK-4")
def test_tokens(path):
    """A box accepts its own tokens for its own address until they expire."""
    box = KeyBox(path)
    token = box.issue(CLAIMS).reveal()

    assert box.verify(token, NOW) == CLAIMS
    with pytest.raises(TokenInvalid) as caught:
        box.verify(token, NOW + 600)
    assert caught.value.reason is TokenFault.EXPIRED
    with pytest.raises(TokenInvalid) as caught:
        box.verify(box.issue(replace(CLAIMS, issuer="https://other.example.org")).reveal(), NOW)
    assert caught.value.reason is TokenFault.INVALID
