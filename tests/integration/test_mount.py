"""The WebDAV mount of received shares, between two real gateways: what is there, what may be done, what is refused."""

import asyncio
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import aiohttp

from support.mounted import mounted

D = "{DAV:}"
SHARES = 3
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
        if len(found) == SHARES + 1 and found.get("/ocm/received/Report.txt", {}).get(f"{D}getcontentlength"):
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


async def test_the_senders_permissions_hold(tmp_path):
    """A share for reading refuses every change with 403; the list of shares itself cannot be changed by anybody."""
    async with mounted(tmp_path) as here:
        lock = '<d:lockinfo xmlns:d="DAV:"><d:lockscope><d:exclusive/></d:lockscope></d:lockinfo>'
        to = {"Destination": f"{here.url}Library/copy.txt"}
        refused = (
            ("PUT", "Library/book.txt", {"data": b"x"}),
            ("DELETE", "Library/book.txt", {}),
            ("MKCOL", "Library/new", {}),
            ("LOCK", "Library/book.txt", {"data": lock}),
            ("COPY", "Project/hello.txt", {"headers": to}),
            ("MOVE", "Library/book.txt", {"headers": {"Destination": f"{here.url}Project/book.txt"}}),
            ("PUT", "new.txt", {"data": b"x"}),
            ("MKCOL", "new", {}),
            ("DELETE", "Project", {}),
            ("DELETE", "", {}),
            ("MOVE", "Project", {"headers": {"Destination": f"{here.url}Other"}}),
            ("MOVE", "Project/hello.txt", {"headers": {"Destination": f"{here.url}hello.txt"}}),
            ("COPY", "Project/hello.txt", {"headers": {"Destination": f"{here.url}Report.txt"}}),
        )
        for method, path, options in refused:
            assert await here.status(method, path, **options) == 403, (method, path)
        assert await here.status("MKCOL", "Nothing/new") == 409
        assert (here.files / "Library" / "book.txt").read_text() == "a book"
        assert (here.files / "Project" / "hello.txt").read_text() == "hello"
        levels = [(await here.dav("OPTIONS", path))[1]["DAV"] for path in ("", "Project", "Library")]
        assert levels == ["1, 2", "1, 2", "1"]


async def test_a_share_of_one_file_can_be_written(tmp_path):
    """What was shared as one file is replaced in place, and is never more than that file."""
    async with mounted(tmp_path) as here:
        assert await here.status("PUT", "Report.txt", data=b"a new report") == 204
        assert (here.files / "Report.txt").read_text() == "a new report"
        assert (await settled(here))["/ocm/received/Report.txt"][f"{D}getcontentlength"] == "12"
        assert await here.status("MKCOL", "Report.txt/sub") in (403, 404, 405, 409)


async def test_a_sender_who_is_away_takes_only_his_own_shares_along(tmp_path):
    """With the sender gone its shares answer 503, never 404, and the list still stands."""
    async with mounted(tmp_path) as here:
        before = await settled(here)
        await here.sender.aclose()
        assert set(await listed(here)) == set(before)
        for method, path in (("PROPFIND", "Project"), ("GET", "Project/hello.txt"), ("PUT", "Project/new")):
            status, headers, _ = await here.dav(method, path, data=b"" if method == "PUT" else None)
            assert status == 503
            assert int(headers["Retry-After"]) > 0


async def test_files_go_from_one_share_to_another(tmp_path):
    """A copy between shares streams through us, folders too; a file is moved, a folder is not."""
    async with mounted(tmp_path) as here:
        (here.files / "Second").mkdir()
        (here.files / "Project" / "sub" / "deep.txt").write_text("deep")
        await here.receive("Second")
        await has_names(here, {"Project", "Library", "Report.txt", "Second"})
        second = here.files / "Second"

        def to(path, **more):
            return {"headers": {"Destination": f"{here.url}{path}", **more}}

        assert await here.status("COPY", "Library", **to("Second/books")) == 201
        assert (second / "books" / "book.txt").read_text() == "a book"
        assert await here.status("COPY", "Library/book.txt", **to("Second/books", Overwrite="F")) == 412
        assert await here.status("COPY", "Project", **to("Second/books")) == 204
        assert sorted(path.name for path in (second / "books").rglob("*")) == ["deep.txt", "hello.txt", "sub"]
        assert await here.status("COPY", "Project", **to("Second/empty", Depth="0")) == 201
        assert list((second / "empty").iterdir()) == []
        assert await here.status("MOVE", "Project/hello.txt", **to("Second/hello.txt")) == 201
        assert (second / "hello.txt").read_text() == "hello"
        assert not (here.files / "Project" / "hello.txt").exists()
        assert await here.status("MOVE", "Project/sub", **to("Second/sub")) == 403
        assert (here.files / "Project" / "sub" / "deep.txt").exists()
        assert await here.status("MOVE", "Second/hello.txt", **to("Second/renamed.txt")) == 201
        assert (second / "renamed.txt").read_text() == "hello"


