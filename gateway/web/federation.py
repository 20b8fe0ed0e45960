"""The servers of our federations: those that directories list, and the directory that we publish (DIR-2, DIR-3).

A published directory is a file that `ocm-gateway directory sign` made. Whoever reads it needs no account, and gets it
as it lies there; its key is not among ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.directory import Directories
from gateway.model.address import Host
from gateway.model.directory import DirectoryCopy
from gateway.web.apiparts import ApiParts
from gateway.web.doors import Door, Lock, Style

CONTENT_TYPE = "application/jose+json"
MAX_AGE_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationDoors:
    """Handlers of `/directory` and `/api/v1/federations`.

    Attributes:
        published: the signed file, or None if we publish none.
    """

    parts: ApiParts
    directories: Directories
    authority: Host
    published: Path | None

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        published = Door(
            name="directory",
            method="GET",
            path=f"{self.parts.prefix}/directory",
            lock=Lock.OPEN,
            style=Style.OCM,
            about="the signed directory that is published here (DIR-3)",
            handler=self.publish,
        )
        return published, self.parts.door("GET", "federations", "the servers of our federations", self.list_all)

    async def publish(self, _request: web.Request) -> web.Response:
        """Serve the signed directory."""
        if self.published is None:
            raise GatewayError(Kind.NOT_FOUND, "No directory is published here.")
        try:
            body = await asyncio.to_thread(self.published.read_bytes)
        except OSError as error:
            raise unavailable("The directory cannot be read now.", log=str(error)) from error
        headers = {"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=body, content_type=CONTENT_TYPE, headers=headers)

    async def list_all(self, request: web.Request) -> web.Response:
        """List the federations and their servers, without this one."""
        await self.parts.user(request)
        found = [self._document(copy) for copy in await self.directories.usable()]
        return web.json_response({"federations": found})

    def _document(self, copy: DirectoryCopy) -> dict[str, object]:
        directory = copy.directory
        servers = directory.servers if directory is not None else ()
        return {
            "federation": directory.federation if directory is not None else "",
            "directory": copy.url,
            "fetched_at": int(copy.fetched_at),
            "servers": [
                {"host": server.host, "url": server.url, "display_name": server.display_name}
                for server in servers
                if server.host != self.authority
            ],
        }
