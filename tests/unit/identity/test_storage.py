import pytest

from gateway.errors import CREDENTIAL_REFUSED, GatewayError, Kind, unavailable
from gateway.identity.storage import Place, StorageLogIn
from gateway.model.resource import Entry, EntryKind
from gateway.model.secret import Secret

RIGHT = Secret("right")


class House:
    """A storage with accounts; `open_homes` are open to all, `error` is what it answers to everything."""

    def __init__(self, **accounts):
        self.accounts = accounts
        self.open_homes = set()
        self.error = None
        self.tried = []

    def as_user(self, user):
        return View(self, user.identifier, user)

    def home_of(self, identifier):
        return View(self, identifier, None)


class View:
    def __init__(self, house, home, user):
        self.house, self.home, self.user = house, home, user

    async def stat(self, path):
        house = self.house
        if house.error is not None:
            raise house.error
        if self.user is not None:
            house.tried.append(self.user.login)
            if self.home not in house.open_homes and house.accounts.get(self.user.login) != self.user.password:
                raise unavailable_credential()
        if self.home not in house.accounts:
            raise GatewayError(Kind.NOT_FOUND, "No such folder.")
        return Entry(path=path, kind=EntryKind.FOLDER)


def at(as_user, home_of=None):
    return StorageLogIn(lambda _login: Place(name="default", as_user=as_user, home_of=home_of))


def unavailable_credential():
    return GatewayError(Kind.UNAVAILABLE, "The storage refused the log-in.", code=CREDENTIAL_REFUSED)


@pytest.fixture
def house():
    return House(alice=RIGHT, bob=Secret("other"))


@pytest.fixture
def log_in(house):
    return at(house.as_user, house.home_of)


async def test_whom_the_storage_lets_in_is_the_user(log_in):
    """The proven pass word stays with the user, so that she browses with it."""
    user = await log_in.check("alice", RIGHT)
    assert (user.identifier, user.login, user.password) == ("alice", "alice", RIGHT)


@pytest.mark.parametrize(
    "error", [unavailable_credential(), GatewayError(Kind.FORBIDDEN, "No."), GatewayError(Kind.NOT_FOUND, "No.")]
)
async def test_a_refusal_proves_nobody(house, log_in, error):
    """Whatever word the storage has for no, it is a wrong log-in."""
    house.error = error
    assert await log_in.check("alice", RIGHT) is None


async def test_wrong_password_proves_nobody(log_in):
    """The storage decides, not we."""
    assert await log_in.check("alice", Secret("other")) is None


async def test_an_outage_is_no_refusal(house, log_in):
    """A storage that does not answer proves nothing, neither way."""
    house.error = unavailable("The storage does not answer.")
    with pytest.raises(GatewayError) as caught:
        await log_in.check("alice", RIGHT)
    assert caught.value.kind is Kind.UNAVAILABLE


@pytest.mark.parametrize("login", ["ali:ce", "alice/..", "", "a b", "a\nb", "é"])
async def test_odd_names_never_reach_the_storage(house, log_in, login):
    """A name that would be read as another one in Basic or in a path is not tried."""
    assert await log_in.check(login, RIGHT) is None
    assert house.tried == []


async def test_a_storage_that_lets_anybody_in_is_refused(house, log_in):
    """Where strangers get in too, even the right pass word proves nothing."""
    house.open_homes.add("alice")
    for password in (RIGHT, Secret("guess")):
        with pytest.raises(GatewayError, match="does not check passwords") as caught:
            await log_in.check("alice", password)
        assert caught.value.kind is Kind.FORBIDDEN


async def test_one_open_home_among_closed_ones_is_found(house, log_in):
    """Each user's own folder is tried, for one may be open while the others are not."""
    assert await log_in.check("alice", RIGHT) is not None
    house.open_homes.add("bob")
    with pytest.raises(GatewayError, match="does not check passwords"):
        await log_in.check("bob", Secret("guess"))


async def test_a_stranger_is_tried_once_only(house, log_in):
    """A storage counts failed log-ins; ours are one for each folder, not one for each log-in."""
    for _ in range(3):
        await log_in.check("alice", RIGHT)
    assert [name for name in house.tried if name != "alice"] != []
    assert len([name for name in house.tried if name != "alice"]) == 1


async def test_shared_root_is_tried_once_for_all(house):
    """Where all users see the same root, one stranger is enough."""
    log_in = at(house.as_user)
    await log_in.check("alice", RIGHT)
    await log_in.check("bob", Secret("other"))
    assert len(set(house.tried) - {"alice", "bob"}) == 1


async def test_find_knows_who_has_a_home(log_in):
    """A user who never logged in is known by her folder; its name is taken exactly."""
    assert [user.identifier for user in await log_in.find("alice")] == ["alice"]
    assert await log_in.find("ALICE") == ()
    assert await log_in.find("../alice") == ()


async def test_find_without_homes_knows_nobody(house):
    """Where all see one root, the storage cannot tell who exists."""
    assert await at(house.as_user).find("alice") == ()


async def test_an_outage_hides_nobody(house, log_in):
    """While the storage is away, or refuses our own account, it is not said that there is no such user."""
    for error in (unavailable("Away."), unavailable_credential()):
        house.error = error
        with pytest.raises(GatewayError) as caught:
            await log_in.find("alice")
        assert caught.value.kind is Kind.UNAVAILABLE
