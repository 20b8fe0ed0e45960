"""A stranger's credential opens its own grant, and nothing else opens anything."""

import asyncio
from dataclasses import replace

import pytest

from gateway.crypto.jwt import TokenFault, TokenInvalid
from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows import open_access
from gateway.flows.grant_watch import GrantWatch
from gateway.flows.open_access import OpenAccess
from gateway.model.address import Host, OcmAddress
from gateway.model.grant import ClaimedCredential, CredentialForm, Grant
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import Permission, Requirement, SentShare, SentState
from gateway.model.token import TokenClaims
from gateway.store.base import Beat, Gap, Told

NOW = 1_000_000.0
GRANT = Grant(
    grant_id="id1",
    owner="alice",
    recipient=OcmAddress("bob", Host("there.example.org")),
    storage="main",
    root=ResourcePath(("Project",)),
    kind=EntryKind.FOLDER,
    permissions=frozenset({Permission.READ}),
    expires_at=None,
)


class World:
    """The flow over one share, with a clock, a feed and a store that a test steers."""

    def __init__(self, **changes):
        facts = {
            "provider_id": "id1",
            "owner": "alice",
            "owner_display_name": "Alice",
            "recipient": GRANT.recipient,
            "name": "Project",
            "storage": "main",
            "root": GRANT.root,
            "kind": GRANT.kind,
            "permissions": GRANT.permissions,
            "secret": Secret("s3cret"),
            "created_at": NOW - 10,
        }
        self.share = SentShare(**facts | changes)
        self.time, self.reads, self.narrowed = NOW, 0, []
        self.marker_fault = self.token_fault = self.contact_fault = None
        self.contacted = []
        self.token_expires_at = int(NOW) + 60
        self.watch = GrantWatch(self, lambda: self.time)
        self.flow = OpenAccess(
            shares=self,
            watch=self.watch,
            health=self,
            verify_token=self.verify,
            may_contact=self.contact,
            narrow=self.narrow,
            now=lambda: self.time,
        )

    async def find(self, lookup, value):
        assert lookup == "secret"
        self.reads += 1
        return self.share if self.share and self.share.secret == Secret(value) else None

    async def get(self, key):
        self.reads += 1
        return self.share if self.share and key == self.share.provider_id else None

    async def check_marker(self):
        if self.marker_fault:
            raise self.marker_fault

    def verify(self, token, now):
        assert now == self.time
        if self.token_fault:
            raise TokenInvalid(self.token_fault)
        return TokenClaims(
            issuer="https://here.example.org",
            subject="alice",
            audience="bob@there.example.org",
            client_id=token.split(".")[1],
            token_id="t",
            issued_at=int(NOW),
            expires_at=self.token_expires_at,
        )

    def contact(self, host):
        self.contacted.append(host)
        if self.contact_fault:
            raise self.contact_fault

    async def narrow(self, grant):
        self.narrowed.append(grant)
        return f"storage of {grant.grant_id}"

    async def subscribe(self, topic):
        assert topic == "grants"
        for event in self.events:
            yield event

    async def hear(self, *events):
        self.events = events
        await self.watch.run(self.flow.stands)

    async def open(self, *credentials):
        return await self.flow.open(credentials)

    async def refused(self, *credentials):
        with pytest.raises(GatewayError) as caught:
            await self.flow.open(credentials)
        return caught.value.kind, caught.value.code


def bearer(text):
    return ClaimedCredential(CredentialForm.BEARER, Secret(text))


def basic(text):
    return ClaimedCredential(CredentialForm.BASIC, Secret(text))


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("credential", [bearer("s3cret"), basic("s3cret"), bearer("x.id1.y")])
async def test_a_good_credential_opens_its_grant(credential):
    """The secret in either form, and a token, open exactly what was shared."""
    world = World()
    access = await world.open(credential)
    assert (access.grant, access.backend) == (GRANT, "storage of id1")


async def test_the_first_credential_that_opens_counts():
    """Of several credentials a wrong one does not spoil a good one."""
    assert (await World().open(basic("wrong"), bearer("s3cret"))).grant == GRANT


@pytest.mark.req("ACC-2")
async def test_no_credential_is_told_apart_from_a_wrong_one():
    """Without any credential the refusal says so; with a wrong one it says that this opens nothing."""
    world = World()
    assert await world.refused() == (Kind.UNAUTHENTICATED, "no-credential")
    assert await world.refused(bearer("wrong")) == (Kind.UNAUTHENTICATED, "invalid-token")


