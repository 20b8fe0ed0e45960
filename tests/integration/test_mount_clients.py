"""What Windows and the Finder do at a mount, request by request, as ANCHORS 2 tells it of them (played, not run)."""

import pytest

from support.mounted import mounted

WINDOWS = {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045"}
FINDER = {"User-Agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.0.0 (x86_64)"}
LOCK = (
    '<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>'
    "</D:locktype><D:owner><D:href>LAB\\bob</D:href></D:owner></D:lockinfo>"
)
TIMES = (
    '<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>'
    "<Z:Win32CreationTime>Tue, 24 Nov 2020 10:00:00 GMT</Z:Win32CreationTime>"
    "<Z:Win32LastAccessTime>Tue, 24 Nov 2020 10:00:00 GMT</Z:Win32LastAccessTime>"
    "<Z:Win32LastModifiedTime>Tue, 24 Nov 2020 10:00:00 GMT</Z:Win32LastModifiedTime>"
    "<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>"
)
MODIFIED = 1606212000


async def test_windows_copies_a_file_onto_the_drive(tmp_path):
    """The Mini-Redirector finds its way down, makes an empty file, locks, times and fills it, and frees it again."""
    async with mounted(tmp_path, mount={"strip_domain": True}) as here:

        async def ask(method, path="", **options):
            headers = WINDOWS | options.pop("headers", {})
            return await here.dav(method, path, user="LAB\\bob", headers=headers, **options)

        for above in ("/", "/ocm"):
            for method in ("OPTIONS", "PROPFIND"):
                async with here.bob.session.request(
                    method, f"{here.bob.local}{above}", headers=WINDOWS | {"Depth": "0"}
                ) as answer:
                    assert answer.status in (200, 207)
                    assert "2" in answer.headers["DAV"]
        status, headers, _ = await ask("OPTIONS")
        assert (status, headers["DAV"], headers["MS-Author-Via"]) == (200, "1, 2", "DAV")
        # Without a final slash, and answered in place.
        status, _, body = await ask("PROPFIND", "Project", headers={"Depth": "1"})
        assert status == 207
        assert b"/ocm/received/Project/hello.txt" in body
        assert (await ask("PROPFIND", "Project/plan.docx", headers={"Depth": "0"}))[0] == 404
        assert (await ask("PUT", "Project/plan.docx", data=b""))[0] == 201
        status, headers, _ = await ask("LOCK", "Project/plan.docx", data=LOCK, headers={"Timeout": "Second-3600"})
        assert status == 200
        token = headers["Lock-Token"]
        status, _, body = await ask("PROPPATCH", "Project/plan.docx", data=TIMES, headers={"If": f"({token})"})
        assert status == 207
        assert body.count(b"HTTP/1.1 200") == 4
        assert (await ask("PUT", "Project/plan.docx", data=b"other"))[0] == 423
        status, _, body = await ask("LOCK", "Project/plan.docx", data=LOCK)
        assert status == 423
        assert (await ask("PUT", "Project/plan.docx", data=b"the plan", headers={"If": f"({token})"}))[0] == 204
        assert (await ask("PROPPATCH", "Project/plan.docx", data=TIMES, headers={"If": f"({token})"}))[0] == 207
        refresh = {"If": f"({token})", "Timeout": "Second-3600"}
        assert (await ask("LOCK", "Project/plan.docx", headers=refresh))[0] == 200
        assert (await ask("UNLOCK", "Project/plan.docx", headers={"Lock-Token": token}))[0] == 204
        kept = here.files / "Project" / "plan.docx"
        assert kept.read_bytes() == b"the plan"
        assert int(kept.stat().st_mtime) == MODIFIED


async def test_a_domain_before_the_name_is_an_option(tmp_path):
    """Unless the operator says so, a name with a domain is nobody's."""
    async with mounted(tmp_path) as here:
        assert await here.status("PROPFIND", user="LAB\\bob") == 401


async def test_the_finder_copies_a_file_onto_the_volume(tmp_path):
    """The Finder locks what is not there, sends the bytes in chunks without a length, and looks for its own files."""
    async with mounted(tmp_path) as here:

        async def ask(method, path="", **options):
            return await here.dav(method, path, headers=FINDER | options.pop("headers", {}), **options)

        async def pieces():
            yield b"a film "
            yield b"in two pieces"

        for probe in ("._.", ".DS_Store", "Project/._film.mov", "Project/.DS_Store", ".Spotlight-V100"):
            for _ in range(3):
                assert (await ask("PROPFIND", probe, headers={"Depth": "0"}))[0] == 404
        status, headers, _ = await ask("LOCK", "Project/film.mov", data=LOCK, headers={"Depth": "0"})
        assert status == 201
        token = headers["Lock-Token"]
        told = {"If": f"({token})", "X-Expected-Entity-Length": "20"}
        assert (await ask("PUT", "Project/film.mov", data=pieces(), headers=told))[0] == 204
        assert (await ask("UNLOCK", "Project/film.mov", headers={"Lock-Token": token}))[0] == 204
        assert (here.files / "Project" / "film.mov").read_bytes() == b"a film in two pieces"
        quota = '<propfind xmlns="DAV:"><prop><quota-available-bytes/><quota-used-bytes/></prop></propfind>'
        for path in ("", "Project"):
            assert (await ask("PROPFIND", path, data=quota, headers={"Depth": "0"}))[0] == 207


async def test_a_sender_is_asked_once_for_what_is_not_there(tmp_path):
    """That there is no `._name` is remembered for five seconds, and forgotten as soon as one is written."""
    async with mounted(tmp_path) as here:
        hidden = here.files / "Project" / "._film.mov"
        assert await here.status("PROPFIND", "Project/._film.mov") == 404
        hidden.write_bytes(b"behind our back")
        assert await here.status("PROPFIND", "Project/._film.mov") == 404
        here.bob.clock.ahead += 6
        assert await here.status("PROPFIND", "Project/._film.mov") == 207
        hidden.unlink()
        assert await here.status("PROPFIND", "Project/._film.mov") == 404
        assert await here.status("PUT", "Project/._film.mov", data=b"resource fork") == 201
        assert (await here.dav("GET", "Project/._film.mov"))[2] == b"resource fork"
        assert await here.status("PUT", "Library/._book.txt", data=b"x") == 403


@pytest.mark.parametrize(("rule", "status"), [("discard", 201), ("refuse", 403)])
async def test_what_macos_leaves_can_be_kept_out(tmp_path, rule, status):
    """By the operator's choice it is taken and thrown away, or refused; what people store is stored."""
    async with mounted(tmp_path, mount={"mac_metadata": rule}) as here:
        for name in ("._film.mov", ".DS_Store"):
            assert await here.status("PUT", f"Project/{name}", data=b"x" * 4096) == status
            assert await here.status("PROPFIND", f"Project/{name}") == 404
            assert not (here.files / "Project" / name).exists()
        assert await here.status("PUT", "Project/film.mov", data=b"film") == 201
