"""A proxy before a gateway that breaks one thing, as operators' proxies do, and a look-up of names for tests.

async with FaultyProxy.running(gateway_port) as proxy:
proxy.lost = {"signature"}             # fields that do not pass
proxy.max_bytes = 16 * 1024            # larger bodies are 413
proxy.pages["/ocm-provider/"] = ...    # what it answers itself, by path
proxy.place                            # where it listens
"""

from __future__ import annotations

import io
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from gateway.app.doctor import Place


@dataclass
class FaultyProxy:
    """See the head of this module. Make it with `running`."""

    gateway_port: int
    session: aiohttp.ClientSession
    port: int = 0
    lost: set[str] = field(default_factory=set)
    added: dict[str, str] = field(default_factory=dict)
    max_bytes: int | None = None
    blocked: set[str] = field(default_factory=set)
    pages: dict[str, web.Response] = field(default_factory=dict)
    target: object = None  # a function from the target that came to the one that is sent on
    rewrite: object = None  # a function of an answer's body
    answer_fields: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def running(cls, gateway_port, *, tls=None):
        """Run a proxy at a port of the system's choice; with `tls` it speaks https."""
        listener = socket.create_server(("127.0.0.1", 0))
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            proxy = cls(gateway_port, session, listener.getsockname()[1])
            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{path:.*}", proxy._serve)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            try:
                await web.SockSite(runner, listener, ssl_context=tls).start()
                yield proxy
            finally:
                await runner.cleanup()

    @property
    def place(self) -> Place:
        """Where it listens."""
        return Place("127.0.0.1", self.port)

    async def _serve(self, request: web.Request) -> web.Response:
        if request.method in self.blocked:
            return web.Response(status=405, text="no")
        page = self.pages.get(request.path)
        if page is not None:
            return web.Response(status=page.status, body=page.body, headers=page.headers)
        body = await request.read()
        if self.max_bytes is not None and len(body) > self.max_bytes:
            return web.Response(status=413, text="<html>too large</html>", content_type="text/html")
        return await self._passed(request, body)

    async def _passed(self, request: web.Request, body: bytes) -> web.Response:
        fields = [(name, value) for name, value in request.headers.items() if name.lower() not in self.lost]
        fields = [(name, value) for name, value in fields if name.lower() not in ("expect", "connection")]
        target = self.target(request.raw_path) if self.target else request.raw_path
        url = URL(f"http://127.0.0.1:{self.gateway_port}{target}", encoded=True)
        async with self.session.request(
            request.method,
            url,
            headers=[*fields, *self.added.items()],
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            content = self.rewrite(content) if self.rewrite else content
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in ("content-length", "transfer-encoding", "connection")
            }
            response = web.Response(status=answer.status, body=content)
            response.headers.clear()
            response.headers.update(kept | self.answer_fields)
            return response