@pytest.mark.req("ACC-3")
async def test_a_bare_secret_is_not_enough_where_a_token_is_required():
    """With `must-exchange-token` only the token opens."""
    world = World(requirements=frozenset({Requirement.MUST_EXCHANGE_TOKEN}))
    assert await world.refused(bearer("s3cret")) == (Kind.UNAUTHENTICATED, "must-exchange-token")
    assert (await world.open(bearer("x.id1.y"))).grant == GRANT


@pytest.mark.parametrize("fault", list(TokenFault))
async def test_a_token_that_does_not_hold_is_refused(fault):
    """An expired or invalid token opens nothing."""
    world = World()
    world.token_fault = fault
    assert await world.refused(bearer("x.id1.y")) == (Kind.UNAUTHENTICATED, "invalid-token")


async def test_a_token_is_never_taken_from_basic():
    """What looks like a token counts as a bearer credential only."""
    assert await World().refused(basic("x.id1.y")) == (Kind.UNAUTHENTICATED, "invalid-token")


@pytest.mark.req("NOTE-3")
@pytest.mark.parametrize("credential", [bearer("s3cret"), bearer("x.id1.y")])
@pytest.mark.parametrize(
    "changes", [{"state": SentState.REVOKED}, {"state": SentState.DECLINED}, {"expires_at": int(NOW)}]
)
async def test_an_ended_share_opens_nothing(changes, credential):
    """A revoked, declined or expired share is refused with either credential."""
    assert await World(**changes).refused(credential) == (Kind.UNAUTHENTICATED, "invalid-token")


@pytest.mark.parametrize("credential", [bearer("wrong"), bearer("x.other.y")])
async def test_a_foreign_store_is_an_outage(credential):
    """What is not found in a store that is not ours is not refused: that cannot be known."""
    world = World()
    world.marker_fault = unavailable("The store is not ready.")
    assert (await world.refused(credential))[0] is Kind.UNAVAILABLE


async def test_a_token_for_a_share_that_is_gone_is_refused():
    """A token whose share does not exist in our own store opens nothing."""
    assert await World().refused(bearer("x.other.y")) == (Kind.UNAUTHENTICATED, "invalid-token")


async def test_what_was_proven_is_not_asked_again_while_the_feed_lives():
    """A second request with the same credential spares the store, and uses the same narrowed storage."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.open(bearer("s3cret"))
    reads = world.reads
    await world.open(bearer("s3cret"))
    assert (world.reads, world.narrowed) == (reads, [GRANT])


async def test_nothing_is_remembered_without_a_sign_of_life():
    """After a second of silence the store is asked again."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.open(bearer("s3cret"))
    world.time += 1.5
    reads = world.reads
    await world.open(bearer("s3cret"))
    assert world.reads == reads + 1


async def test_a_remembered_grant_is_dropped_when_it_ends():
    """News of a grant's end reaches what was remembered."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.open(bearer("s3cret"))
    world.share = world.share.step(SentState.REVOKED)
    await world.hear(Told("id1"), Beat())
    assert await world.refused(bearer("s3cret")) == (Kind.UNAUTHENTICATED, "invalid-token")


async def test_a_token_is_not_remembered_beyond_its_end():
    """A remembered token ends at its own time, however alive the feed is."""
    world = World()
    # Sooner than the memory would be given up anyhow.
    world.token_expires_at = int(NOW) + 5
    await world.hear(Gap(), Beat())
    await world.open(bearer("x.id1.y"))
    world.time = float(world.token_expires_at)
    world.token_fault = TokenFault.EXPIRED
    await world.hear(Beat())
    assert await world.refused(bearer("x.id1.y")) == (Kind.UNAUTHENTICATED, "invalid-token")


async def test_what_was_read_before_an_end_is_not_remembered_after_it():
    """A revocation between the look at the store and the memory of it wins."""
    world = World()
    await world.hear(Gap(), Beat())
    find = world.find

    async def slow(lookup, value):
        share = await find(lookup, value)
        await world.watch_told("id1")
        return share

    async def told(grant_id):
        await world.hear(Told(grant_id), Beat())

    world.watch_told, world.find = told, slow
    await world.open(bearer("s3cret"))
    world.find = find
    reads = world.reads
    await world.open(bearer("s3cret"))
    assert world.reads == reads + 1


async def test_a_standing_grant_still_stands():
    """A grant that stands in the store passes, and is not asked for again while the feed lives."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.flow.still_stands(GRANT)
    reads = world.reads
    await world.flow.still_stands(GRANT)
    assert (reads, world.reads) == (1, 1)


