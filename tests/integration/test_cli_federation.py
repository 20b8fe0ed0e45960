"""The commands of whoever runs a federation, and what operators of other servers are told."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli import cli
from gateway.ocm.dialects.snippets import snippet


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a folder of its own; return its error and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        found = CliRunner().invoke(cli, words)
        return found.exception, found.output

    return run


@pytest.mark.req("DIR-3")
def test_a_directory_from_beginning_to_end(run, tmp_path):
    """A list is begun, filled, signed and checked; who is removed is gone, and a forged list does not pass."""
    assert run("directory", "init", "Example Federation")[0] is None
    assert (tmp_path / "directory.key").stat().st_mode & 0o077 == 0
    assert run("directory", "init", "Example Federation")[0].kind == "conflict"
    assert "Warning" not in run("directory", "add", "https://cloud.example.org", "--name", "Example University")[1]
    assert "port" in run("directory", "add", "https://other.example.org:8443")[1]
    assert run("directory", "add", "https://cloud.example.org/path")[0].kind == "invalid"
    assert run("directory", "sign")[0] is None
    shown = run("directory", "show")[1]
    assert "Example Federation: 2 servers" in shown
    assert "https://other.example.org:8443" in shown
    assert run("directory", "remove", "other.example.org:8443")[0] is None
    assert run("directory", "remove", "other.example.org:8443")[0].kind == "not-found"
    assert run("directory", "sign")[0] is None
    assert "1 servers" in run("directory", "show")[1]
    document = json.loads((tmp_path / "directory.jws").read_text())
    assert document["servers"] == [{"url": "https://cloud.example.org", "displayName": "Example University"}]
    forged = document | {"payload": document["payload"][:-4] + "AAAA"}
    (tmp_path / "directory.jws").write_text(json.dumps(forged))
    assert run("directory", "show")[0].kind == "invalid"


@pytest.mark.parametrize(
    ("kind", "public_url", "domain", "host"),
    [
        ("ocis", "https://gw.example.org", "gw.example.org", "gw.example.org:443"),
        ("opencloud", "https://gw.example.org:8443", "gw.example.org:8443", "gw.example.org:8443"),
        ("cernbox", "https://gw.example.org", "gw.example.org", "gw.example.org"),
    ],
)
def test_what_other_operators_add(kind, public_url, domain, host):
    """The entry names the exact domain and two services, whose host has a port or none as the kind wants it."""
    text = snippet(kind, public_url=public_url, prefix="/ocm", name="Example")
    entry = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert entry["domain"] == domain
    services = [
        (each["endpoint"]["type"]["name"], each["endpoint"]["path"], each["host"]) for each in entry["services"]
    ]
    assert services == [("OCM", f"{public_url}/ocm/", host), ("Webdav", f"{public_url}/ocm/dav/", host)]