async def test_names_are_unique_and_stay(tmp_path):
    """A second share of the same name shows its owner; it keeps that name when the first has ended."""
    async with mounted(tmp_path) as here:
        await settled(here)
        (here.files / "deeper" / "project").mkdir(parents=True)
        (here.files / "deeper" / "project" / "second.txt").write_text("2")
        share = await here.alice.share("/deeper/project", here.bob.address)
        await here.bob.accepted()
        second = f"project ({here.alice.address})"
        await has_names(here, {"Project", "Library", "Report.txt", second})
        assert (await here.dav("GET", f"{second}/second.txt"))[2] == b"2"
        assert (await here.alice.rest("DELETE", f"shares/{here.shares['Project']}"))[0] == 200
        await has_names(here, {"Library", "Report.txt", second})
        assert await here.status("GET", "Project/second.txt") == 404
        assert share["state"] == "delivered"


async def test_only_a_name_and_password_open_it(tmp_path):
    """No cookie opens the mount, a page of another site changes nothing, and a stranger is asked for Basic only."""
    async with mounted(tmp_path) as here:
        async with here.bob.session.request("PROPFIND", here.url) as answer:
            assert answer.status == 401
            assert answer.headers.getall("WWW-Authenticate") == ['Basic realm="What you received", charset="UTF-8"']
        async with here.bob.session.request("PROPFIND", here.url, headers={"Authorization": "Bearer x"}) as answer:
            assert answer.status == 401
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert await here.status("PUT", "Project/new.txt", headers=foreign, data=b"x") == 403
        assert await here.status("DELETE", "Project/hello.txt", headers=foreign) == 403
        login = {"user": "bob", "password": here.password}
        own = {"Origin": here.bob.config.public_url}
        url = f"{here.bob.local}/ocm/ui/log-in"
        async with here.bob.session.post(url, data=login, headers=own, allow_redirects=False) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        async with here.bob.session.get(f"{here.url}Report.txt", headers={"Cookie": cookie}) as answer:
            assert answer.status == 401


async def test_one_user_cannot_take_all(tmp_path):
    """Beyond the limit a user's requests at the mount wait (429) until one of hers has ended."""
    async with mounted(tmp_path, limits={"requests_per_user": 1}) as here:
        (here.files / "Project" / "large.bin").write_bytes(bytes(64 * 1024 * 1024))
        login = aiohttp.encode_basic_auth("bob", here.password)
        headers = {"Authorization": login}
        async with here.bob.session.get(f"{here.url}Project/large.bin", headers=headers) as answer:
            await answer.content.readexactly(1024)
            status, fields, _ = await here.dav("PROPFIND")
            assert (status, int(fields["Retry-After"]) > 0) == (429, True)
            answer.close()
        async with asyncio.timeout(10):
            while True:
                if await here.status("PROPFIND") == 207:
                    break
                await asyncio.sleep(0.05)


async def test_what_a_sender_stored_is_not_shown_as_our_page(tmp_path):
    """Files come as attachments that no browser runs; a folder is a small page of links."""
    async with mounted(tmp_path) as here:
        (here.files / "Project" / "page.html").write_text("<script>alert(1)</script>")
        _, headers, _ = await here.dav("GET", "Project/page.html")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in headers["Content-Security-Policy"]
        status, headers, page = await here.dav("GET", "Project")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"page.html" in page
        assert await here.status("HEAD", "") == 200


async def has_names(here, wanted):
    """Wait until the list of shares, which is kept for a second, has exactly these names."""
    async with asyncio.timeout(10):
        while True:
            hrefs = await listed(here)
            found = {unquote(href.removeprefix("/ocm/received/")).rstrip("/") for href in hrefs} - {""}
            if found == wanted:
                return
            await asyncio.sleep(0.05)
