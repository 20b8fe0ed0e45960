"""The commands of users against running doors, as programs of their own."""

import json
import os
import sys

import pytest

from gateway.model.share import ReceivedState
from support.davdoor import run_program
from support.redisserver import make_store, private_server, server_program
from support.webapp import FAR, PASSWORD, user_app


@pytest.fixture
async def app(tmp_path):
    """The doors of local users, with a folder to share."""
    with private_server(server_program("embedded")) as url:
        async with make_store(url) as store, user_app(store, tmp_path) as app:
            (app.folder / "alice" / "Project").mkdir()
            yield app


@pytest.fixture
def ocm(app):
    """Run a command as Alice; return its exit code and output."""

    async def run(*arguments, **environment):
        settings = {"OCM_GATEWAY_URL": f"{app.url}/ocm", "OCM_GATEWAY_USER": "alice", "OCM_GATEWAY_PASSWORD": PASSWORD}
        return await run_program(sys.executable, "-m", "gateway", *arguments, env=os.environ | settings | environment)

    return run


async def test_share_is_created_shown_and_revoked(app, ocm):
    """A share's life in four commands."""
    create = ("share", "create", "/Project", "--with", f"ada@{FAR}", "--write", "--expires", "30d", "--json")
    status, output = await ocm(*create)
    made = json.loads(output)
    assert (status, made["state"], made["permissions"]) == (0, "delivered", ["read", "write"])
    assert abs(made["expires_at"] - app.clock() - 30 * 86_400) < 60
    status, output = await ocm("share", "list")
    assert (status, output) == (0, f"{made['id']}  delivered  /Project → ada@{FAR}\n")
    status, output = await ocm("share", "show", made["id"])
    assert (status, "recipient_display_name   Ada Lovelace" in output) == (0, True)
    status, output = await ocm("share", "revoke", made["id"])
    assert (status, "revoked" in output) == (0, True)


async def test_received_share_is_accepted_and_used(app, ocm, tmp_path):
    """Files go both ways in pieces, larger than what is held at once."""
    content = os.urandom(3_000_000)
    (app.remote / "big file.bin").write_bytes(content)
    await app.receive()
    assert (await ocm("received", "list"))[1] == f"r1  pending   Spectra from ada@{FAR}\n"
    assert (await ocm("received", "accept", "r1"))[0] == 0
    assert "3000000  /big file.bin" in (await ocm("received", "ls", "r1"))[1]
    assert await ocm("received", "get", "r1", "big file.bin", str(tmp_path)) == (0, "")
    assert (tmp_path / "big file.bin").read_bytes() == content
    assert await ocm("received", "put", "r1", str(tmp_path / "big file.bin"), "/copy.bin") == (0, "")
    assert (app.remote / "copy.bin").read_bytes() == content
    assert (await ocm("received", "decline", "r1"))[0] == 0
    assert (await app.api.received.get("r1")).state is ReceivedState.DECLINED


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "words"),
    [
        (("share", "show", "nothing"), {}, 3, "You have no such share."),
        (("share", "create", "/x", "--with", "ada"), {}, 2, "user@host"),
        (("share", "create", "/nowhere", "--with", f"ada@{FAR}"), {}, 3, ""),
        (("share", "create", "/Project", "--with", "ada@elsewhere.example"), {}, 5, "does not answer"),
        (("share", "create", "/Project", "--with", "a@b", "--expires", "soon"), {}, 2, "30d"),
        (("share", "list"), {"OCM_GATEWAY_PASSWORD": "wrong"}, 4, "The user name or the password is wrong."),
        (("share", "list"), {"OCM_GATEWAY_URL": "http://127.0.0.1:1/ocm"}, 5, "does not answer"),
        (("share", "list"), {"OCM_GATEWAY_URL": "file:///etc/passwd"}, 2, "https://"),
        (("received", "get", "r9", "x"), {}, 3, "You have received no such share."),
    ],
)
async def test_failures_are_one_sentence_and_an_exit_code(ocm, arguments, environment, status, words):
    """Scripts learn from the exit code what happened, people from a sentence; nobody sees a traceback."""
    code, output = await ocm(*arguments, **environment)
    assert code == status, output
    assert words in output
    assert "Traceback" not in output


async def test_a_failed_download_leaves_what_was_there(app, ocm, tmp_path):
    """A file is replaced by a whole one or not at all, and nothing is left over."""
    await app.receive(state=ReceivedState.ACCEPTED)
    target = tmp_path / "mine" / "a.txt"
    target.parent.mkdir()
    target.write_text("old")
    code, output = await ocm("received", "get", "r1", "gone.txt", str(target))
    assert code == 3, output
    (app.remote / "folder").mkdir()
    code, output = await ocm("received", "get", "r1", "folder", str(target))
    assert (code, "This is a folder" in output) == (1, True)
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


async def test_names_of_strangers_do_not_steer_the_terminal(app, ocm):
    """What a sender wrote is shown, escape sequences included, and not carried out."""
    await app.receive(name="x\x1b[2Jy")
    assert "x\\u001b[2Jy" in (await ocm("received", "list"))[1]
