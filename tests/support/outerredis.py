"""A Redis beside the gateways, as docs/operate.md asks for one: it keeps an append-only file, and can be killed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from support.redisserver import debian_server
from support.transferrig import free_port

SECONDS = 10.0


@dataclass
class OuterRedis:
    """Debian's redis-server on a port of its own, with its files in `folder`."""

    folder: Path
    port: int
    running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where gateways reach it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it with what its files hold, and wait until it answers."""
        options = ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        program = debian_server()
        assert program is not None, "redis-server is not installed"
        self.running = subprocess.Popen([program, *place, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + SECONDS
        with Redis.from_url(self.url) as client:
            while not _answers(client):
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.01)

    def kill(self) -> None:
        """Kill it, as the kernel would."""
        assert self.running is not None
        self.running.kill()
        self.running.wait()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@contextmanager
def outer_redis(folder: Path) -> Iterator[OuterRedis]:
    """Run a Redis whose files are below `folder`."""
    (folder / "redis").mkdir()
    server = OuterRedis(folder / "redis", free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()
