"""The WebDAV mount of received shares, between two real gateways: what is there, what may be done, what is refused."""

import asyncio
import xml.etree.ElementTree as ET

from support.mounted import mounted

D = "{DAV:}"
OC = "{http://owncloud.org/ns}"
LETTERS = (
    '<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:permissions/><d:getcontentlength/>'
    "<d:resourcetype/></d:prop></d:propfind>"
)


def members(body):
    """Return each href of a multi-status answer with its properties."""
    found = {}
    for response in ET.fromstring(body).iter(f"{D}response"):
        ok = response.find(f"{D}propstat/{D}prop")
        found[response.findtext(f"{D}href")] = {item.tag: item.text or "" for item in ok}
    return found


async def listed(here, path="", depth="1"):
    """List a folder of the mount."""
    status, _, body = await here.dav("PROPFIND", path, headers={"Depth": depth}, data=LETTERS)
    assert status == 207, body
    return members(body)


async def settled(here):
    """Return the list of shares once the gateway has learned what each of them is."""
    while True:
        found = await listed(here)
        if "/ocm/received/Report.txt" in found and found["/ocm/received/Report.txt"].get(f"{D}getcontentlength"):
            return found
        await asyncio.sleep(0.02)


async def test_everything_received_is_one_tree(tmp_path):
    """The root lists the accepted shares, a folder or a file each, with what its sender allows; below is what is in."""
    async with mounted(tmp_path) as here:
        found = await settled(here)
        assert set(found) == {
            "/ocm/received/",
            "/ocm/received/Project/",
            "/ocm/received/Library/",
            "/ocm/received/Report.txt",
        }
        assert found["/ocm/received/Report.txt"][f"{D}getcontentlength"] == "8"
        assert "CK" in found["/ocm/received/Project/"][f"{OC}permissions"]
        assert found["/ocm/received/Library/"][f"{OC}permissions"] == "G"
        inside = await listed(here, "Project")
        assert set(inside) == {
            "/ocm/received/Project/",
            "/ocm/received/Project/hello.txt",
            "/ocm/received/Project/sub/",
        }
        assert (await here.dav("GET", "Project/hello.txt"))[2] == b"hello"
        assert (await here.dav("GET", "Report.txt"))[2] == b"one file"
        assert await here.status("GET", "Report.txt/deeper") == 404
        assert await here.status("PROPFIND", "Nothing") == 404
