"""What a person does with the pages, in a real browser that runs no scripts."""

import re

import pytest
from playwright.async_api import expect

from gateway.model.share import ReceivedState, SentState
from support.webapp import FAR, PASSWORD


@pytest.fixture
async def page(app, context):
    """Alice's browser at her files, and whatever it complained about: a page must not break its own rules."""
    complaints = []
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(f"{app.url}/ocm/ui/")
    await page.get_by_label("User name").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="My files")).to_be_visible()
    yield page
    assert [text for text in complaints if "Failed to load resource: the server responded" not in text] == []


@pytest.fixture(autouse=True)
def files(app):
    """Alice's and the other provider's files."""
    (app.folder / "alice" / "Project").mkdir()
    (app.folder / "alice" / "Project" / "Spectrum 1.csv").write_text("1;2;3\n")
    (app.remote / "run").mkdir()
    (app.remote / "run" / "Ærø & 100%.txt").write_text("measured\n")


async def test_a_share_is_made_after_its_faults_are_explained(app, page):
    """Alice mistypes the address, is told how it is written, looks the provider up, and shares."""
    await page.get_by_role("link", name="Share Project").click()
    recipient = page.get_by_label("With whom")
    await recipient.fill("ada")
    await page.get_by_role("button", name="Share").click()
    await expect(page.get_by_role("alert")).to_contain_text("Write it like ada@cloud.example.org")
    await expect(recipient).to_have_value("ada")
    await expect(recipient).to_have_attribute("aria-invalid", "true")

    await recipient.fill(f"ada@{FAR}")
    await page.get_by_label("They may change it").check()
    await page.get_by_role("button", name="Look up the provider").click()
    await expect(page.get_by_role("status")).to_contain_text("Example Cloud")
    await expect(page.get_by_label("They may change it")).to_be_checked()

    await page.get_by_label("Note to them").fill("Have a look")
    await page.get_by_role("button", name="Share").click()
    await expect(page.get_by_role("status")).to_contain_text("Shared.")
    await expect(page.get_by_text("Delivered, not answered yet")).to_be_visible()
    await expect(page.get_by_role("link", name="Shared by me")).to_have_attribute("aria-current", "page")

    await page.get_by_role("link", name="Revoke Project").click()
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("status")).to_contain_text("Nobody can open this share any more")
    assert (await app.api.sent.get("s1")).state is SentState.REVOKED


async def test_a_received_share_is_accepted_browsed_and_downloaded(app, page):
    """Alice accepts what she was offered, walks into it, takes a file, adds one, and gives the share back."""
    await app.receive()
    await page.get_by_role("link", name="Shared with me").click()
    await expect(page.get_by_text("signed by this provider")).to_be_visible()
    await page.get_by_role("button", name="Accept Spectra").click()
    await page.get_by_role("link", name="Open Spectra").click()
    await page.get_by_role("link", name="run", exact=True).click()
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Ærø & 100%.txt", exact=True).click()
    download = await started.value
    # A browser writes what a file system may not like in its own way.
    assert re.fullmatch(r"Ærø & 100.\.txt", download.suggested_filename)
    assert (await download.path()).read_text() == "measured\n"

    answer = {"name": "Grüße „hier“.txt", "mimeType": "text/plain", "buffer": b"thanks"}
    await page.get_by_label("Files to upload").set_input_files(answer)
    await page.get_by_role("button", name="Upload", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Uploaded.")
    assert (app.remote / "run" / "Grüße „hier“.txt").read_bytes() == b"thanks"

    await page.get_by_label("Main").get_by_role("link", name="Shared with me").click()
    await page.get_by_role("link", name="Give back Spectra").click()
    await page.get_by_role("button", name="Give back").click()
    await expect(page.get_by_role("status")).to_contain_text("Given back.")
    assert (await app.api.received.get("r1")).state is ReceivedState.DECLINED


async def test_own_files_are_tidied(app, page):
    """Alice makes a folder, deletes another after a question, and logs out."""
    await page.get_by_label("Name of the new folder").fill("New & old")
    await page.get_by_role("button", name="Make folder").click()
    await expect(page.get_by_role("link", name="New & old", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Delete Project").click()
    await page.get_by_role("link", name="Cancel").click()
    assert (app.folder / "alice" / "Project").exists()
    await page.get_by_role("link", name="Delete Project").click()
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("status")).to_contain_text("Deleted.")
    assert [path.name for path in (app.folder / "alice").iterdir()] == ["New & old"]
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("status")).to_contain_text("logged out")
    await page.go_back()
    await page.reload()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_a_foreign_page_cannot_use_the_session(app, page, context):
    """A form on another site, sent by Alice's browser, is not carried out."""
    other = await context.new_page()
    action = f"{app.url}/ocm/ui/files/delete/Project"
    await other.route(
        "http://evil.localhost/", lambda route: route.fulfill(body=_form(action), content_type="text/html")
    )
    await other.goto("http://evil.localhost/")
    await other.get_by_role("button").click()
    # The cookie did not come along, so the form was nobody's; only the way back from the log-in is hers again.
    await expect(other.get_by_role("heading", name="My files")).to_be_visible()
    assert (app.folder / "alice" / "Project").exists()


async def test_the_skip_link_and_the_keyboard(page):
    """Whoever uses the keyboard gets to the content first, and every control has a name."""
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for control in await page.locator("input:not([type=hidden]), button, a").all():
        name = await control.evaluate("e => (e.labels && e.labels.length ? e.labels[0].textContent : e.textContent)")
        assert name.strip()


def _form(action):
    return f'<!doctype html><title>x</title><form method="post" action="{action}"><button>Win</button></form>'
