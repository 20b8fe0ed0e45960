"""Where bearer tokens come from, and when they are read again."""

import base64
import json
import os
import sys

import pytest

from gateway.backends.bearer import (
    REREAD_SECONDS,
    TOKEN_MAX_CHARS,
    Bearer,
    expiry_of,
    from_command,
    from_environment,
    from_file,
)
from gateway.errors import GatewayError, Kind


class Clock:
    def __init__(self):
        self.time = 1_000_000.0

    def __call__(self):
        return self.time


def jwt(end):
    """Return what looks like a JWT that ends then."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


async def token(source):
    return (await source.authorize())["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def clock():
    return Clock()


async def test_a_file_is_read_again_when_it_changes(tmp_path, clock):
    """A token that was renewed in the file is used at the next request."""
    path = tmp_path / "token"
    path.write_text("first\n")
    source = from_file(path, clock)
    assert await token(source) == "first"
    path.write_text("second!\n")
    assert await token(source) == "second!"


async def test_a_file_that_is_away_for_a_moment_does_not_matter(tmp_path, clock):
    """The last token goes on while it may still be good, and no longer."""
    path = tmp_path / "token"
    path.write_text("first")
    source = from_file(path, clock)
    assert await token(source) == "first"
    path.unlink()
    assert await token(source) == "first"
    clock.time += REREAD_SECONDS
    with pytest.raises(GatewayError) as caught:
        await token(source)
    assert caught.value.kind is Kind.UNAVAILABLE
    assert "first" not in str(caught.value)


async def test_a_token_is_renewed_before_its_end(clock):
    """A JWT says when it ends; a minute before, the source is asked again, and not at each request."""
    asked = []

    async def read():
        asked.append(clock())
        return jwt(clock() + 180)

    source = Bearer(read=read, now=clock)
    for seconds in (0, 119, 1, 119):
        clock.time += seconds
        await token(source)
    assert [when - asked[0] for when in asked] == [0, 120]


async def test_a_command_prints_the_token(clock):
    """The command runs without a shell; what it prints is the token."""
    program = [sys.executable, "-c", "print('from; command $HOME'.split()[1])"]
    assert await token(from_command(program, clock)) == "command"


@pytest.mark.parametrize(
    "code",
    ["raise SystemExit(1)", "print('')", "print('two words')", f"print('x' * {TOKEN_MAX_CHARS + 1})", "print('a\\nb')"],
)
async def test_what_is_no_token_is_an_outage(clock, code):
    """A failing command, nothing, words, line ends and floods never become a header field."""
    with pytest.raises(GatewayError) as caught:
        await token(from_command([sys.executable, "-c", code], clock))
    assert caught.value.kind is Kind.UNAVAILABLE


async def test_a_command_that_is_not_there_is_an_outage(clock):
    """It is told in the log by its name."""
    with pytest.raises(GatewayError, match="no-such-program"):
        await token(from_command(["/no-such-program"], clock))


async def test_the_environment_is_searched_in_the_order_of_wlcg(tmp_path, clock):
    """BEARER_TOKEN, then BEARER_TOKEN_FILE, then the runtime folder."""
    (tmp_path / "named").write_text("named")
    (tmp_path / f"bt_u{os.geteuid()}").write_text("runtime")
    environ = {
        "BEARER_TOKEN": "given\n",
        "BEARER_TOKEN_FILE": str(tmp_path / "named"),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    found = []
    for name in list(environ):
        found.append(await token(from_environment(environ, clock)))
        del environ[name]
    assert found == ["given", "named", "runtime"]


@pytest.mark.parametrize("text", ["", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJleHAiOiJ4In0.c", "macaroon"])
def test_tokens_without_an_end(text):
    """What is no JWT, or names no time, has no known end."""
    assert expiry_of(text) is None


async def test_the_token_does_not_show(clock):
    """The source's own text does not hold it."""

    async def read():
        return "hunter2"

    source = Bearer(read=read, now=clock)
    assert await token(source) == "hunter2"
    assert "hunter2" not in repr(source)
