"""The benchmark works, and the page of the docs says what it has measured. Nothing here is timed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import relay, report, sessions, sftp, transfer, webdav
from bench.subjects import SUBJECTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
PAGE_JSON = ROOT / "docs" / "performance.json"
TOOLS = ("nginx", "apache2", "wrk", "curl", "taskset", "rclone", "sshd", "sftp")
# How many rows a subject has, and who has a figure at least in the rows of a unit.
ROWS = {"relay": 16, "webdav": 7, "sftp": 4, "sessions": 3, "transfer": 4}
RELAY, PROXIES = {relay.GATEWAY, relay.NGINX, relay.STORAGE}, {relay.GATEWAY, relay.NGINX, relay.UNBUFFERED}
SIDES_OF = {
    "relay": {"requests/s": RELAY, "MB/s": RELAY | PROXIES, "ms": PROXIES, "1/s": {relay.GATEWAY}},
    "webdav": {"requests/s": set(webdav.SUBJECT.sides), "MB/s": set(webdav.SUBJECT.sides)},
    "sftp": {"MB/s": set(sftp.SUBJECT.sides)},
    "sessions": {"KiB": {sessions.GATEWAY, sftp.OPENSSH}, "1/s": {sessions.GATEWAY, sftp.OPENSSH}},
    "transfer": {"MB/s": set(transfer.SUBJECT.sides)},
}


@pytest.fixture
def path_with_servers():
    """Return a PATH with the servers' folder, if all programs are there."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return path


@pytest.mark.parametrize("name", list(SUBJECTS))
def test_the_smallest_run_measures_everything(tmp_path, path_with_servers, name):
    """The smallest run starts every server, gains access in the real way, and has a figure in each row."""
    results = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--smoke", "--only", name, "--json", str(results)],
        cwd=ROOT,
        env=os.environ | {"PATH": path_with_servers, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text("utf-8"))[name]
    rows = {figure["name"]: figure for figure in found["figures"]}
    assert len(rows) == len(found["figures"]) == ROWS[name]
    for figure in rows.values():
        assert set(figure["rounds"]) >= SIDES_OF[name].get(figure["unit"], set(SUBJECTS[name].ratio[:1])), figure
        assert all(len(values) == found["extent"]["rounds"] for values in figure["rounds"].values()), figure
        if figure["unit"] in SIDES_OF[name]:
            assert all(value > 0 for values in figure["rounds"].values() for value in values), figure
    assert report.table(SUBJECTS[name], found) in done.stdout


def test_the_page_shows_what_was_measured():
    """The tables in the docs are exactly those of the recorded results, and they come from full runs."""
    recorded = json.loads(PAGE_JSON.read_text("utf-8"))
    assert report.page(PAGE.read_text("utf-8"), recorded) == PAGE.read_text("utf-8")
    assert set(recorded) <= set(SUBJECTS)
    for results in recorded.values():
        assert results["extent"]["rounds"] >= 3
        assert results["extent"]["large_bytes"] == 2**30
        assert results["extent"]["entries"] == 10_000
