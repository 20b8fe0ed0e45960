"""A share's secret becomes an access token for its own recipient, and for nobody else."""

import pytest
from structlog.testing import capture_logs

from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.exchange_token import ExchangeToken
from gateway.model.address import Host, OcmAddress
from gateway.model.peer import UnsignedPeer, VerifiedPeer
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import Permission, SentShare, SentState
from gateway.model.token import TokenClaims, TokenError, TokenRefused, TokenRequest

NOW = 1_000_000.75
THERE = Host("there.example.org")
RECIPIENT = VerifiedPeer(THERE, f"https://{THERE}/ocm#key1")
UNSIGNED = UnsignedPeer(None)


class Shares:
    """Finds one share by its secret."""

    def __init__(self, share):
        self.share = share

    async def find(self, lookup, value):
        assert lookup == "secret"
        return self.share if self.share.secret == Secret(value) else None


class Health:
    """Says whether the store is ours."""

    fault = None

    async def check_marker(self):
        if self.fault:
            raise self.fault


class Exchange:
    """The flow over one share, and the claims that it had signed."""

    def __init__(self, *, must_sign=False, **changes):
        facts = {
            "provider_id": "id1",
            "owner": "alice",
            "owner_display_name": "Alice",
            "recipient": OcmAddress("bob", THERE),
            "name": "Project",
            "storage": "main",
            "root": ResourcePath(("Project",)),
            "kind": EntryKind.FOLDER,
            "permissions": frozenset({Permission.READ}),
            "secret": Secret("code"),
            "created_at": NOW - 10,
        }
        self.health, self.issued, self.asked = Health(), [], []
        self.contacted, self.contact_fault = [], None

        def contact(host):
            self.contacted.append(host)
            if self.contact_fault:
                raise self.contact_fault

        async def has_to_sign(host):
            self.asked.append(host)
            return must_sign

        def issue(claims):
            self.issued.append(claims)
            return Secret("signed")

        self.flow = ExchangeToken(
            shares=Shares(SentShare(**{**facts, **changes})),
            health=self.health,
            may_contact=contact,
            must_sign=has_to_sign,
            issue=issue,
            public_url="https://here.example.org",
            lifetime_seconds=600,
            now=lambda: NOW,
            new_id=lambda: "t1",
        )

    async def run(self, peer=RECIPIENT, code="code"):
        return await self.flow.exchange(peer, TokenRequest(claimed_client_id="anybody", code=Secret(code)))

    async def refusal(self, *args, **options):
        with pytest.raises(TokenRefused) as caught:
            await self.run(*args, **options)
        assert self.issued == []
        return caught.value.error, caught.value.description


@pytest.mark.req("TOK-1")
@pytest.mark.req("TOK-2")
async def test_the_recipient_gets_a_token():
    """The recipient's provider gets a token for this share that lives as long as configured."""
    exchange = Exchange()
    token = await exchange.run()
    assert (token.token, token.expires_in) == (Secret("signed"), 600)
    assert exchange.issued == [
        TokenClaims(
            issuer="https://here.example.org",
            subject="alice",
            audience=f"bob@{THERE}",
            client_id="id1",
            token_id="t1",
            issued_at=1_000_000,
            expires_at=1_000_600,
        )
    ]
    assert exchange.asked == []


@pytest.mark.req("TOK-2")
async def test_the_same_request_may_be_repeated():
    """A code can be exchanged again."""
    exchange = Exchange()
    await exchange.run()
    await exchange.run()
    assert len(exchange.issued) == 2


@pytest.mark.req("TOK-4")
@pytest.mark.parametrize(("ends", "life"), [(1_000_001, 1), (1_000_599, 599), (1_000_600, 600), (1_000_601, 600)])
async def test_a_token_never_outlives_the_share(ends, life):
    """The life of a token is cut at the end of the share."""
    exchange = Exchange(expires_at=ends)
    assert (await exchange.run()).expires_in == life
    assert exchange.issued[0].expires_at == 1_000_000 + life


@pytest.mark.req("TOK-3")
async def test_an_unknown_code_is_refused():
    """A code that no share has is an invalid grant."""
    assert await Exchange().refusal(code="other") == (TokenError.INVALID_GRANT, "This code is not known.")


async def test_a_store_that_is_not_ours_is_an_outage():
    """A code that is not found in an emptied store is no refusal."""
    exchange = Exchange()
    exchange.health.fault = unavailable("Not our store.")
    with pytest.raises(GatewayError) as caught:
        await exchange.run(code="other")
    assert caught.value.kind is Kind.UNAVAILABLE


@pytest.mark.req("TOK-3")
async def test_another_provider_is_refused():
    """A code works for the share's own recipient only, whoever knows it; the log says who tried."""
    stranger = VerifiedPeer(Host("else.example.org"), "key")
    with capture_logs() as logs:
        outcome = await Exchange().refusal(stranger)
    assert outcome == (TokenError.INVALID_CLIENT, "This code belongs to another provider.")
    (said,) = logs
    said.pop("module")
    assert said == {
        "event": "token asked for by a stranger",
        "share": "id1",
        "peer": "else.example.org",
        "log_level": "warning",
    }


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize("peer", [RECIPIENT, UNSIGNED])
@pytest.mark.parametrize(
    "fault",
    [GatewayError(Kind.FORBIDDEN, "there.example.org is not allowed here."), unavailable("That cannot be known now.")],
)
async def test_a_blocked_server_gets_no_token(peer, fault):
    """Signed or not, nothing is issued while the recipient's server is refused; nothing else is asked about it."""
    exchange = Exchange()
    exchange.contact_fault = fault
    with pytest.raises(GatewayError) as caught:
        await exchange.run(peer)
    assert caught.value is fault
    assert (exchange.contacted, exchange.issued, exchange.asked) == ([THERE], [], [])


@pytest.mark.req("TOK-3")
async def test_a_provider_that_signs_must_sign():
    """Without a signature the recipient's provider is asked about, and refused if it has to sign."""
    exchange = Exchange(must_sign=True)
    assert await exchange.refusal(UNSIGNED) == (TokenError.INVALID_CLIENT, "This request has to be signed.")
    assert exchange.asked == [THERE]


async def test_a_provider_that_cannot_sign_gets_a_token():
    """Without a signature the code is enough where the recipient's provider does not have to sign."""
    assert (await Exchange().run(UNSIGNED)).expires_in == 600


@pytest.mark.req("TOK-3")
@pytest.mark.parametrize(
    "changes",
    [{"state": s} for s in (SentState.REVOKED, SentState.DECLINED, SentState.REFUSED, SentState.EXPIRED)]
    + [{"expires_at": 1_000_000}],
)
async def test_an_ended_share_is_refused(changes):
    """A share that has ended gives no tokens any more."""
    assert await Exchange(**changes).refusal() == (TokenError.INVALID_GRANT, "The share has ended.")
