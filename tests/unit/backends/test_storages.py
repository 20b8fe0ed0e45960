"""Whose account a storage is used with, and what a user name can become in its URL."""

from functools import partial
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.accounts import NO_ACCOUNT, Accounts
from gateway.backends.storages import LocalStorage, WebdavStorage, basic
from gateway.errors import GatewayError, Kind
from gateway.model.account import Account
from gateway.model.address import LOCAL_IDENTIFIER
from gateway.model.secret import Secret
from gateway.model.user import LocalUser

STORED = Account(login="ally", password=Secret("hers"))


def user(name="alice", **more):
    return LocalUser(identifier=name, display_name="", login=name, **more)


def proven(at):
    return user(password=Secret("own"), proven_at=at)


async def nothing_stored(_user):
    return None


async def one_stored(_user):
    return STORED


@pytest.mark.parametrize(
    ("options", "who", "login"),
    [
        ({}, user(), "service"),
        ({}, proven("files"), "alice"),
        ({}, proven("other"), "service"),
        ({"stored": one_stored}, user(), "ally"),
        ({"stored": one_stored}, proven("files"), "alice"),
        ({"stored": one_stored}, proven("other"), "ally"),
        ({"stored": nothing_stored}, user(), "service"),
        ({"may_lend_service": False}, user(), None),
        ({"may_lend_service": False}, proven("other"), None),
        ({"may_lend_service": False, "stored": nothing_stored}, user(), None),
        ({"has_service": False, "stored": nothing_stored}, user(), None),
    ],
)
async def test_as_whom_a_user_browses(options, who, login):
    """Her own log-in if it was proven here, else her stored account, else the service account if it is for her."""
    accounts = Accounts(storage="files", **options)
    if login is None:
        with pytest.raises(GatewayError) as caught:
            await accounts.of_user(who)
        assert (caught.value.kind, caught.value.code) == (Kind.FORBIDDEN, NO_ACCOUNT)
        return
    account = await accounts.of_user(who)
    assert (account.login if account else "service") == login


@pytest.mark.parametrize(
    ("options", "login"),
    [
        ({}, "service"),
        ({"stored": one_stored}, "service"),
        ({"has_service": False, "stored": one_stored}, "ally"),
        ({"has_service": False, "stored": nothing_stored}, None),
    ],
)
async def test_as_whom_grants_are_served(options, login):
    """By the service account, else by what the owner stored; if she withdrew it that is an outage, and no refusal."""
    accounts = Accounts(storage="files", **options)
    if login is None:
        with pytest.raises(GatewayError) as caught:
            await accounts.of_owner("alice")
        assert caught.value.kind is Kind.UNAVAILABLE
        return
    account = await accounts.of_owner("alice")
    assert (account.login if account else "service") == login


class Opened:
    """A storage that remembers where it was opened."""

    def __init__(self):
        self.places = []

    def dav(self, url, _authorize):
        self.places.append(url)

    def folder(self, path):
        self.places.append(str(path))


@given(name=st.one_of(st.from_regex(LOCAL_IDENTIFIER, fullmatch=True), st.text(min_size=1)))
def test_a_user_name_stays_one_folder(name):
    """Whatever a user is called, `{user}` becomes exactly one folder of that name, or she is refused."""
    opened = Opened()
    url = "https://files.example.org/a/{user}/b/"
    dav = WebdavStorage(url=url, client=opened.dav, accounts=Accounts(storage="files"), service=basic(None))
    local = LocalStorage(root="/srv/{user}", folder=opened.folder)
    may_have_one = LOCAL_IDENTIFIER.fullmatch(name) and name.strip(".")
    for storage, host, steps in ((dav, "files.example.org", ["", "a", name, "b", ""]), (local, "", ["", "srv", name])):
        for see in (partial(storage.as_service, name), partial(storage.as_user, user(name))):
            if not may_have_one:
                with pytest.raises(GatewayError, match="cannot have a folder"):
                    see()
                continue
            see()
            place = urlsplit(opened.places.pop())
            assert (place.netloc, [unquote(step) for step in place.path.split("/")]) == (host, steps)
    assert opened.places == []
