"""The demo as a new user sees it: the story, Ctrl-C, and what is said when something breaks."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-u", "-m", "gateway", "demo")
STEPS = 10
WAIT = 60


@pytest.fixture
def demo():
    """Start the demo with more arguments; whatever is left of it in the end is a fault."""
    started = []

    def start(*arguments):
        command = [*COMMAND, "--free-ports", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_until(process, sign):
    """Return what the demo printed up to a line with `sign`."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if sign in line:
            break
    return "".join(lines)


def children(pid):
    """Return the processes below one, by their command lines."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        found.update(children(int(child)))
    return found


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_whole_story_is_played(demo):
    """Every step says OK, the requests between the gateways are shown, and the exit status is 0."""
    said, _ = (process := demo("--exit")).communicate(timeout=2 * WAIT)
    assert process.returncode == 0, said
    assert len(re.findall(r"^    OK  ", said, re.MULTILINE)) == STEPS, said
    for request in ("/.well-known/ocm", "/ocm/shares  201, signed", "/ocm/token  200, signed", "/answer.txt  201"):
        assert request in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything(demo, number):
    """After the story the demo waits; a signal ends it with status 0, and leaves no process and no folder."""
    process = demo()
    said = read_until(process, "Ctrl-C stops")
    assert said.count("/ocm/ui/   log in as") == 2, said
    below = children(process.pid)
    folder = Path(re.search(r"-c (\S+)/alpha.yaml", " ".join(below.values()))[1])
    process.send_signal(number)
    rest, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0, rest
    assert "Stopping." in rest
    assert len(below) >= 5, below
    assert [line for pid, line in below.items() if is_running(pid)] == []
    assert not folder.exists()


def test_an_interrupted_story_is_no_success(demo):
    """Ctrl-C in the middle of the story ends with status 130, and a second one does not leave parts behind."""
    process = demo()
    read_until(process, " 2. ")
    below = children(process.pid)
    process.send_signal(signal.SIGINT)
    read_until(process, "Stopping.")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert [line for pid, line in below.items() if is_running(pid)] == []


def test_a_storage_that_dies_is_named(demo):
    """Where the storage dies in the middle of the story, the step says so and the exit status is 1."""
    process = demo("--exit")
    read_until(process, " 2. ")
    webdav = next(pid for pid, line in children(process.pid).items() if "wsgidav" in line)
    os.kill(webdav, signal.SIGKILL)
    said, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 1
    assert "FAILED" in said
    assert "The WebDAV server has stopped by itself (signal 9)" in said


def test_a_part_that_does_not_start_is_named(demo, tmp_path):
    """Where a gateway cannot start, its own last words are shown at once and the exit status is 1."""
    (tmp_path / "alpha-data").write_text("this is no folder")
    said, _ = (process := demo("--exit", "--dir", str(tmp_path))).communicate(timeout=WAIT)
    assert process.returncode == 1
    assert "FAILED: The gateway alpha has stopped by itself" in said
    assert "alpha-data" in said


def test_a_part_that_dies_later_ends_the_demo(demo):
    """While the demo waits it looks after its parts: one that dies is named, and the exit status is 1."""
    process = demo()
    read_until(process, "Ctrl-C stops")
    gateway = next(pid for pid, line in children(process.pid).items() if "beta.yaml" in line)
    os.kill(gateway, signal.SIGKILL)
    said, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 1
    assert "The gateway beta has stopped by itself (signal 9)" in said
