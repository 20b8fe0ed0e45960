"""What a user sees whose log-in here does not open her storage: the way to her files, in a browser without scripts."""

import pytest

from support.apache import apache
from support.pair import PASSWORD, side


@pytest.fixture
def server():
    """A storage with Alice's files, which knows her by another pass word than the gateway."""
    with apache() as server:
        (server.files / "alice" / "Thesis.txt").write_text("hello")
        server.own(server.files / "alice" / "Thesis.txt")
        yield server


async def test_a_user_opens_her_storage_with_an_account_that_she_stores(tmp_path, server, context):
    """The refusal names the page, the page takes the account and says what went wrong, and then the files are there."""
    storage = {"url": f"webdav+{server.url}{{user}}", "view": "user", "stored_accounts": True}
    async with side(tmp_path, "alpha", "alice", storage) as alpha:
        page = await context.new_page()
        await page.goto(f"{alpha.config.public_url}/ocm/ui/")
        await page.get_by_label("User name").fill("alice")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        assert "My storage" in await page.inner_text("main")
        await page.goto(f"{alpha.config.public_url}/ocm/ui/my-storage")
        await page.get_by_label("User name at the storage").fill("alice")
        await page.get_by_label("Password at the storage").fill("wrong")
        await page.get_by_role("button", name="Try and store").click()
        assert "Nothing was stored" in await page.inner_text("[role=alert]")
        assert await page.get_by_label("User name at the storage").input_value() == "alice"
        assert await page.get_by_label("Password at the storage").input_value() == ""
        await page.get_by_label("Password at the storage").fill(server.users["alice"])
        await page.get_by_role("button", name="Try and store").click()
        assert "It works" in await page.inner_text("[role=status]")
        await page.get_by_role("link", name="My files").click()
        assert "Thesis.txt" in await page.inner_text("main")
        await page.get_by_role("link", name="My storage").click()
        await page.get_by_role("button", name="Withdraw").click()
        assert "forgotten" in await page.inner_text("[role=status]")
