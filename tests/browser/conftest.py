import os
import shutil

import pytest
from playwright.async_api import async_playwright

from support.redisserver import make_store, private_server, server_program
from support.webapp import user_app

# The browser may not call home: no updates, no accounts, no first-run pages.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def store_url():
    """A private store for the tests of this process."""
    with private_server(server_program("embedded")) as url:
        yield url


@pytest.fixture
async def app(store_url, tmp_path):
    """The doors of local users under a name of this machine's own, as a browser sees them."""
    async with make_store(store_url) as store, user_app(store, tmp_path, host="alpha.localhost") as app:
        yield app


@pytest.fixture
async def context():
    """A fresh browser profile without scripts: no page may need one."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield await browser.new_context(java_script_enabled=False, viewport={"width": 1100, "height": 800})
        finally:
            await browser.close()
