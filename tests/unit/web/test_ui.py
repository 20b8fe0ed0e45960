import aiohttp
import pytest

from gateway.model.address import OcmAddress
from gateway.model.share import ReceivedState, SentState
from support.webapp import FAR, PASSWORD, browser, log_in, token


@pytest.fixture
async def alice(app):
    """Alice's browser, logged in."""
    async with browser(app) as session:
        await log_in(session)
        yield session


@pytest.fixture(autouse=True)
def project(app):
    """A folder of Alice's, with a file in it."""
    folder = app.folder / "alice" / "Project"
    folder.mkdir()
    (folder / "a.txt").write_text("hello")
    return folder


async def see(session, page, status=200):
    """Return the text of a page."""
    async with session.get(page) as response:
        text = await response.text()
        assert response.status == status, text
        return text


async def send(session, page, status=200, **fields):
    """Send a form with the session's token; return the page that follows."""
    async with session.post(page, data={"csrf": await token(session), **fields}) as response:
        text = await response.text()
        assert response.status == status, text
        return text


def upload_form(csrf, *files, replace=False):
    # A browser writes names as they are.
    form = aiohttp.FormData(quote_fields=False)
    if csrf is not None:
        form.add_field("csrf", csrf)
    if replace:
        form.add_field("replace", "1")
    for name, content in files:
        form.add_field("file", content, filename=name, content_type="text/plain")
    return form


PAGES = ["files/browse/", "files/delete/Project", "files/share/Project", "shared-by-me", "shared-with-me", "address"]


@pytest.mark.parametrize("page", PAGES)
async def test_pages_are_for_users(app, page):
    """Nobody sees a page without a log-in, and after it everybody sees the page that was asked for."""
    async with browser(app) as session:
        text = await see(session, page)
        assert "Password" in text
        fields = {"user": "alice", "password": PASSWORD, "next": f"/ocm/ui/{page}"}
        async with session.post("log-in", data=fields) as response:
            assert response.url.path == f"/ocm/ui/{page}"


