"""The commands of operators, run as they run them: as processes, with their exit status."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

WAIT = 60


@pytest.fixture
def environment(tmp_path):
    """The three variables that are enough, and a home of its own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "OCM_GATEWAY_PUBLIC_URL": "https://cloud.example.org",
        "OCM_GATEWAY_STORAGE__URL": "webdav+http://127.0.0.1:9/files/",
        "OCM_GATEWAY_STORAGE__CREDENTIALS": "gateway:sesame-open",
    }


@pytest.fixture
def run(environment):
    """Run one command with more variables; return its exit status and what it said."""

    def once(*words, text="", **more):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            env=environment | more,
            input=text,
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return once


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_all_faults_are_told_at_once(run, command):
    """A wrong configuration ends with 78, and names every fault with its option, but no secret."""
    status, said = run(
        command,
        OCM_GATEWAY_HTTP__PORT="99999",
        OCM_GATEWAY_STORAGE__CREDENTIALS="sesame-without-colon",
        OCM_GATEWAY_NONSENSE="1",
    )
    assert status == 78
    for name in ("http.port", "storage.credentials", "OCM_GATEWAY_NONSENSE"):
        assert name in said
    assert "sesame" not in said


def test_good_configuration(run):
    """A good one is told in short, without secrets."""
    status, said = run("check-config")
    assert status == 0
    assert "user@cloud.example.org" in said
    assert "sesame" not in said


def test_several_storages_are_told_with_their_rules(run, tmp_path):
    """`check-config` says whose files are where, and with whose rights peers reach them."""
    example = Path(__file__).parents[2] / "config" / "examples" / "migration.yaml"
    (tmp_path / "storage").write_text("gateway:sesame")
    text = example.read_text().replace("/run/secrets/ocm-gateway/", f"{tmp_path}/")
    (tmp_path / "gateway.yaml").write_text(text)
    nothing = {"OCM_GATEWAY_STORAGE__URL": "", "OCM_GATEWAY_STORAGE__CREDENTIALS": ""}
    status, said = run("check-config", "-c", str(tmp_path / "gateway.yaml"), **nothing)
    assert status == 0, said
    for words in (
        "old: webdav+https://files.example.org/dav/{user}/ (users see it as: template)",
        "peers reach it with the service account",
        "of bob, group pilots are on new",
        "of all others are on old",
    ):
        assert words in said
    assert "sesame" not in said


def test_three_variables_serve(environment, run):
    """Three variables start a gateway that says what it serves; SIGTERM ends it with 0, and the log is quiet."""
    ports = {"OCM_GATEWAY_HTTP__PORT": free_port(), "OCM_GATEWAY_OPS__PORT": free_port()}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve"], env=environment | ports, stderr=subprocess.PIPE, text=True
    )
    try:
        first = []
        for line in process.stderr:
            first.append(line)
            if " serving " in line:
                break
        probe = f"http://127.0.0.1:{ports['OCM_GATEWAY_OPS__PORT']}/healthz"
        with urllib.request.urlopen(probe, timeout=WAIT) as answer:
            assert answer.status == 200
        status, said = run("store", "init")
        assert (status, "Another gateway is using" in said) == (78, True)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=WAIT)
    finally:
        process.kill()
    assert process.returncode == 0
    for fact in ("https://cloud.example.org", "127.0.0.1:9/files/", "store=embedded", ports["OCM_GATEWAY_HTTP__PORT"]):
        assert fact in first[-1]
    log = "".join(first) + rest
    assert "stopped" in rest
    assert [sign for sign in ("warning", "healthz", "sesame", "saq", "Traceback") if sign in log] == []


def test_a_taken_port_is_told(run):
    """A port that somebody else holds is one sentence and the status for what may get better."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, said = run("serve", OCM_GATEWAY_HTTP__PORT=str(taken.getsockname()[1]))
    assert status == 5
    assert "Cannot listen on 127.0.0.1:" in said
    assert "Traceback" not in said


def test_keys_are_made_shown_and_rotated(run):
    """`keys init` makes the file once, `show` tells no secret, `rotate` begins when asked and goes on when due."""
    assert run("keys", "show")[0] == 78
    assert run("store", "init")[0] == 78
    assert run("keys", "init")[0] == 0
    assert run("keys", "init")[0] == 1
    status, said = run("keys", "show")
    assert status == 0
    assert said.count("active") == 3
    assert "SSH door ssh-ed25519 " in said
    assert "https://cloud.example.org/ocm#" in said
    assert run("keys", "rotate") == (0, "Nothing is due yet.\n")
    status, said = run("keys", "rotate", "--now")
    assert (status, said.count("next "), said.count("active ")) == (0, 2, 3)
    assert run("keys", "rotate", "--now") == (0, "Nothing is due yet.\n")
    status, said = run("keys", "rotate", "--ssh")
    assert (status, said.count("next "), said.count("active ")) == (0, 3, 3)
    assert run("keys", "rotate", "--ssh") == (0, "Nothing is due yet.\n")
    assert run("store", "init")[0] == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("discover", "no host"), 2), (("discover", "localhost:9"), 4), (("storage", "probe"), 5), (("nonsense",), 2)],
)
def test_failures_have_their_status(run, words, expected):
    """What went wrong is one sentence, and the exit status tells its kind."""
    status, said = run(*words)
    assert status == expected, said
    assert "Traceback" not in said


def test_password_is_hashed_from_a_pipe(run):
    """A password may come from a pipe; it is not repeated, and an empty one is refused."""
    status, said = run("hash-password", text="open sesame\n")
    assert status == 0
    assert said.startswith("$argon2id$")
    assert "sesame" not in said
    assert run("hash-password", text="\n")[0] == 2