@pytest.mark.parametrize(
    ("heard", "changes", "goes_on"),
    [
        (True, {}, True),
        (True, {"state": SentState.REVOKED}, False),
        (False, {}, True),
        (False, {"state": SentState.REVOKED}, True),
    ],
)
async def test_what_is_open_goes_on_while_nobody_can_say(heard, changes, goes_on):
    """An ended grant ends what is open under it; while the store is not heard it goes on, up to its own end."""
    world = World(**changes)
    if heard:
        await world.hear(Beat())
    if goes_on:
        await world.flow.goes_on(GRANT)
    else:
        with pytest.raises(GatewayError, check=lambda error: error.kind is Kind.UNAUTHENTICATED):
            await world.flow.goes_on(GRANT)
    world.share = replace(world.share, expires_at=int(NOW))
    with pytest.raises(GatewayError, check=lambda error: error.kind is Kind.UNAUTHENTICATED):
        await world.flow.goes_on(replace(GRANT, expires_at=int(NOW)))


@pytest.mark.req("DISC-8")
async def test_nothing_that_is_open_goes_on_for_a_blocked_server():
    """A block counts also while the store is not heard; the server of the grant's recipient is asked about."""
    world = World()
    await world.flow.goes_on(GRANT)
    assert world.contacted == ["there.example.org"]
    world.contact_fault = BLOCKED
    with pytest.raises(GatewayError) as caught:
        await world.flow.goes_on(GRANT)
    assert caught.value is BLOCKED


async def test_an_ended_grant_does_not_still_stand():
    """A verb under a grant that has ended meanwhile is refused."""
    world = World(state=SentState.REVOKED)
    with pytest.raises(GatewayError) as caught:
        await world.flow.still_stands(GRANT)
    assert (caught.value.kind, caught.value.code) == (Kind.UNAUTHENTICATED, "invalid-token")


@pytest.mark.parametrize(
    ("credentials", "changes", "words"),
    [
        ([], {}, "A token or secret of a share is needed."),
        ([bearer("wrong")], {}, "This secret opens nothing here."),
        ([bearer("x.other.y")], {}, "This share has ended."),
        ([bearer("s3cret")], {"state": SentState.REVOKED}, "This share has ended."),
        (
            [basic("s3cret")],
            {"requirements": frozenset({Requirement.MUST_EXCHANGE_TOKEN})},
            "This share opens only with an exchanged token.",
        ),
    ],
)
async def test_a_refusal_says_what_is_wrong(credentials, changes, words):
    """Whoever is refused reads why, in the words of the refusal."""
    with pytest.raises(GatewayError) as caught:
        await World(**changes).open(*credentials)
    assert caught.value.public == words


@pytest.mark.parametrize("fault", list(TokenFault))
async def test_what_is_wrong_with_a_token_stays_in_the_log(fault):
    """A stranger reads that a token is not valid; our log reads in what respect."""
    world = World()
    world.token_fault = fault
    with pytest.raises(GatewayError) as caught:
        await world.open(bearer("x.id1.y"))
    assert caught.value.public == "This access token is not valid (any more)."
    assert caught.value.log == str(TokenInvalid(fault))


async def test_the_end_of_a_share_goes_into_its_grant():
    """A grant ends when its share does, so that what was remembered ends then too."""
    world = World(expires_at=int(NOW) + 5)
    await world.hear(Gap(), Beat())
    assert (await world.open(bearer("s3cret"))).grant == replace(GRANT, expires_at=int(NOW) + 5)
    world.time += 5
    await world.hear(Beat())
    assert await world.refused(bearer("s3cret")) == (Kind.UNAUTHENTICATED, "invalid-token")


