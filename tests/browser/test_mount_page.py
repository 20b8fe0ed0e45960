"""The page on mounting, in a real browser that runs no scripts, at a running gateway."""

import socket

import pytest
from playwright.async_api import expect

from support.mounted import mounted
from support.pair import PASSWORD
from support.sshdoor import make_key


@pytest.fixture
async def here(tmp_path):
    """Bob's gateway with an SSH door."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "gateways").mkdir()
    async with mounted(tmp_path / "gateways", ssh={"enabled": True, "port": port}) as here:
        yield here


@pytest.fixture
async def page(here, context):
    """Bob's browser at the page."""
    page = await context.new_page()
    await page.goto(f"{here.bob.config.public_url}/ocm/ui/mount")
    await page.get_by_label("User name").fill("bob")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Mount what I received")).to_be_visible()
    return page


async def test_an_app_password_is_made_used_and_withdrawn(here, page):
    """Bob makes an app password, sees it once, mounts with it, and withdraws it."""
    await page.get_by_label("For which program or device").fill("Laptop")
    await page.get_by_role("button", name="Make an app password").click()
    password = await page.get_by_label("New app password").input_value()
    assert await here.status("PROPFIND", password=password) == 207
    assert password not in page.url
    await page.get_by_role("link", name="Mount", exact=True).click()
    await expect(page.get_by_text("last used")).to_be_visible()
    assert password not in await page.content()
    await page.get_by_role("button", name="Withdraw Laptop").click()
    await expect(page.get_by_role("status")).to_contain_text("Nothing opens with this app password any more")
    assert await here.status("PROPFIND", password=password) == 401


async def test_a_key_is_added_and_removed(tmp_path, page):
    """Bob pastes a key wrong, is told so beside it, adds it right, and removes it again."""
    (tmp_path / "client").mkdir()
    line = make_key(tmp_path / "client")
    await page.get_by_label("Public key").fill("ssh-rsa nonsense")
    await page.get_by_label("What to call it").fill("Laptop")
    await page.get_by_role("button", name="Add the key").click()
    await expect(page.get_by_role("alert")).to_contain_text("key")
    await expect(page.get_by_label("What to call it")).to_have_value("Laptop")
    await page.get_by_label("Public key").fill(line)
    await page.get_by_role("button", name="Add the key").click()
    await expect(page.get_by_text("SHA256:")).to_be_visible()
    await page.get_by_role("button", name="Remove Laptop").click()
    await expect(page.get_by_role("status")).to_contain_text("Nothing opens with this key any more")


async def test_each_client_is_told_with_the_users_own_values(here, page):
    """The page opens a part for each client, in which Bob's address and name stand ready to be copied."""
    url = f"{here.bob.config.public_url}/ocm/received/"
    await expect(page.get_by_label("Address", exact=True)).to_have_value(url)
    await expect(page.get_by_label("User name")).to_have_value("bob")
    for client, text in (
        ("Windows Explorer", f'net use * "{url.rstrip("/")}" /user:bob'),
        ("GNOME Files", f"gio mount dav://bob@{here.bob.config.authority}/ocm/received/"),
        ("rclone", "vendor = owncloud"),
        ("sshfs", "bob@beta.localhost:/ ~/received"),
        ("curl", f"curl -u bob {url}"),
    ):
        await page.locator("summary", has_text=client).click()
        await expect(page.get_by_text(text)).to_be_visible()
