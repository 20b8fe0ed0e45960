"""A store that is found through a Redis Sentinel."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

from gateway.errors import GatewayError, Kind
from support.redisserver import make_store, server_program


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def sentinel(tmp_path):
    """A master and a sentinel that knows it as `ocm`; gives the sentinel's port."""
    program, master, port = server_program("embedded"), free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor ocm 127.0.0.1 {master} 1\n")
    commands = [
        [program, "--port", str(master), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        [program, str(config), "--sentinel"],
    ]
    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield port


async def test_the_master_is_found(sentinel):
    """A sentinel that is away is passed over, and the master that another names is the store."""
    async with make_store(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel}/ocm") as store:
        deadline = time.monotonic() + 10
        while True:
            try:
                await store.health.ping()
                break
            except GatewayError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        await store.health.write_marker()
        await store.health.check_marker()


async def test_an_unknown_name_is_unavailable(sentinel):
    """A master that no sentinel knows is an outage."""
    async with make_store(f"redis+sentinel://127.0.0.1:{sentinel}/other") as store:
        with pytest.raises(GatewayError, check=lambda error: error.kind is Kind.UNAVAILABLE):
            await store.health.ping()
