import re
from dataclasses import replace

import aiohttp
import pytest

from gateway.store.tables import SESSIONS
from support.webapp import PASSWORD, browser, log_in, token


@pytest.fixture
async def session(app):
    """Alice's browser, logged in."""
    async with browser(app) as session:
        await log_in(session)
        yield session


def cookie_of(session, app):
    (cookie,) = [cookie for cookie in session.cookie_jar if cookie.key == app.gate.cookie]
    return cookie


async def is_in(session):
    async with session.get("address", allow_redirects=False) as response:
        return response.status == 200


async def test_cookie_is_kept_from_scripts_and_other_paths(app, session):
    """The cookie is HttpOnly, SameSite, and goes to our own paths only; its name tells gateways of one host apart."""
    cookie = cookie_of(session, app)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/ocm/"
    assert re.fullmatch(r"ocm-[0-9a-f]{8}", cookie.key)


async def test_store_does_not_hold_what_opens_a_session(app, session):
    """Whoever reads the store's keys cannot take over a session."""
    value = cookie_of(session, app).value
    page = await app.store.table(SESSIONS).page("user", "alice")
    (record,) = page.records
    assert value not in record.session_id
    assert record.password is None


async def test_session_ends_when_idle(app, session):
    """A session that is not used ends; use keeps it alive."""
    app.clock.time += 3000
    assert await is_in(session)
    app.clock.time += 3000
    assert await is_in(session)
    app.clock.time += 1201
    assert not await is_in(session)


async def test_session_ends_after_an_hour_without_use(app, session):
    """The idle time counts from the last use."""
    app.clock.time += 3601
    assert not await is_in(session)


async def test_session_ends_at_last(app, session):
    """However much it is used, a session has an end."""
    for _ in range(4):
        app.clock.time += 1790
        assert await is_in(session)
    app.clock.time += 50
    assert not await is_in(session)


async def test_log_out_ends_the_session_everywhere(app, session):
    """After logging out the old cookie opens nothing, also from another machine."""
    value = cookie_of(session, app).value
    async with session.post("log-out", data={"csrf": await token(session)}) as response:
        assert "logged out" in await response.text()
    async with browser(app) as thief:
        thief.cookie_jar.update_cookies({app.gate.cookie: value})
        assert not await is_in(thief)


async def test_log_in_makes_a_new_session(app, session):
    """A cookie that was there before the log-in is worth nothing after it."""
    old = cookie_of(session, app).value
    await log_in(session)
    assert cookie_of(session, app).value != old
    assert len((await app.store.table(SESSIONS).page("user", "alice")).records) == 1


@pytest.mark.parametrize("value", ["", "nonsense", "é", "x" * 5000])
async def test_made_up_cookies_open_nothing(app, value):
    """What is no session of ours is no session."""
    async with aiohttp.ClientSession() as session:
        headers = {"Cookie": f"{app.gate.cookie}={value}"}
        async with session.get(f"{app.url}/ocm/ui/address", headers=headers, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"].startswith("/ocm/ui/log-in?next=")


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
async def test_nobody_is_logged_in_by_a_foreign_page(app, headers):
    """Another site cannot log a browser in, not even with its own account."""
    async with browser(app) as session:
        fields = {"user": "alice", "password": PASSWORD}
        async with session.post("log-in", data=fields, headers=headers, allow_redirects=False) as response:
            assert response.status == 403
        assert not await is_in(session)


async def test_secure_origin_has_a_secure_cookie(app):
    """Behind https the cookie goes over https only, and its name says so to the browser."""
    assert replace(app.gate, public_url="https://cloud.example.org").cookie.startswith("__Secure-ocm-")