async def test_one_proven_credential_proves_no_other():
    """While a good credential is remembered, a wrong one and the same text in another form are still looked up."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.open(bearer("x.id1.y"))
    assert await world.refused(bearer("wrong")) == (Kind.UNAUTHENTICATED, "invalid-token")
    assert await world.refused(basic("x.id1.y")) == (Kind.UNAUTHENTICATED, "invalid-token")


async def test_the_oldest_narrowed_storage_is_forgotten_first(monkeypatch):
    """Beyond the limit the storage that was narrowed first goes, and no other."""
    monkeypatch.setattr(open_access, "MEMORY_MAX_GRANTS", 2)
    world = World()
    first = world.share
    shares = [first, *(replace(first, provider_id=f"id{number}") for number in (2, 3))]
    for share in [*shares, shares[2], shares[1], shares[0]]:
        world.share = share
        await world.open(bearer("s3cret"))
    assert [grant.grant_id for grant in world.narrowed] == ["id1", "id2", "id3", "id1"]


async def test_a_grant_in_a_foreign_store_is_an_outage():
    """A grant that is not found in a store that is not ours has not ended: that cannot be known."""
    world = World()
    world.share, world.marker_fault = None, unavailable("The store is not ready.")
    with pytest.raises(GatewayError) as caught:
        await world.flow.still_stands(GRANT)
    assert caught.value.kind is Kind.UNAVAILABLE


async def test_a_share_that_is_gone_from_our_own_store_does_not_stand():
    """In our own store a share that is not found has ended."""
    world = World()
    world.share = None
    assert not await world.flow.stands("id1")


@pytest.mark.parametrize(("after", "stands"), [(4.9, True), (5, False)])
async def test_a_grant_stands_until_its_end(after, stands):
    """From the second on at which a share ends its grant does not stand any more."""
    world = World(expires_at=int(NOW) + 5)
    world.time += after
    assert await world.flow.stands("id1") == stands


BLOCKED = GatewayError(Kind.FORBIDDEN, "there.example.org is not allowed here.", code="peer-denied")
DOUBT = unavailable("Who is allowed here cannot be known now.")


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize("fault", [BLOCKED, DOUBT])
@pytest.mark.parametrize("credential", [bearer("s3cret"), basic("s3cret"), bearer("x.id1.y")])
async def test_a_grant_to_a_server_that_is_not_dealt_with_does_not_open(credential, fault):
    """A good credential is refused, for good or for now, while its recipient's server is, which is asked about."""
    world = World()
    world.contact_fault = fault
    with pytest.raises(GatewayError) as caught:
        await world.open(credential)
    assert caught.value is fault
    assert world.contacted == ["there.example.org"]


@pytest.mark.req("DISC-8")
async def test_a_block_reaches_what_was_proven_and_its_end_gives_it_back():
    """A remembered credential is refused from the moment of a block on, and opens the same grant after it."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.open(bearer("s3cret"))
    world.contact_fault = BLOCKED
    assert await world.refused(bearer("s3cret")) == (Kind.FORBIDDEN, "peer-denied")
    world.contact_fault = None
    assert (await world.open(bearer("s3cret"))).grant == GRANT


async def test_a_block_while_a_storage_is_narrowed_wins():
    """What is decided during the last wait before a grant opens counts: nothing lies between the look and the use."""
    world = World()
    narrow = world.flow.narrow

    async def slow(grant):
        world.contact_fault = BLOCKED
        return await narrow(grant)

    object.__setattr__(world.flow, "narrow", slow)
    assert await world.refused(bearer("s3cret")) == (Kind.FORBIDDEN, "peer-denied")


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize("fault", [BLOCKED, DOUBT])
async def test_no_verb_passes_under_a_grant_to_a_server_that_is_blocked_meanwhile(fault):
    """A session that outlives a block is refused at its next verb, though its grant is known to stand."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.flow.still_stands(GRANT)
    world.contact_fault, world.contacted = fault, []
    with pytest.raises(GatewayError) as caught:
        await world.flow.still_stands(GRANT)
    assert caught.value is fault
    assert world.contacted == ["there.example.org"]


