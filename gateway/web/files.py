"""Files of a backend for local users: listings, downloads and uploads, for the REST interface and the pages alike.

What comes from a storage or a peer is never shown by a browser as if it were ours: it is an attachment, in a sandbox,
and no type is guessed (DESIGN 6). A download is a GET of the WebDAV door over the user's own view, so that ranges,
conditions and broken streams are treated in one place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from gateway.backends.base import Backend, ResponseSink
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath
from gateway.model.share import Permission
from gateway.web import davread
from gateway.web.aio import body_of, serve
from gateway.web.davpath import DavRoot, Located
from gateway.web.davshare import DavCall, DavShare
from gateway.web.head import RequestHead, closing
from gateway.web.status import unsupported_body

# A listing shows no more members than this; programs with larger folders use WebDAV.
LISTING_MAX_ENTRIES = 10_000
# What a user's own files and her received ones have in common: nobody else's cache or page may hold them.
PRIVATE = (("Cache-Control", "private, no-cache"), ("Cross-Origin-Resource-Policy", "same-origin"))


def path_of(request: web.Request) -> ResourcePath:
    """Return the path that stands for `{path}` at the end of a door's pattern, from the target as it came.

    Each segment is decoded once and on its own, so `%2F` is never taken for a slash.

    Raises:
        GatewayError: `INVALID` if it is no path.
    """
    return ResourcePath.from_url(raw_path_of(request))


def raw_path_of(request: web.Request) -> str:
    """Return what stands for `{path}`, still percent-encoded."""
    resource = request.match_info.route.resource
    assert resource is not None, "only doors are asked for their path"
    # Every segment before it is exactly one, so counting finds it; the query is not part of `raw_path` here.
    before = resource.canonical.partition("{path}")[0].count("/")
    return request.rel_url.raw_path.split("/", before)[before]


async def listing(backend: Backend, path: ResourcePath) -> tuple[list[Entry], bool]:
    """Return the members of a folder, folders first and by name, and whether there are more than are shown."""
    entries: list[Entry] = []
    members = backend.list(path)
    try:
        async for entry in members:
            if len(entries) == LISTING_MAX_ENTRIES:
                return _sorted(entries), True
            entries.append(entry)
    finally:
        close = getattr(members, "aclose", None)
        if close is not None:
            await close()
    return _sorted(entries), False


async def download(request: web.Request, backend: Backend, entry: Entry, name: str = "") -> web.StreamResponse:
    """Stream a file to the client as an attachment; `name` is what the root is called, if that is the file."""
    root = DavRoot(prefix="", name=name or "file")
    share = _Seen(backend=backend, permissions=frozenset({Permission.READ}), root=root, entry=entry)

    async def answer(head: RequestHead, body: AsyncIterator[bytes], sink: ResponseSink) -> None:
        call = DavCall(
            head=head,
            body=body,
            sink=_PrivateSink(sink),
            share=share,
            place=Located(entry.path, "/"),
            writes_to=backend,
            lists=(),
        )
        await (davread.head(call) if head.method == "HEAD" else davread.get(call))

    return await serve(request, answer)


async def upload(request: web.Request, backend: Backend, path: ResourcePath) -> bool:
    """Write the request's body to a file, under its conditions; tell whether it is new.

    Raises:
        GatewayError: as `Backend.write`; `FORBIDDEN` for the root; 415 or `INVALID` for a piece or a coded body.
    """
    if path.is_root:
        raise GatewayError(Kind.FORBIDDEN, "The root is not a file.")
    if "Content-Encoding" in request.headers:
        raise unsupported_body("A body is stored as it comes; send it without a content coding.")
    if "Content-Range" in request.headers:
        raise GatewayError(Kind.INVALID, "A file is written as a whole.")
    async with closing(body_of(request)) as body:
        written = await backend.write(
            path,
            body,
            size=request.content_length,
            if_match=request.headers.get("If-Match"),
            if_none_match=request.headers.get("If-None-Match"),
        )
    return written.created


async def make_folder(backend: Backend, path: ResourcePath) -> bool:
    """Make a folder; tell whether it is new.

    Raises:
        GatewayError: as `Backend.mkdir`; `CONFLICT` if a file has that name.
    """
    try:
        await backend.mkdir(path)
    except GatewayError as error:
        if error.kind is not Kind.NOT_ALLOWED:
            raise
        if not (await backend.stat(path)).is_folder:
            raise GatewayError(Kind.CONFLICT, "There is a file of this name.") from error
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen(DavShare):
    """A share of which the one entry that matters was looked up a moment ago: a remote storage is not asked twice."""

    entry: Entry

    async def stat(self, path: ResourcePath) -> Entry:  # noqa: ARG002 - only this one path is ever asked for
        return self.entry


class _PrivateSink:
    """Adds to an answer what keeps it with the user who asked."""

    def __init__(self, sink: ResponseSink) -> None:
        self._sink = sink

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        await self._sink.start(status, [*headers, *PRIVATE])

    async def write(self, chunk: bytes) -> None:
        await self._sink.write(chunk)


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (not entry.is_folder, entry.path.name.casefold(), entry.path.name))
