"""Pages of files: the user's own, and those of a received share, by the same code over the same port.

A file's page is its download. Uploads are streamed piece by piece into the storage; the form's token comes first in
the form, so nothing is written for a page that is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.backends.base import Backend
from gateway.errors import GatewayError, Kind
from gateway.flows.answer_share import AnswerShare
from gateway.flows.ports import Storages
from gateway.flows.use_remote import UseRemote
from gateway.model.resource import Entry, ResourcePath
from gateway.model.share import Permission, ReceivedShare
from gateway.web import files
from gateway.web.pages import Pages, Visitor
from gateway.web.status import http_status
from gateway.web.uploads import Upload, receive

# A page of a folder shows this many members; larger ones have several.
PAGE_ENTRIES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One tree of files and how its pages are addressed.

    Attributes:
        base: where its pages are, below the pages' root.
        share: the received share that it is, or None for the user's own files.
    """

    backend: Backend
    base: str
    title: str
    share: ReceivedShare | None = None

    @property
    def may_write(self) -> bool:
        """Whether the pages offer to change anything; the storage itself has the last word."""
        return self.share is None or Permission.WRITE in self.share.webdav.permissions

    def url(self, action: str, path: ResourcePath) -> str:
        """Return a page's path below the pages' root."""
        return f"{self.base}/{action}/{path.to_url()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePages:
    """Handlers of the pages of files."""

    pages: Pages
    storages: Storages
    answer_share: AnswerShare
    use_remote: UseRemote

    async def browse(self, request: web.Request) -> web.StreamResponse:
        """Show a folder, or hand out a file."""
        visitor = await self.pages.visitor(request)
        place, path = await self._place(request, visitor), files.path_of(request)
        entry = await place.backend.stat(path)
        if not entry.is_folder:
            return await files.download(request, place.backend, entry, place.title)
        return await self._folder_page(request, visitor, place, path)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Store the files of a form in a folder."""
        visitor = await self.pages.visitor(request)
        place, path = await self._place(request, visitor), files.path_of(request)

        def is_from_our_page(token: str) -> None:
            self.pages.gate.check_form(request, visitor.session, token)

        done = await receive(request, place.backend, path, is_from_our_page)
        if done.stored == 0 and not done.existing:
            error = GatewayError(Kind.INVALID, "Choose at least one file to upload.")
            return await self._folder_page(request, visitor, place, path, error=error, status=400)
        return self.pages.go(place.url("browse", path), notice=_upload_notice(done))

    async def make_folder(self, request: web.Request) -> web.StreamResponse:
        """Make a folder."""
        visitor, fields = await self.pages.form(request)
        place, path = await self._place(request, visitor), files.path_of(request)
        name = fields.get("name", "").strip()
        try:
            await files.make_folder(place.backend, path / name)
        except GatewayError as error:
            if error.kind not in (Kind.INVALID, Kind.CONFLICT):
                raise
            told = _bad_name(name) if error.kind is Kind.INVALID else error
            return await self._folder_page(
                request, visitor, place, path, error=told, status=http_status(error), folder_name=name
            )
        return self.pages.go(place.url("browse", path), notice="folder-made")

    async def ask_delete(self, request: web.Request) -> web.Response:
        """Ask before deleting."""
        visitor = await self.pages.visitor(request)
        place, path = await self._place(request, visitor), files.path_of(request)
        _refuse_root(path)
        entry = await place.backend.stat(path)
        what = "folder with everything in it" if entry.is_folder else "file"
        return self.pages.show(
            request,
            "confirm.html",
            visitor,
            tab=_tab(place),
            title=f"Delete “{path.name}”?",
            text=f"This {what} is deleted from the storage. That cannot be undone here.",
            action=place.url("delete", path),
            button="Delete",
            back=place.url("browse", path.parent),
        )

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a file or folder."""
        visitor, _ = await self.pages.form(request)
        place, path = await self._place(request, visitor), files.path_of(request)
        _refuse_root(path)
        await place.backend.delete(path)
        return self.pages.go(place.url("browse", path.parent), notice="deleted")

    async def _place(self, request: web.Request, visitor: Visitor) -> Place:
        share_id = request.match_info.get("share")
        if share_id is None:
            return Place(backend=self.storages.as_user(visitor.user), base="/files", title="My files")
        share = await self.answer_share.get(visitor.user.identifier, share_id)
        backend = await self.use_remote.open(visitor.user, share)
        return Place(backend=backend, base=f"/received/{share_id}", title=share.name, share=share)

    async def _folder_page(
        self,
        request: web.Request,
        visitor: Visitor,
        place: Place,
        path: ResourcePath,
        *,
        status: int = 200,
        **more: object,
    ) -> web.Response:
        entries, is_cut = await files.listing(place.backend, path)
        start = _start(request.query)
        context: Mapping[str, object] = {
            "tab": _tab(place),
            "place": place,
            "path": path,
            "crumbs": [ResourcePath(path.parts[:depth]) for depth in range(1, len(path.parts) + 1)],
            "entries": [_row(entry) for entry in entries[start : start + PAGE_ENTRIES]],
            "count": len(entries),
            "earlier": max(0, start - PAGE_ENTRIES) if start > 0 else None,
            "later": start + PAGE_ENTRIES if start + PAGE_ENTRIES < len(entries) else None,
            "is_cut": is_cut,
            "error": None,
            "folder_name": "",
        }
        return self.pages.show(request, "files.html", visitor, status=status, **{**context, **more})


def _row(entry: Entry) -> tuple[Entry, str]:
    # Names that are not UTF-8 are shown as far as they can be read; links lead to the true name.
    return entry, entry.path.name.encode(errors="surrogateescape").decode(errors="replace")


def _start(query: Mapping[str, str]) -> int:
    text = query.get("from", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(files.LISTING_MAX_ENTRIES)) else 0


def _tab(place: Place) -> str:
    return "files" if place.share is None else "received"


def _upload_notice(done: Upload) -> str:
    return "some-exist" if done.existing else "uploaded"


def _refuse_root(path: ResourcePath) -> None:
    if path.is_root:
        raise GatewayError(Kind.FORBIDDEN, "The root cannot be deleted.")


def _bad_name(name: str) -> GatewayError:
    return GatewayError(
        Kind.INVALID,
        "Type a name for the folder." if not name else "A name cannot hold a slash, a backslash, or be only dots.",
    )
