import pytest
import structlog.testing

from gateway.errors import GatewayError, Kind, unavailable
from gateway.identity.base import Identity
from gateway.identity.throttle import Throttle
from gateway.model.secret import Secret
from gateway.model.user import KnownUser, LocalUser
from gateway.store.tables import KNOWN_USERS

RIGHT, WRONG = Secret("right"), Secret("wrong")


class Clock:
    time = 1000.0

    def __call__(self):
        return self.time


class Provider:
    """Knows the given users, all with the pass word `right`."""

    def __init__(self, *names):
        self.names = names
        self.asked = 0
        self.error = None

    async def check(self, login, password):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return (
            LocalUser(identifier=login, display_name=login.title())
            if login in self.names and password == RIGHT
            else None
        )

    async def find(self, claimed):
        return [KnownUser(identifier=name, display_name=name) for name in self.names if name.lower() == claimed.lower()]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def provider():
    return Provider("alice")


@pytest.fixture
def identity(store, clock, provider):
    return make(store, clock, provider)


def make(store, clock, *providers):
    return Identity(
        providers=providers,
        known=store.table(KNOWN_USERS),
        throttle=Throttle(counter=store.counter, failures=3, window_seconds=600),
        now=clock,
        cache_seconds=300,
    )


async def kind(identity, login="alice", password=WRONG, address="192.0.2.1"):
    with pytest.raises(GatewayError) as caught:
        await identity.log_in(login, password, address=address)
    return caught.value.kind


async def test_a_proven_user_is_known_from_then_on(identity, store):
    """Who logged in once can be found, with the name that people know."""
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    known = await store.table(KNOWN_USERS).get("alice")
    assert known == KnownUser(identifier="alice", display_name="Alice", seen_at=1000.0)


async def test_unknown_name_and_wrong_password_sound_the_same(identity):
    """The refusal does not tell which of the two was wrong."""
    told = []
    for login in ("alice", "nobody"):
        with pytest.raises(GatewayError) as caught:
            await identity.log_in(login, WRONG, address="192.0.2.1")
        told.append((caught.value.kind, caught.value.code, str(caught.value)))
    assert told[0] == told[1] == (Kind.UNAUTHENTICATED, "login-refused", "The user name or the password is wrong.")


async def test_a_proof_is_remembered_for_its_time(identity, provider, clock):
    """The provider is asked once in five minutes, and then again."""
    for _ in range(3):
        await identity.log_in("alice", RIGHT, address="192.0.2.1")
    assert provider.asked == 1
    clock.time += 300
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    assert provider.asked == 2


async def test_a_proof_is_of_this_name_and_password_only(identity, provider):
    """Nothing but the very same name and pass word uses a remembered proof."""
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    assert await kind(identity, password=WRONG) is Kind.UNAUTHENTICATED
    assert await kind(identity, login='alice", "right', password=Secret("x")) is Kind.UNAUTHENTICATED
    assert provider.asked == 3


async def test_no_password_is_kept_in_memory(identity, store, clock):
    """What is remembered is a keyed hash, another one in every process."""
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    (fingerprint,) = identity._proofs
    assert b"right" not in fingerprint
    assert fingerprint != make(store, clock)._fingerprint("alice", RIGHT)


async def test_failures_are_counted_over_all_replicas(identity, store, clock, provider):
    """Two gateways on one store count together."""
    other = make(store, clock, provider)
    kinds = [await kind(each) for each in (identity, other, identity, other)]
    assert kinds == [Kind.UNAUTHENTICATED] * 3 + [Kind.LIMITED]
    assert await kind(other, password=RIGHT) is Kind.LIMITED


async def test_good_log_ins_are_not_limited(identity, clock):
    """Only failures count."""
    for _ in range(10):
        clock.time += 300
        await identity.log_in("alice", RIGHT, address="192.0.2.1")


async def test_a_remembered_proof_is_not_throttled(identity):
    """Failures from her own address do not stop a user who is already in."""
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    for _ in range(4):
        await kind(identity)
    assert (await identity.log_in("alice", RIGHT, address="192.0.2.1")).identifier == "alice"


async def test_a_provider_that_is_away_does_not_hide_the_next(store, clock, provider):
    """The users of one provider can log in while another does not answer."""
    away = Provider()
    away.error = unavailable("The storage does not answer.")
    identity = make(store, clock, away, provider)
    assert (await identity.log_in("alice", RIGHT, address="192.0.2.1")).identifier == "alice"


async def test_not_knowing_is_no_refusal(store, clock, provider):
    """Where a provider that did not answer might have known her, the log-in is unavailable, and not counted."""
    away = Provider()
    away.error = unavailable("The storage does not answer.")
    identity = make(store, clock, provider, away)
    assert [await kind(identity) for _ in range(5)] == [Kind.UNAVAILABLE] * 5


@pytest.mark.parametrize(
    ("login", "password"),
    [("", "x"), ("alice", ""), ("a" * 257, "x"), ("alice", "x" * 1025), ("al\0ice", "x"), ("alice", "\udc80")],
)
async def test_what_cannot_be_a_log_in_asks_nobody(identity, provider, login, password):
    """Empty, endless and impossible texts are refused at once."""
    assert await kind(identity, login, Secret(password)) is Kind.UNAUTHENTICATED
    assert provider.asked == 0


async def test_a_name_that_cannot_leave_the_house_is_refused(store, clock):
    """An identifier that peers could not carry is told to the user, and nobody of that name is known."""
    identity = make(store, clock, Provider("alice@home"))
    assert await kind(identity, "alice@home", RIGHT) is Kind.FORBIDDEN
    assert await store.table(KNOWN_USERS).get("alice@home") is None


async def test_find_prefers_the_exact_name(store, clock):
    """Exact case comes first; without it only a single match counts (DESIGN 7)."""
    identity = make(store, clock, Provider("alice", "Alice", "BOB"))
    assert (await identity.find("Alice")).identifier == "Alice"
    assert (await identity.find("bob")).identifier == "BOB"
    assert await identity.find("ALICE") is None
    assert await identity.find("carol") is None


async def test_find_knows_those_who_logged_in(identity, provider):
    """A user whom no provider can name by itself is found after her first log-in."""
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    provider.names = ()
    assert (await identity.find("Alice")).identifier == "alice"


async def test_memory_is_bounded(identity, monkeypatch):
    """The oldest proofs are forgotten first."""
    monkeypatch.setattr("gateway.identity.base.MEMORY_MAX_PROOFS", 1)
    await identity.log_in("alice", RIGHT, address="192.0.2.1")
    first = next(iter(identity._proofs))
    identity._remember(b"x", LocalUser(identifier="x", display_name="x"))
    assert first not in identity._proofs


async def test_a_refused_log_in_is_logged_with_its_address_and_nothing_of_what_was_typed(identity):
    """Whoever reads the log sees from where somebody guesses; people type pass words into the wrong field."""
    with structlog.testing.capture_logs() as events:
        await kind(identity, login="hunter2", address="192.0.2.7")
    assert [(event["event"], event["address"]) for event in events] == [("log-in refused", "192.0.2.7")]
    assert "hunter2" not in str(events)
