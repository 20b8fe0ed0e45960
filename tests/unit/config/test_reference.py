"""The printed pages say what the code does, and the files that are shipped load."""

import re
from pathlib import Path

import pytest
import yaml

from gateway.config import load, reference_table, reference_yaml
from gateway.config.options import options

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "config/examples").glob("*.yaml"))


def test_the_reference_file_is_what_the_code_prints():
    """config/gateway.yaml is the output of `make docs`."""
    assert (ROOT / "config/gateway.yaml").read_text() == reference_yaml()


def test_the_page_is_what_the_code_prints():
    """docs/configuration.md is the output of `make docs`."""
    assert (ROOT / "docs/configuration.md").read_text() == reference_table()


def test_the_reference_file_says_the_defaults():
    """The reference file loads as it stands and changes no default."""
    required = {"public_url": "https://cloud.example.org", "storage.url": options()["storage.url"].example}
    assert load(ROOT / "config/gateway.yaml") == load(overrides=required)


def test_every_option_stands_in_the_reference():
    """Each option is in the reference file, and its example is a value that it takes."""
    text = re.sub(r"\n *# ", "\n", reference_yaml())
    lines = [line for line in text.splitlines() if ": " in line or line.endswith(":")]
    for path, option in options().items():
        assert option.help.endswith("."), path
        assert any(line.strip().startswith(f"{path.rpartition('.')[2]}:") for line in lines), path


@pytest.mark.parametrize("path", [path for path, option in options().items() if option.example])
def test_every_example_value_is_taken(path):
    """The example of an option is a value that the option takes."""
    least = {"public_url": "https://a.example", "storage.url": "webdav+http://b/"}
    if path in ("storages", "storage_rules"):
        # These two need each other, and stand instead of `storage`.
        both = {name: yaml.safe_load(str(options()[name].example)) for name in ("storages", "storage_rules")}
        users = {"identity.providers": ["file"], "identity.users_file": "users.yaml"}
        assert len(load(overrides={"public_url": "https://a.example", **users, **both}).all_storages) == 2
        return
    rest = {"store.url": "rediss://redis", "store.password": "x"} if path.startswith("store.") else {}
    if path == "identity.admin_groups":
        rest = {"storage.url": "file:///srv/{user}", "identity.users_file": "users.yaml"}
    if path == "storage.redirect_auth_hosts":
        rest = {"storage.redirect_hosts": yaml.safe_load(str(options()[path].example))}
    if path in ("storage.private_key_file", "storage.known_hosts_file"):
        rest = {"storage.url": "sftp://ocm@h/", "storage.private_key_file": "key", "storage.known_hosts_file": "hosts"}
    value = yaml.safe_load(str(options()[path].example))
    assert load(overrides={**least, **rest, path: value})


def test_there_are_examples():
    """One example is shipped for each usual kind of storage, one for a sidecar and one for a move between storages."""
    kinds = {"webdav-apache", "webdav-nginx", "sftp-openssh", "posix-mount", "bearer-dcache"}
    assert {path.stem for path in EXAMPLES} == kinds | {"sidecar-redis", "migration"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load(path, tmp_path):
    """An example loads; its secrets are put where the test can read them."""
    text = path.read_text()
    for name in ("storage", "redis"):
        (tmp_path / name).write_text("user:password\n")
        text = text.replace(f"/run/secrets/ocm-gateway/{name}\n", f"{tmp_path / name}\n")
        text = text.replace(f"/run/secrets/ocm-gateway/{name} ", f"{tmp_path / name} ")
    copy = tmp_path / path.name
    copy.write_text(text)
    assert load(copy).public_url == "https://cloud.example.org"