@pytest.mark.parametrize("page", PAGES)
async def test_pages_are_kept_safe(alice, page):
    """No page may be framed, cached, indexed or run a script; HEAD says the same without a body."""
    for method in ("GET", "HEAD"):
        async with alice.request(method, page) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Referrer-Policy"] == "same-origin"
            assert response.headers["X-Robots-Tag"].startswith("noindex")
            text = await response.text()
            assert (text == "") == (method == "HEAD")
            assert "<script" not in text
            assert " style=" not in text


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example", "/ocm/ui/\\evil", "/elsewhere", "/ocm/ui/\r\nX: 1"]
)
async def test_log_in_leads_to_no_foreign_page(app, place):
    """Where the log-in leads is a page of ours, whatever the link said."""
    async with browser(app) as session:
        fields = {"user": "alice", "password": PASSWORD, "next": place}
        async with session.post("log-in", data=fields, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/ocm/ui/files/browse/")


async def test_wrong_password_keeps_the_name(app):
    """The form comes back with what was wrong and the name, never with the pass word."""
    async with browser(app) as session:
        status, text = await log_in(session, password="my-secret-guess")
    assert status == 401
    assert "The user name or the password is wrong." in text
    assert 'value="alice"' in text
    assert "my-secret-guess" not in text


async def test_too_many_failures_say_when_to_come_again(app):
    """The limit is told as a page with a time."""
    async with browser(app) as session:
        for _ in range(16):
            status, text = await log_in(session, password="x")
    assert status == 429
    assert "Too many log-ins failed" in text


FORMS = [
    "log-out",
    "files/new-folder/",
    "files/delete/Project",
    "files/share/Project",
    "shared-by-me/s1/revoke",
    "received/r1/accept",
    "received/r1/decline",
]


@pytest.mark.parametrize("page", FORMS)
@pytest.mark.parametrize("csrf", [None, "", "wrong", "é"])
async def test_forms_carry_the_token(app, alice, project, page, csrf):
    """A form without this session's token changes nothing."""
    await app.receive()
    fields = {"name": "x", "recipient": f"ada@{FAR}"} | ({} if csrf is None else {"csrf": csrf})
    async with alice.post(page, data=fields) as response:
        assert response.status == 403
        assert "did not come from a page" in await response.text()
    assert (await app.api.received.get("r1")).state is ReceivedState.PENDING
    assert project.exists()
    assert app.peer.told == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"csrf=a&csrf=b", "application/x-www-form-urlencoded", 400),
        (b"csrf=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
    ],
)
async def test_what_is_no_form_is_refused(alice, body, content_type, status):
    """A body that our page would not send is a refusal, never a fault of ours."""
    async with alice.post("files/new-folder/", data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == status


async def test_folder_shows_names_as_text(alice, project):
    """Names are shown as they are, and are never markup."""
    (project / "<img src=x onerror=alert(1)>.txt").write_text("")
    text = await see(alice, "files/browse/Project")
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in text
    assert "<img src=x" not in text
    assert '<a href="/ocm/ui/files/browse/">My files</a>' in text
    assert "5 B" in text


async def test_file_is_handed_out_to_be_saved(alice):
    """A file comes as an attachment in a sandbox."""
    async with alice.get("files/browse/Project/a.txt") as response:
        assert await response.text() == "hello"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response.headers["Content-Security-Policy"]


async def test_large_folder_has_parts(alice, project, monkeypatch):
    """A folder with very many entries is shown in parts, each of which leads to the next."""
    monkeypatch.setattr("gateway.web.uifiles.PAGE_ENTRIES", 2)
    for number in range(4):
        (project / f"b{number}").touch()
    first, last = await see(alice, "files/browse/Project"), await see(alice, "files/browse/Project?from=4")
    assert "b0" in first
    assert "b3" not in first
    assert "?from=2" in first
    assert "b3" in last
    assert "Later" not in last
    assert "a.txt" in await see(alice, "files/browse/Project?from=nonsense")


async def test_upload_streams_into_the_folder(alice, project):
    """Several files of one form are stored, under their own names, larger than any limit on forms."""
    form = upload_form(await token(alice), ("Grüße.txt", b"x" * 1_000_000), ("C:\\docs\\b.txt", b"b"))
    async with alice.post("files/upload/Project", data=form) as response:
        assert "Uploaded." in await response.text()
    assert (project / "Grüße.txt").stat().st_size == 1_000_000
    assert (project / "b.txt").read_bytes() == b"b"


@pytest.mark.parametrize(
    ("replace", "content", "notice"), [(False, "hello", "files of the same name"), (True, "new", "Uploaded.")]
)
async def test_upload_replaces_only_if_asked(alice, project, replace, content, notice):
    """A file that is there stays unless the user said otherwise; the other files of the form are stored."""
    form = upload_form(await token(alice), ("a.txt", b"new"), ("c.txt", b"c"), replace=replace)
    async with alice.post("files/upload/Project", data=form) as response:
        assert notice in await response.text()
    assert (project / "a.txt").read_text() == content
    assert (project / "c.txt").read_text() == "c"


@pytest.mark.parametrize("csrf", [None, "wrong", "x" * 5000])
async def test_upload_without_the_token_stores_nothing(alice, project, csrf):
    """The token comes first, and nothing is written before it."""
    async with alice.post("files/upload/Project", data=upload_form(csrf, ("c.txt", b"c"))) as response:
        assert response.status in (400, 403)
    assert [path.name for path in project.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", ["..", ".", "a\\..", "x" * 300])
async def test_upload_under_an_impossible_name_is_refused(app, alice, project, name):
    """A name that would leave the folder, or fits nowhere, is refused."""
    async with alice.post("files/upload/Project", data=upload_form(await token(alice), (name, b"c"))) as response:
        assert 400 <= response.status < 500, await response.text()
    assert [path.name for path in project.iterdir()] == ["a.txt"]


async def test_torn_upload_is_not_stored(alice, project):
    """A form that ends in the middle of a file leaves no half file."""
    csrf = await token(alice)
    body = (
        f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="c.txt"\r\n\r\nhalf of it'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with alice.post("files/upload/Project", data=body.encode(), headers=headers) as response:
        assert response.status == 400
    assert [path.name for path in project.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (b"--b\r\n", "multipart/form-data", 400),
        (
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
            "multipart/form-data; boundary=b",
            400,
        ),
        (b"x=1", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_malformed_upload_is_refused(alice, body, content_type, status):
    """What is no form with files is a refusal, never a fault of ours."""
    async with alice.post("files/upload/Project", data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == status, await response.text()


async def test_upload_without_a_file_says_so(alice):
    """A form sent without choosing a file is told what is missing."""
    async with alice.post("files/upload/Project", data=upload_form(await token(alice), ("", b""))) as response:
        assert response.status == 400
        assert "Choose at least one file" in await response.text()


async def test_folders_are_made(alice, project):
    """A folder is made under the name that was typed; an impossible name is explained and kept."""
    assert "The folder is there." in await send(alice, "files/new-folder/Project", name=" Data 1 ")
    assert (project / "Data 1").is_dir()
    text = await send(alice, "files/new-folder/Project", status=400, name="a/b")
    assert "cannot hold a slash" in text
    assert 'value="a/b"' in text


async def test_deleting_is_asked_first(alice, project):
    """Looking at the question deletes nothing; answering it does."""
    assert "with everything in it" in await see(alice, "files/delete/Project")
    assert project.exists()
    assert "Deleted." in await send(alice, "files/delete/Project")
    assert not project.exists()


@pytest.mark.parametrize("page", ["files/delete/", "received/r1/delete/"])
async def test_roots_are_not_deleted(app, alice, page):
    """The root of one's files, and of a share, is not offered for deletion."""
    await app.receive(state=ReceivedState.ACCEPTED)
    await see(alice, page, status=403)
    await send(alice, page, status=403)


async def test_share_is_made_with_the_form(app, alice):
    """What the form says is what the share is; its state is told in words."""
    text = await send(
        alice,
        "files/share/Project",
        recipient=f" ada@{FAR} ",
        may_write="1",
        expires="2099-12-31",
        description="For you",
        step="share",
    )
    assert "Delivered, not answered yet" in text
    assert "2099-12-31 23:59 UTC" in text
    assert "may change it" in text
    share = await app.api.sent.get("s1")
    assert (str(share.recipient), sorted(share.permissions), share.description) == (
        f"ada@{FAR}",
        ["read", "write"],
        "For you",
    )


async def test_looking_up_a_provider_shares_nothing(app, alice):
    """The form shows who answers at the other end, and keeps what was typed."""
    text = await send(alice, "files/share/Project", recipient=f"ada@{FAR}", description="Hi <b>", step="check")
    assert "Example Cloud" in text
    assert "signs its messages" in text
    assert "Hi &lt;b&gt;" in text
    assert app.peer.told == []
    assert await app.api.sent.get("s1") is None


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"recipient": "ada"}, 400, "ada@cloud.example.org"),
        ({"recipient": "ada@elsewhere.example"}, 503, "for typing errors"),
        ({"recipient": "ada@elsewhere.example", "step": "check"}, 503, "for typing errors"),
        ({"expires": "soon"}, 400, "not a date"),
        ({"expires": "1999-01-01"}, 400, "expire before it begins"),
        ({"description": "x" * 1001}, 400, "at most 1000 characters"),
    ],
)
async def test_faults_of_the_share_form_are_explained(app, alice, change, status, words):
    """Each fault says what to do next, the form keeps what was typed, and nothing is shared."""
    fields = {"recipient": f"ada@{FAR}", "step": "share"} | change
    text = await send(alice, "files/share/Project", status=status, **fields)
    assert words in text
    assert f'value="{fields["recipient"]}"' in text
    assert app.peer.told == []


async def test_undelivered_share_tells_its_trouble(app, alice):
    """A share that is still on its way says why, and when it is tried again."""
    app.peer.status = 503
    text = await send(alice, "files/share/Project", recipient=f"ada@{FAR}", step="share")
    assert "could not be delivered yet" in text
    assert "tried once" in text
    assert "Next attempt in about" in text


async def test_refused_share_tells_the_reason(app, alice):
    """A share that the other provider refuses says so, with its words."""
    app.peer.status, app.peer.document = 400, {"message": "No such user"}
    text = await send(alice, "files/share/Project", recipient=f"ada@{FAR}", step="share")
    assert "Refused by the other provider" in text


async def test_revoking_is_asked_first(app, alice):
    """The question changes nothing; the answer ends the share."""
    await send(alice, "files/share/Project", recipient=f"ada@{FAR}", step="share")
    assert "running downloads are cut" in await see(alice, "shared-by-me/s1/revoke")
    assert (await app.api.sent.get("s1")).state is SentState.DELIVERED
    assert "Nobody can open this share any more" in await send(alice, "shared-by-me/s1/revoke")
    assert (await app.api.sent.get("s1")).state is SentState.REVOKED


async def test_received_share_names_everybody_who_matters(app, alice):
    """Owner, sender where she is another, host, and whether it was signed, are all told."""
    await app.receive(sender=OcmAddress("carl", FAR), sender_display_name="Carl", is_signed=False, description="<i>Hi")
    text = await see(alice, "shared-with-me")
    for words in ("Ada Lovelace", f"ada@{FAR}", "sent by", "Carl", f"carl@{FAR}", "not signed", "&lt;i&gt;Hi"):
        assert words in text


async def test_share_is_accepted_used_and_given_back(app, alice):
    """Accept, look in, upload, give back: all without a program of one's own."""
    (app.remote / "r.txt").write_text("remote")
    await app.receive()
    assert "Accepted. You can open it now." in await send(alice, "received/r1/accept")
    assert "r.txt" in await see(alice, "received/r1/browse/")
    assert await see(alice, "received/r1/browse/r.txt") == "remote"
    async with alice.post("received/r1/upload/", data=upload_form(await token(alice), ("n.txt", b"n"))) as response:
        assert "Uploaded." in await response.text()
    assert (app.remote / "n.txt").read_text() == "n"
    assert "have to share it with you again" in await see(alice, "received/r1/decline")
    assert "Given back." in await send(alice, "received/r1/decline")
    await see(alice, "received/r1/browse/", status=409)


async def test_read_only_share_offers_no_changes(app, alice):
    """Where only reading is allowed, nothing else is offered."""
    (app.remote / "r.txt").write_text("remote")
    await app.receive(may_write=False, state=ReceivedState.ACCEPTED)
    text = await see(alice, "received/r1/browse/")
    assert "you may look and download" in text
    assert "Upload" not in text
    assert "Delete" not in text


@pytest.mark.parametrize(
    "page",
    ["received/r1/browse/", "received/r1/decline", "received/r1/delete/x", "shared-by-me/s1/revoke"],
)
async def test_others_see_nothing(app, alice, page):
    """What is Alice's does not exist for Bob."""
    await app.receive()
    await send(alice, "files/share/Project", recipient=f"ada@{FAR}", step="share")
    async with browser(app) as bob:
        await log_in(bob, "bob")
        await see(bob, page, status=404)
        assert "Spectra" not in await see(bob, "shared-with-me")
        assert "Project" not in await see(bob, "shared-by-me")


async def test_error_is_a_page_with_the_request_number(alice):
    """A page that fails is a page, and carries the number by which the log can be searched."""
    async with alice.get("files/browse/nowhere") as response:
        text = await response.text()
        assert response.status == 404
        assert f"<code>{response.headers['X-Request-Id']}</code>" in text
        assert "script-src" not in response.headers["Content-Security-Policy"]


async def test_only_known_notices_are_shown(alice):
    """A link cannot put words of its own on a page."""
    assert "pwned" not in await see(alice, "files/browse/?notice=pwned")
    assert "Deleted." in await see(alice, "files/browse/?notice=deleted")


@pytest.mark.parametrize(
    ("name", "status"), [("style.css", 200), ("icon.svg", 200), ("..%2fui.py", 404), ("nothing", 404)]
)
async def test_static_files_are_a_closed_list(alice, name, status):
    """Style and icons are handed out, and nothing else of the package."""
    await see(alice, f"static/{name}", status=status)


async def test_address_is_shown(app, alice):
    """The user finds the address that others need."""
    assert f'value="alice@{app.gate.authority}"' in await see(alice, "address")


async def test_expired_session_leads_to_the_log_in(app, alice):
    """A form that comes too late is not carried out, and the user is told why."""
    csrf = await token(alice)
    app.clock.time += 7201
    async with alice.post("files/delete/Project", data={"csrf": csrf}) as response:
        assert "Your session has ended" in await response.text()
    assert (app.folder / "alice" / "Project").exists()