@pytest.mark.parametrize("refused", ["id1", "id2"])
async def test_a_block_cuts_what_is_served_under_its_grants_and_nothing_else(refused):
    """Of the tasks that serve under grants those are cancelled whose grant is refused, and it has to be proven anew."""
    world = World()
    await world.hear(Gap(), Beat())
    await world.open(bearer("s3cret"))
    reads, begun = world.reads, asyncio.Event()

    async def serve():
        with world.watch.serving(GRANT):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    await begun.wait()
    world.watch.cut(lambda grant: grant.grant_id == refused)
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert bool(done) == (refused == "id1")
    await world.open(bearer("s3cret"))
    assert world.reads - reads == (1 if refused == "id1" else 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


KEY = "ssh-ed25519 AAAA"


def with_key(**changes):
    """The flow over a share whose recipient has named a key."""
    return World(recipient_public_keys=(KEY,), **changes)


async def key_refused(world, user, key):
    with pytest.raises(GatewayError) as caught:
        await world.flow.open_with_key(user, key)
    return caught.value.kind, caught.value.code, caught.value.public


@pytest.mark.req("SHARE-4")
async def test_a_named_key_opens_its_grant():
    """The key that the recipient has named opens exactly what was shared, under the share's own user name."""
    access = await with_key().flow.open_with_key("ocm-id1", KEY)
    assert (access.grant, access.backend) == (GRANT, "storage of id1")


@pytest.mark.req("SHARE-4")
@pytest.mark.parametrize(
    ("user", "key", "changes"),
    [
        ("ocm-id1", "ssh-ed25519 BBBB", {}),
        ("ocm-id2", KEY, {}),
        ("id1", KEY, {}),
        ("ocm-id1", KEY, {"state": SentState.REVOKED}),
        ("ocm-id1", KEY, {"expires_at": int(NOW)}),
    ],
)
async def test_any_other_key_opens_nothing(user, key, changes):
    """A key that was not named, for another share or under another name, or when the share has ended, opens nothing."""
    expected = (Kind.UNAUTHENTICATED, "invalid-key", "This key opens nothing here.")
    assert await key_refused(with_key(**changes), user, key) == expected


async def test_a_key_in_a_foreign_store_is_an_outage():
    """A key whose share is not found in a store that is not ours is not refused: that cannot be known."""
    world = with_key()
    world.marker_fault = unavailable("The store is not ready.")
    assert (await key_refused(world, "ocm-id2", KEY))[0] is Kind.UNAVAILABLE


@pytest.mark.req("SHARE-4")
async def test_one_proven_key_proves_no_other():
    """A key that has opened a share is not looked up again, and makes no other name or key good."""
    world = with_key()
    await world.hear(Gap(), Beat())
    await world.flow.open_with_key("ocm-id1", KEY)
    reads = world.reads
    assert (await world.flow.open_with_key("ocm-id1", KEY)).grant == GRANT
    assert world.reads == reads
    for user, key in (("ocm-id1", "ssh-ed25519 BBBB"), ("ocm-id2", KEY)):
        assert (await key_refused(world, user, key))[0] is Kind.UNAUTHENTICATED


async def test_a_secret_that_is_no_text_opens_nothing():
    """Bytes that no encoding has are refused like any other wrong secret."""
    assert await World().refused(basic("\udcff")) == (Kind.UNAUTHENTICATED, "invalid-token")


@pytest.mark.parametrize(("state", "stands"), [(SentState.ACCEPTED, True), (SentState.REVOKED, False)])
async def test_what_was_shared_on_stands_as_long_as_what_it_came_from(state, stands):
    """A share that somebody made of what was shared with them ends when that ends."""
    world = World(parent="id0")
    shares = {"id1": world.share, "id0": replace(world.share, provider_id="id0", parent="", state=state)}

    async def get(key):
        return shares.get(key)

    world.get = get
    assert await world.flow.stands("id1") == stands


@pytest.mark.req("SHARE-4", "DISC-8")
@pytest.mark.parametrize("fault", [BLOCKED, DOUBT])
async def test_a_key_opens_nothing_while_its_server_is_blocked(fault):
    """A named key is refused, also one that was proven before, while the server that named it is."""
    world = with_key()
    await world.hear(Gap(), Beat())
    await world.flow.open_with_key("ocm-id1", KEY)
    world.contact_fault, world.contacted = fault, []
    assert (await key_refused(world, "ocm-id1", KEY))[0] is fault.kind
    assert world.contacted == ["there.example.org"]


@pytest.mark.req("SHARE-4")
async def test_a_key_opens_nothing_that_was_shared_on_from_an_ended_share():
    """A key is refused at once, as a secret is, when what its share was shared on from has ended."""
    world = with_key(parent="id0")
    shares = {"id1": world.share, "id0": replace(world.share, provider_id="id0", parent="")}

    async def get(key):
        return shares.get(key)

    world.get = get
    assert (await world.flow.open_with_key("ocm-id1", KEY)).grant == GRANT
    shares["id0"] = shares["id0"].step(SentState.REVOKED)
    assert (await key_refused(world, "ocm-id1", KEY))[:2] == (Kind.UNAUTHENTICATED, "invalid-key")
