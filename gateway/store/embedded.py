"""The embedded store: a Valkey or Redis server of our own, for a gateway that has no Redis (DESIGN 9).

The server is our child. It listens on a unix socket in a private runtime directory, writes every change to an
append-only file in the data directory, dies with us, and is started again if it dies alone; a client that waits two
seconds sees nothing of that. A lock on the data directory, which the server inherits, keeps a second gateway out for
as long as either lives: two servers would both start and destroy each other's file.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.store import aof
from gateway.store.binary import find_server

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
# A gateway that was killed a moment ago may still have its server dying.
LOCK_SECONDS = 3.0
POLL_SECONDS = 0.02
PAUSE_FIRST_SECONDS = 0.05
PAUSE_MAX_SECONDS = 5.0
# A server that has run this long did not die of what killed the one before.
STEADY_SECONDS = 10.0
SOCKET_PATH_MAX = 100
LAST_LINES = 5
LINK = "store.sock"

# Said at every start and stop; docs/operate.md tells what the first one asks for.
_KNOWN = (
    "WARNING Memory overcommit",
    "WARNING: The TCP backlog",
    "User requested",
    "Received SIG",
    "Valkey is now",
    "Redis is now",
)

_TETHER = Path(__file__).with_name("tether.py")
_log = get_logger(__name__)


class EmbeddedStore:
    """An async context manager around a private server; `url` is where it listens.

    Enter it on the main thread: the server dies with the thread that started it.

    Args:
        data_dir: where the data stay; made if missing.
        binary: the server program, by default found by `binary.find_server`.
        ready_seconds: how long the server may take to load its data.
    """

    def __init__(self, data_dir: Path, *, binary: Path | None = None, ready_seconds: float = READY_SECONDS) -> None:
        self._data_dir = data_dir.absolute()
        self._binary = binary
        self._ready_seconds = ready_seconds
        self._stack = AsyncExitStack()
        self._last_lines: list[str] = []
        self._lock_file = -1
        self._socket = Path()
        self._server: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL for `redis.connect`."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        """The server's process id while one runs."""
        return self._server.pid if self._server and self._server.returncode is None else None

    async def __aenter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            GatewayError: `CONFIGURATION` if there is no server program, another gateway holds the data directory,
                or the server does not start.
        """
        async with AsyncExitStack() as stack:
            self._binary = self._binary or find_server()
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = await _lock(self._data_dir)
            stack.callback(os.close, self._lock_file)
            self._socket = _runtime_dir(stack) / "store.sock"
            stack.push_async_callback(self._stop)
            await self._start_or_repair()
            self._show(stack)
            keeper = asyncio.create_task(self._keep_running(), name="embedded store")
            stack.push_async_callback(_cancel, keeper)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop the server after it has written everything."""
        await self._stack.aclose()

    def _show(self, stack: AsyncExitStack) -> None:
        """Leave a link to the socket in the data directory, for commands beside the running gateway."""
        link = self._data_dir / LINK
        link.unlink(missing_ok=True)
        link.symlink_to(self._socket)
        stack.callback(link.unlink, missing_ok=True)

    async def _start_or_repair(self) -> None:
        try:
            await self._start()
        except GatewayError:
            if not await aof.repair(self._data_dir, self._program()):
                raise
            await self._start()

    async def _start(self) -> None:
        self._last_lines.clear()
        self._socket.unlink(missing_ok=True)
        tether = (sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()))
        self._server = await asyncio.create_subprocess_exec(
            *tether,
            self._program().name,
            str(self._program()),
            *self._options(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(self._lock_file,),
            # Ctrl-C in a terminal is for us: the server goes on until the last of our writes is in it.
            start_new_session=True,
        )
        # The task ends with the pipe; somebody has to hold it until then.
        self._reader = _follow(self._server, self._last_lines)
        try:
            await self._until_ready(self._server)
        except BaseException:
            await self._stop()
            raise

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data_dir),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": "",
            "daemonize": "no",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    async def _until_ready(self, server: asyncio.subprocess.Process) -> None:
        deadline = asyncio.get_running_loop().time() + self._ready_seconds
        while not await _answers(self._socket):
            if server.returncode is not None:
                raise self._not_started(f"it ended with {server.returncode}")
            if asyncio.get_running_loop().time() > deadline:
                raise self._not_started(f"it was not ready after {self._ready_seconds:.0f} s")
            await asyncio.sleep(POLL_SECONDS)

    async def _keep_running(self) -> None:
        """Start the server again whenever it ends, with growing pauses."""
        clock = asyncio.get_running_loop().time
        pause = PAUSE_FIRST_SECONDS
        while True:
            since = clock()
            if self._server is not None:
                code = await self._server.wait()
                _log.error("store server ended, starting it again", code=code, pause=pause)
            if clock() - since > STEADY_SECONDS:
                pause = PAUSE_FIRST_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_MAX_SECONDS)
            try:
                await self._start_or_repair()
            except (GatewayError, OSError) as error:
                _log.error("store server does not start", error=str(error))

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is None or server.returncode is not None:
            return
        with suppress(ProcessLookupError):
            server.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await server.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                server.kill()
            await server.wait()

    def _program(self) -> Path:
        assert self._binary is not None
        return self._binary

    def _not_started(self, why: str) -> GatewayError:
        said = " | ".join(self._last_lines[-LAST_LINES:])
        return GatewayError(Kind.CONFIGURATION, f"The store server did not start: {why}.", log=said)


async def running_url(data_dir: Path) -> str | None:
    """Return the URL of the store that a running gateway has in this data directory, or None if none runs."""
    socket = _linked(data_dir)
    return f"unix://{socket}" if socket is not None and await _answers(socket) else None


def _linked(data_dir: Path) -> Path | None:
    try:
        return (data_dir / LINK).readlink()
    except OSError:
        return None


async def _lock(data_dir: Path) -> int:
    """Return an open file whose lock keeps every other gateway out of the directory."""
    handle = os.open(data_dir / "gateway.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = asyncio.get_running_loop().time() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if asyncio.get_running_loop().time() > deadline:
                os.close(handle)
                raise GatewayError(
                    Kind.CONFIGURATION, f"Another gateway is using the data directory {data_dir}."
                ) from error
            await asyncio.sleep(POLL_SECONDS)
        else:
            return handle


def _runtime_dir(stack: AsyncExitStack) -> Path:
    """Make a directory that only we may enter, with a path short enough for a socket."""
    parent = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    if len(parent) > SOCKET_PATH_MAX - len("/ocm-gateway-12345678/store.sock") or not os.access(parent, os.W_OK):
        parent = "/tmp"  # noqa: S108 - mkdtemp makes a directory of our own in it
    path = Path(tempfile.mkdtemp(prefix="ocm-gateway-", dir=parent))
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    return path


async def _answers(socket: Path) -> bool:
    """Tell whether the server behind `socket` has loaded its data."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).startswith(b"+PONG")
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False


def _follow(server: asyncio.subprocess.Process, last_lines: list[str]) -> asyncio.Task[None]:
    """Bring what the server says into our log, and keep its last lines for an error."""
    output = server.stdout
    assert output is not None

    async def read() -> None:
        async for line in output:
            text = line.decode(errors="replace").strip()
            last_lines.append(text)
            del last_lines[:-LAST_LINES]
            # The servers mark with `#` what they think an operator should see; our own line has time and process.
            _, is_notable, said = text.partition(" # ")
            if is_notable and not said.startswith(_KNOWN):
                _log.info("store server", says=said)
            else:
                _log.debug("store server", says=text)

    return asyncio.create_task(read(), name="store server output")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
