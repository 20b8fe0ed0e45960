"""What the pages say is so: links lead somewhere, commands exist, dependencies are listed."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway.app.doctor import CHECKS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Each link to a file of the project resolves."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    near = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in near if not (page.parent / link).exists()] == []


def test_commands_of_the_readme_exist():
    """Each `make` command that the README shows is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = set(re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= shown <= targets


def test_every_dependency_is_listed():
    """The page of dependencies names every package that we ask for, in the version that is tested."""
    wanted = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    pins = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    versions = {plain(name): version for name, version in pins}
    rows = re.findall(
        r"^\| ([\w.-]+) \| (\S*\d\S*) \|", (ROOT / "docs/dependencies.md").read_text("utf-8"), re.MULTILINE
    )
    names = {plain(re.match(r"[\w.-]+", one)[0]) for one in wanted}
    assert {plain(name): version for name, version in rows} == {name: versions[name] for name in names}


def test_page_of_the_self_test_lists_its_checks():
    """The page of the self-test lists every check, in its order and words, with the place that findings link to."""
    rows = re.findall(
        r'^\| <a id="([a-z-]+)"></a>([a-z-]+) \| (.+) \|$', (ROOT / "docs/doctor.md").read_text("utf-8"), re.MULTILINE
    )
    assert rows == [(check.name, check.name, check.about) for check in CHECKS]
