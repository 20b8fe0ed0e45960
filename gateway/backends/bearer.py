"""Bearer tokens for research storage, from a file, a command or the places that WLCG names.

Such tokens live for minutes or hours and are renewed by somebody else (`oidc-agent`, `htgettoken`, a sidecar). So the
source is read again when the file changes, when the end that a JWT names comes near, and at least every few minutes.
A token is kept in memory only, and never logged.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import GatewayError, unavailable
from gateway.log import get_logger

log = get_logger(__name__)

# A token is read again this long before its end, in seconds, and after at most that long.
MARGIN_SECONDS = 60.0
REREAD_SECONDS = 300.0
COMMAND_SECONDS = 30.0
TOKEN_MAX_CHARS = 16 * 1024

Read = Callable[[], Awaitable[str]]


@dataclass(slots=True, kw_only=True)
class Bearer:
    """Gives the `Authorization` field for the token that is good now.

    Attributes:
        read: reads the source.
        mark: changes when the source is known to have changed, as a file's time does.
    """

    read: Read
    now: Callable[[], float]
    mark: Callable[[], object] = lambda: None
    _token: str = field(default="", repr=False)
    _until: float = 0.0
    _mark: object = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def authorize(self) -> Mapping[str, str]:
        """Return the field with a token that is not about to end.

        Raises:
            GatewayError: `UNAVAILABLE` if the source gives none.
        """
        async with self._turn:
            mark = self.mark()
            if not self._token or self.now() >= self._until or mark != self._mark:
                await self._renew(mark)
            return {"Authorization": f"Bearer {self._token}"}

    async def _renew(self, mark: object) -> None:
        try:
            token = _sound(await self.read())
        except GatewayError as error:
            if not self._token or self.now() >= self._until:
                raise
            log.warning("the storage's token was not read again", reason=str(error))
            return
        end = expiry_of(token)
        again = self.now() + REREAD_SECONDS
        self._token, self._mark = token, mark
        self._until = again if end is None else min(again, max(end - MARGIN_SECONDS, self.now() + 1))


def from_file(path: Path, now: Callable[[], float]) -> Bearer:
    """Return the token in a file, read again whenever the file changes."""

    async def read() -> str:
        return _text(path)

    def mark() -> object:
        try:
            status = path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    return Bearer(read=read, now=now, mark=mark)


def from_command(words: Sequence[str], now: Callable[[], float]) -> Bearer:
    """Return the token that a command prints; it is run without a shell."""

    async def read() -> str:
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                return await _printed(words)
        except (OSError, TimeoutError) as error:
            raise _no_token(f"command {words[0]}: {type(error).__name__}") from error

    return Bearer(read=read, now=now)


def from_environment(environ: Mapping[str, str], now: Callable[[], float]) -> Bearer:
    """Return the token at the first place of WLCG Bearer Token Discovery 1.0 that there is.

    These are: `BEARER_TOKEN`, the file in `BEARER_TOKEN_FILE`, `$XDG_RUNTIME_DIR/bt_u<uid>`, `/tmp/bt_u<uid>`.
    """

    async def read() -> str:
        if environ.get("BEARER_TOKEN", "").strip():
            return environ["BEARER_TOKEN"]
        if environ.get("BEARER_TOKEN_FILE"):
            return _text(Path(environ["BEARER_TOKEN_FILE"]))
        name = f"bt_u{os.geteuid()}"
        folders = [environ.get("XDG_RUNTIME_DIR", ""), "/tmp"]  # noqa: S108 - the place is WLCG's
        places = [Path(folder) / name for folder in folders if folder]
        return _text(next((place for place in places if _is_ours(place)), places[-1]))

    return Bearer(read=read, now=now)


def expiry_of(token: str) -> float | None:
    """Return when a token says that it ends, in seconds since the epoch; only JWTs do, and nothing is checked."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


async def _printed(words: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=TOKEN_MAX_CHARS,
    )
    assert process.stdout is not None
    try:
        text = await process.stdout.read(TOKEN_MAX_CHARS + 1)
        if len(text) > TOKEN_MAX_CHARS or await process.wait() != 0:
            raise _no_token(f"command {words[0]}: it failed, or printed more than a token")
        return text.decode(errors="replace")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(TOKEN_MAX_CHARS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise _no_token(f"file {path}: {type(error).__name__}") from error


def _is_ours(path: Path) -> bool:
    """Tell whether the file is there and nobody else put it there: `/tmp` is everybody's."""
    try:
        return path.lstat().st_uid == os.geteuid()
    except OSError:
        return False


def _sound(text: str) -> str:
    token = text.strip()
    # What goes into a header field must not end it.
    if not token or len(token) > TOKEN_MAX_CHARS or not token.isascii() or not token.isprintable() or " " in token:
        raise _no_token("it is empty, or no token")
    return token


def _no_token(why: str) -> GatewayError:
    return unavailable("The storage cannot be opened now.", log=f"bearer token, {why}")
