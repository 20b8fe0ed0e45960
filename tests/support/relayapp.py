"""A small web server in front of a relay, so that real WebDAV clients can speak to it; and ports kept in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.backends.base import Relay, RelayCall
from gateway.backends.relay_rules import RelayPorts
from gateway.errors import GatewayError, Kind
from gateway.model.grant import Grant
from gateway.model.resource import Quota, ResourcePath

BASE = "/ocm/dav/"
STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.NOT_ALLOWED: 405,
    Kind.CONFLICT: 409,
    Kind.PRECONDITION_FAILED: 412,
    Kind.TOO_LARGE: 413,
    Kind.RANGE_INVALID: 416,
    Kind.LOCKED: 423,
    Kind.UNAVAILABLE: 503,
    Kind.NO_SPACE: 507,
}


@dataclass
class MemoryLockOwners:
    """Lock tokens of one process."""

    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    most: int = 1000

    async def check_room(self, grant_id: str) -> None:
        if len([holder for holder, _ in self.tokens.values() if holder == grant_id]) >= self.most:
            raise GatewayError(Kind.NO_SPACE, "You hold too many locks here.")

    async def claim(self, token: str, grant_id: str, expires: float) -> None:
        self.tokens[token] = (grant_id, expires)

    async def owner(self, token: str) -> str | None:
        return self.tokens.get(token, (None, 0.0))[0]

    async def release(self, token: str) -> None:
        self.tokens.pop(token, None)


@dataclass
class Told:
    """The relay's ports, which write down what they are told; `refusal` ends the grant."""

    writes: list[str] = field(default_factory=list)
    lock_owners: MemoryLockOwners = field(default_factory=MemoryLockOwners)
    refusal: GatewayError | None = None
    quota: Quota | None = None

    def ports(self) -> RelayPorts:
        async def still_stands() -> None:
            if self.refusal:
                raise self.refusal

        async def root_etag(grant: Grant, storage_etag: str) -> str:
            return f'"root-{len(self.writes)}"'

        async def on_write(path: ResourcePath) -> None:
            self.writes.append(str(path))

        async def quota() -> Quota:
            assert self.quota is not None
            return self.quota

        return RelayPorts(
            still_stands=still_stands,
            lock_owners=self.lock_owners,
            root_etag=root_etag,
            on_write=on_write,
            now=time.time,
            quota=quota if self.quota else None,
        )


class Sink:
    """Writes a relay's answer to a client."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response: web.StreamResponse | None = None

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response = web.StreamResponse(status=status, headers=headers)
        await self.response.prepare(self._request)

    async def write(self, chunk: bytes) -> None:
        assert self.response is not None
        await self.response.write(chunk)


@asynccontextmanager
async def relay_server(relay: Relay, base: str = BASE) -> AsyncIterator[TestServer]:
    """Run a server that passes all below `base` to `relay`, without asking who calls."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(headers={"DAV": "1, 2", "MS-Author-Via": "DAV"})
        sink = Sink(request)
        try:
            await relay.relay(_call(request, base), sink)
        except GatewayError as error:
            if sink.response is not None:
                assert request.transport is not None
                request.transport.abort()
                return sink.response
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return web.Response(status=STATUS[error.kind], text=str(error), headers=headers)
        assert sink.response is not None
        await sink.response.write_eof()
        return sink.response

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


def _call(request: web.Request, base: str) -> RelayCall:
    destination = request.headers.get("Destination")
    return RelayCall(
        method=request.method,
        path=_path(request.raw_path, base),
        destination=_path(urlsplit(destination).path, base) if destination else None,
        headers=_lower(request.headers),
        body=request.content.iter_any() if request.can_read_body else None,
        href_base=base,
    )


def _path(raw: str, base: str) -> ResourcePath:
    if not raw.startswith(base) or "#" in raw or "?" in raw:
        raise GatewayError(Kind.INVALID, "This is not here.")
    return ResourcePath.from_url(raw.removeprefix(base))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
