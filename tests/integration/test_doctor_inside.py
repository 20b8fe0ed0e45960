"""The self-test looks at keys, folders, the store and the storages, and finds what is wrong with each."""

import json
import time
from dataclasses import replace

import pytest

from gateway.app.doctor import examine
from gateway.app.state import mark_store
from gateway.crypto.keys import KeyRing, load_key_file, save_key_file
from gateway.store.binary import find_server
from support.nginx import nginx
from support.pair import configured, folder_storage
from support.redisserver import private_server

KEEPING = ("--appendonly", "yes")


@pytest.fixture(scope="module")
def store_url():
    """Run a store that keeps everything."""
    with private_server(find_server(), *KEEPING) as url:
        yield url


@pytest.fixture
def config(tmp_path, store_url):
    """Return the configuration of a gateway that does not run, with its keys."""
    return made(tmp_path, store_url)


def made(folder, store_url, storage=None, **parts):
    """Write the configuration and keys of a gateway with a store of its own."""
    store = {"store": {"url": store_url, "prefix": f"t{time.monotonic_ns()}"}}
    config = configured(
        folder, "alice", "alice", 9, storage or folder_storage(folder / "files", "alice"), **store | parts
    )
    config.data_dir.mkdir(mode=0o700)
    save_key_file(config.keys_file, KeyRing.generate(config.public_url, time.time()))
    return config


async def told(config, name, state="failed", **options):
    """Return what the self-test says under a name in a state, as one text."""
    report = await examine(config, **options)
    found = [one.text() for one in report.findings if (one.name, one.result.state) == (name, state)]
    assert found, report.text()
    return "\n".join(found)


async def test_store_in_order(config):
    """A marked store that keeps everything is good."""
    await mark_store(config)
    assert "keeps everything" in await told(config, "store", "ok")


async def test_store_without_our_mark(config):
    """A store that was emptied or exchanged is found."""
    assert "no instance marker" in await told(config, "store")


async def test_store_of_another_gateway(config):
    """A store that belongs to other keys is found."""
    await mark_store(config)
    ring = load_key_file(config.keys_file)
    save_key_file(config.keys_file, replace(ring, instance_id="another"))
    assert "belongs to another instance" in await told(config, "store")


async def test_store_that_evicts_and_forgets(tmp_path):
    """A store that drops keys and writes nothing to disk is found, with the two lines of its configuration."""
    with private_server(find_server(), "--maxmemory-policy", "allkeys-lru", "--appendonly", "no") as url:
        config = made(tmp_path, url)
        await marked(url, config)
        words = await told(config, "store")
        assert "maxmemory-policy noeviction" in words
        assert "instance" not in words
        assert "appendonly yes" in await told(config, "store", "warning")


async def marked(url, config):
    """Mark a store that the gateway itself would refuse."""
    from redis.asyncio import Redis  # noqa: PLC0415 - only here

    ring = load_key_file(config.keys_file)
    async with Redis.from_url(url) as client:
        await client.set(f"{config.store.prefix}:instance", ring.instance_id)


async def test_store_away(tmp_path):
    """A store that does not answer is found; its pass word is not told."""
    config = made(tmp_path, "redis://127.0.0.1:1", store={"url": "redis://127.0.0.1:1", "password": "sesame-open"})
    words = await told(config, "store")
    assert "does not answer" in words
    assert "sesame" not in words


async def test_no_keys(config):
    """Without a key file that is told, and nothing is signed."""
    config.keys_file.unlink()
    report = await examine(config)
    assert "ocm-gateway keys init" in next(one.text() for one in report.findings if one.name == "keys")
    assert "signature" not in {one.name for one in report.findings}


async def test_keys_that_everybody_reads(config):
    """A key file that others can read is found."""
    config.keys_file.chmod(0o644)
    assert "give it mode 0600" in await told(config, "keys")


async def test_keys_of_another_host_and_old_keys(config):
    """Keys of another host name, and keys of a year ago, are found."""
    save_key_file(config.keys_file, KeyRing.generate("https://old.example.org", time.time() - 365 * 86400))
    assert "The keys are for https://old.example.org" in await told(config, "keys")
    assert "365 days old" in await told(config, "keys", "warning")


async def test_folder_that_others_enter(config):
    """A data folder that others can enter is found."""
    config.data_dir.chmod(0o755)
    assert f"chmod 700 {config.data_dir}" in await told(config, "folder", "warning")


async def test_storage_away(tmp_path, store_url):
    """A storage that does not answer is found; its account is not told."""
    storage = {"url": "webdav+http://127.0.0.1:1/files/", "credentials": "gateway:sesame-open", "view": "service"}
    config = made(tmp_path, store_url, storage)
    report = await examine(config)
    words = next(one.text() for one in report.findings if one.name == "storage")
    assert words.startswith("failed")
    assert "sesame" not in report.text() + json.dumps(report.document)


async def test_storage_folder_that_is_not_mounted(tmp_path, store_url):
    """A folder that is not there is found, and one that is there is good."""
    config = made(tmp_path, store_url)
    assert "mount the folder" in await told(config, "storage", user="bob")
    assert "answers the account" in await told(config, "storage", "ok", user="alice")
    assert "--user" in await told(config, "storage", "info")


async def test_gateway_that_does_not_run(config):
    """Nothing listens: that is told once, in plain words, and no other check from outside is run."""
    report = await examine(config)
    assert "cannot be reached" in next(one.text() for one in report.findings if one.name == "answer")
    assert report.status(strict=False) == 1


async def test_storage_is_tried_out_only_when_asked(tmp_path, store_url):
    """With `--write` it is told what the storage cannot do; without it nothing is written there."""
    with nginx() as server:
        account = f"gateway:{server.users['gateway']}"
        storage = {"url": f"webdav+{server.url}", "credentials": account, "view": "service"}
        config = made(tmp_path, store_url, storage)
        before = server.files.stat().st_mtime_ns
        assert "It cannot" not in await told(config, "storage", "ok")
        assert server.files.stat().st_mtime_ns == before
        assert "It cannot: " in await told(config, "storage", "ok", may_write=True)
        assert list(server.files.iterdir()) == []
