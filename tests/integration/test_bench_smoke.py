"""The benchmark works, and the page of the docs says what it has measured. Nothing here is timed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
PAGE_JSON = ROOT / "docs" / "performance.json"
TOOLS = ("nginx", "apache2", "wrk", "curl", "taskset")
SIDES_OF = {
    "requests/s": {"gateway", "nginx", "storage itself"},
    "MB/s": {"gateway", "nginx", "nginx, unbuffered", "storage itself"},
    "ms": {"gateway", "nginx", "nginx, unbuffered"},
    "1/s": {"gateway"},
}


@pytest.fixture
def path_with_servers():
    """Return a PATH with the servers' folder, if all programs are there."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return path


def test_the_smallest_run_measures_everything(tmp_path, path_with_servers):
    """The smallest run starts every server, gains access with a signed token request, and has a figure in each row."""
    results = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--smallest", "--json", str(results)],
        cwd=ROOT,
        env=os.environ | {"PATH": path_with_servers, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text("utf-8"))
    rows = {figure["name"]: figure for figure in found["figures"]}
    assert len(rows) == len(found["figures"]) == 16
    for figure in rows.values():
        assert set(figure["rounds"]) >= SIDES_OF.get(figure["unit"], {"gateway"}), figure
        assert all(len(values) == found["extent"]["rounds"] for values in figure["rounds"].values()), figure
        if figure["unit"] in SIDES_OF:
            assert all(value > 0 for values in figure["rounds"].values() for value in values), figure
    assert report.table(found) in done.stdout


def test_the_page_shows_what_was_measured():
    """The table in the docs is exactly that of the recorded results, and they come from a full run."""
    results = json.loads(PAGE_JSON.read_text("utf-8"))
    assert report.page(PAGE.read_text("utf-8"), results) == PAGE.read_text("utf-8")
    assert results["extent"]["rounds"] >= 3
    assert results["extent"]["large_bytes"] == 2**30
    assert results["extent"]["entries"] == 10_000
