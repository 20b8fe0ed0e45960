"""What an administrator sees of other servers, and decides about them, in a browser without scripts."""

import pytest

from support.pair import PASSWORD, folder_storage, side

NOT_ALLOWED = 403


@pytest.fixture
async def pair(tmp_path):
    """Alice's gateway, which she administers, and Bob's, which nobody does; she has shared a folder with him."""
    identity = {"providers": ["file"], "users_file": str(tmp_path / "alpha-users.yaml"), "admins": ["alice"]}
    async with (
        side(tmp_path, "alpha", "alice", folder_storage(tmp_path / "a", "alice"), identity=identity) as alpha,
        side(tmp_path, "beta", "bob", folder_storage(tmp_path / "b", "bob")) as beta,
    ):
        await alpha.share("/Project", beta.address)
        yield alpha, beta


async def log_in(context, gateway):
    """Return a page of the gateway's user, logged in."""
    page = await context.new_page()
    await page.goto(f"{gateway.config.public_url}/ocm/ui/")
    await page.get_by_label("User name").fill(gateway.user)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    return page


@pytest.mark.req("DISC-8")
async def test_an_administrator_sees_why_and_blocks_and_takes_it_back(pair, context):
    """The list leads to the server, its page says what kind it is and why; a block shuts it out until it is lifted."""
    alpha, beta = pair
    host, secret = (
        beta.config.authority,
        await alpha.secret_of((await alpha.rest("GET", "shares"))[1]["shares"][0]["id"]),
    )
    page = await log_in(context, alpha)
    await page.get_by_role("link", name="Other servers").click()
    await page.get_by_role("link", name=host).click()
    seen = await page.inner_text("main")
    assert "the draft: its capabilities or roles are those of the draft" in seen
    assert "We sign to it by RFC 9421. That is pinned" in seen
    assert "exchange-token" in seen
    assert "Not decided" in seen
    await page.get_by_role("link", name="Block").click()
    await page.get_by_role("button", name="Block").click()
    assert "It is blocked" in await page.inner_text("main")
    assert (await alpha.dav("GET", secret, "hello.txt"))[0] == NOT_ALLOWED
    await page.get_by_role("link", name="Other servers").first.click()
    await page.get_by_role("link", name="Blocked").click()
    await page.get_by_role("link", name=host).click()
    await page.get_by_role("button", name="Take the block back").click()
    assert "Taken back." in await page.inner_text("[role=status]")
    assert await alpha.dav("GET", secret, "hello.txt") == (200, b"hello")
    await page.get_by_role("button", name="Look again").click()
    assert "Asked." in await page.inner_text("[role=status]")


async def test_a_server_is_sought_and_asked_and_what_fails_is_said(pair, context):
    """What is no host is told in place; a server that does not answer is told on its page, and stays unknown."""
    alpha, _ = pair
    page = await log_in(context, alpha)
    await page.goto(f"{alpha.config.public_url}/ocm/ui/peers")
    await page.get_by_label("Host name").fill("no host/at all")
    await page.get_by_role("button", name="Find").click()
    assert "not a host name" in await page.inner_text("[role=alert]")
    await page.get_by_label("Host name").fill("127.0.0.1:1")
    await page.get_by_role("button", name="Find").click()
    assert "Nothing is known of this server here" in await page.inner_text("main")
    await page.get_by_role("button", name="Ask who it is").click()
    assert "127.0.0.1:1" in await page.inner_text("[role=alert]")


async def test_nobody_else_sees_a_link_or_a_page(pair, context):
    """A user who administers nothing has no link to other servers, and is refused their page."""
    _, beta = pair
    page = await log_in(context, beta)
    assert await page.get_by_role("link", name="Other servers").count() == 0
    answer = await page.goto(f"{beta.config.public_url}/ocm/ui/peers")
    assert answer.status == NOT_ALLOWED
    assert "administrators" in await page.inner_text("main")
