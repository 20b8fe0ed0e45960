"""How deployed servers use a share of ours, request by request (live-captures.md 3; dialects.md 3.6, 4 to 8.3).

A `Mount` is a share as its recipient's server holds it. Its sub-classes differ in what they send and in what an answer
means to them; each reads the answers with nothing but an XML parser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import aiohttp

OCS = "{http://open-collaboration-services.org/ns}share-permissions"
OCM = "{http://open-cloud-mesh.org/ns}share-permissions"
OC = "{http://owncloud.org/ns}permissions"
SABRE = "sabre-dav/4.7.0 (http://sabre.io/)"
# Byte for byte what was recorded, but for the last property, which ownCloud does not ask for.
_PROPS = """<?xml version="1.0" encoding="UTF-8"?>
<d:propfind xmlns:d="DAV:">
  <d:prop xmlns:x="http://owncloud.org/ns" xmlns:x1="http://open-collaboration-services.org/ns">
    <d:getlastmodified/>
    <d:getcontentlength/>
    <d:getcontenttype/>
    <x:permissions xmlns:x="http://owncloud.org/ns"/>
    <x1:share-permissions xmlns:x="http://open-collaboration-services.org/ns"/>
    <d:resourcetype/>
    <d:getetag/>
{}  </d:prop>
</d:propfind>
"""
_QUOTA = "    <d:quota-available-bytes/>\n"
_FORM = {"Content_Type": "application/x-www-form-urlencoded"}
_ALLPROP = '<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'


class Unavailable(Exception):  # noqa: N818 - it is what that server would find
    """This server would take the storage to be away, and keep the mount."""


class Removed(Exception):  # noqa: N818 - it is what that server would do
    """This server would remove the mount."""


@dataclass
class Mount:
    """A share as a server holds it.

    Attributes:
        root: the URL under which it looks for the share's root, with a slash at its end.
        removes_on: the statuses at which it removes the mount.
        discover: reads our document again, where it does that before each operation.
        sent: what it asked for, in short.
    """

    agent: ClassVar[str] = SABRE
    session: aiohttp.ClientSession
    root: str
    headers: dict[str, str]
    removes_on: frozenset[int] = frozenset()
    discover: Callable[[], Awaitable[object]] | None = None
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing to do here; others begin with something."""

    async def ask(
        self, method: str, path: str = "", *, body: str | bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Send a request; raise what this server makes of a status that says more than yes or no."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"User-Agent": self.agent, "Accept": "*/*", **self.headers, **named}
        self.sent.append(" ".join(filter(None, (method, path.rstrip("/") or "root", fields.get("Depth")))))
        async with self.session.request(
            method, self.root + path, data=body, headers=fields, allow_redirects=False
        ) as answer:
            if answer.status in self.removes_on:
                raise Removed(f"{method} {answer.status}")
            if answer.status >= 500 or answer.status in (401, 429):
                raise Unavailable(f"{method} {answer.status}")
            return answer.status, await answer.read()

    async def find(self, path: str, depth: str | None, body: str) -> dict[str, dict[str, str]] | None:
        """Return the properties by path below the root; None for 404."""
        fields = {} if depth is None else {"Depth": depth}
        status, text = await self.ask("PROPFIND", path, body=body, Content_Type="application/xml", **fields)
        if status == 404:
            return None
        assert status == 207, status
        return {self._name(href): props for href, props in _parsed(text)}

    def _name(self, href: str) -> str:
        base = urlsplit(self.root).path
        path = unquote(urlsplit(href).path)
        assert (path.rstrip("/") + "/").startswith(base.rstrip("/") + "/"), f"{href} is not below {base}"
        return path.rstrip("/")[len(base.rstrip("/")) + 1 :]


class PhpMount(Mount):
    """Nextcloud and ownCloud: sabre, a list of properties, the root's tag for changes."""

    body = _PROPS.format(_QUOTA)

    def __post_init__(self) -> None:
        self._stale = ""

    async def begin(self) -> None:
        """Begin an operation: without a cache it reads our document every time."""
        if self.discover is not None:
            self.sent.append("GET ocm-provider")
            await self.discover()

    async def names(self) -> set[str]:
        """List the root."""
        await self.begin()
        assert "DAV:}collection" in (await self.root_props())["{DAV:}resourcetype"]
        return await self.members()

    async def root_props(self) -> dict[str, str]:
        """Look at the root; its tag alone tells that something below has changed."""
        root = await self.stat("")
        assert root is not None, "no root"
        tag = root["{DAV:}getetag"]
        assert len(tag.strip('"')) <= 40
        assert tag != self._stale, "a change below was not seen"
        self._stale = ""
        return root

    async def members(self) -> set[str]:
        """Return what is in the root."""
        return set(await self.find("", "1", self.body) or {}) - {""}

    async def stat(self, path: str) -> dict[str, str] | None:
        """Return the properties of one resource."""
        found = await self.find(path, "0", self.body)
        return None if found is None else found[path.rstrip("/")]

    async def permissions(self, path: str = "") -> set[str]:
        """Return what it would let its user do: the mask counts first, then the list, then the letters."""
        props = await self.stat(path) or {}
        if OCS in props:
            mask = int(props[OCS])
            return {"read"} | ({"write"} if mask & 2 else set()) | ({"share"} if mask & 16 else set())
        if OCM in props:
            return set(json.loads(props[OCM]))
        return {"read"} | ({"write"} if OC not in props or set("WCK") & set(props[OC]) else set())

    async def read(self, path: str) -> bytes:
        """Look, look again, and fetch the whole."""
        await self.begin()
        await self.root_props()
        await self.members()
        await self.root_props()
        status, content = await self.ask("GET", path, Accept_Encoding="gzip")
        assert status == 200, status
        return content

    async def write(self, path: str, content: bytes) -> None:
        """Write straight to the final name; an old version is fetched first."""
        await self.begin()
        tag = (await self.root_props())["{DAV:}getetag"]
        is_new = path not in await self.members()
        if is_new:
            assert await self.stat(path) is None
            await self.members()
        else:
            await self.root_props()
            await self.members()
            assert (await self.ask("GET", path, Accept_Encoding="gzip"))[0] == 200
        status, _ = await self.ask("PUT", path, body=content, Content_Type="text/plain", Accept_Encoding="gzip")
        assert status in (200, 201, 204), status
        self._stale = tag
        written = await self.stat(path)
        assert written is not None
        assert written["{DAV:}getcontentlength"] == str(len(content))
        if is_new:
            await self.root_props()

    async def make(self, path: str) -> None:
        """Make a folder."""
        assert await self.stat(path) is None
        assert (await self.ask("MKCOL", path, **_FORM))[0] == 201
        assert await self.stat(path) is not None
        assert await self.find(path, "1", self.body) is not None

    async def rename(self, path: str, target: str) -> None:
        """Rename with an absolute destination."""
        assert await self.stat(target) is None
        status, _ = await self.ask("MOVE", path, Destination=self.root + target, **_FORM)
        assert status in (201, 204), status

    async def remove(self, path: str) -> None:
        """Delete; anything but 204 counts as failed."""
        assert (await self.ask("DELETE", path))[0] == 204


class OwnCloudMount(PhpMount):
    """ownCloud 10 asks for each child by itself, and reads back what it wrote and what it deletes."""

    body = _PROPS.format("")

    async def names(self) -> set[str]:
        """List the root, then look at each child."""
        names = await super().names()
        for name in names:
            assert await self.stat(name) is not None
        return names

    async def write(self, path: str, content: bytes) -> None:
        """Read back what was written."""
        await super().write(path, content)
        assert (await self.ask("GET", path))[1] == content

    async def remove(self, path: str) -> None:
        """Read before deleting."""
        assert (await self.ask("GET", path))[0] == 200
        await super().remove(path)


class RevaMount(Mount):
    """oCIS, OpenCloud and CERNBox: all properties, a lock around a write, a slash behind every name."""

    agent = "Go-http-client/1.1"
    upload: ClassVar[dict[str, str]] = {}

    async def names(self) -> set[str]:
        """List the root."""
        found = await self.find("", "1", _ALLPROP)
        assert found is not None, "no root"
        assert "DAV:}collection" in found[""]["{DAV:}resourcetype"]
        return set(found) - {""}

    async def permissions(self, path: str = "") -> set[str]:
        """It keeps what the share said, so there is nothing to look at; what it may do shows when it tries."""
        status, _ = await self.ask("PUT", f"{path}probe.txt", body=b"probe")
        if status == 201:
            await self.remove(f"{path}probe.txt")
        return {"read", "write"} if status == 201 else {"read"}

    async def read(self, path: str) -> bytes:
        """Ask for the file as if it were a folder, then fetch it."""
        found = await self.find(f"{path}/", "0", _ALLPROP)
        assert found is not None
        status, content = await self.ask("GET", path)
        assert status == 200, status
        return content

    async def write(self, path: str, content: bytes) -> None:
        """Write with a length."""
        status, _ = await self.ask("PUT", path, body=content, **self.upload)
        assert status in (200, 201, 204), status

    async def make(self, path: str) -> None:
        """Make a folder."""
        assert (await self.ask("MKCOL", f"{path}/"))[0] == 201

    async def rename(self, path: str, target: str) -> None:
        """Rename with an absolute destination."""
        status, _ = await self.ask("MOVE", path, Destination=self.root + target, Overwrite="T")
        assert status in (201, 204), status

    async def remove(self, path: str) -> None:
        """Delete."""
        assert (await self.ask("DELETE", path))[0] == 204


class CernboxMount(RevaMount):
    """CERNBox names a length of its own beside the real one."""

    upload: ClassVar[dict[str, str]] = {"Upload-Length": "-1"}


class SeafileMount(PhpMount):
    """Seafile asks without a depth and reads the first group of properties only."""

    async def names(self) -> set[str]:
        """List the root."""
        found = await self.find("", None, '<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:allprop/></d:propfind>')
        assert found is not None, "no root"
        for props in found.values():
            assert {"{DAV:}resourcetype", "{DAV:}getlastmodified"} <= set(props)
        return set(found) - {""}


def basic(user: str, password: str = "") -> dict[str, str]:
    """Return the header of a user name, by default with an empty pass word."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}


def _parsed(text: bytes) -> list[tuple[str, dict[str, str]]]:
    """Return each href with the properties of its first, successful group."""
    found = []
    for response in ET.fromstring(text).iter("{DAV:}response"):
        href = response.findtext("{DAV:}href") or ""
        propstat = response.find("{DAV:}propstat")
        assert propstat is not None
        assert " 200 " in (propstat.findtext("{DAV:}status") or "") + " "
        props = propstat.find("{DAV:}prop")
        assert props is not None
        found.append((href, {prop.tag: (prop.text or "") + "".join(child.tag for child in prop) for prop in props}))
    return found
