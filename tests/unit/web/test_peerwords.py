"""What administrators read of a server's signatures, kind and state follows from its record and the rules."""

import pytest

from gateway.flows.peer_admin import PeerAdmin
from gateway.model.address import Host
from gateway.model.peer import Discovery, Peer, Scheme, Trust
from gateway.model.policy import PeerRules, Standing
from gateway.web.peerwords import full_document, peer_document, row_of, signature_words

HOST = Host("peer.example")
KEYS = '{"keys": []}'
SIGNS = frozenset({"http-sig"})
PUBLISHES = "peer.example publishes keys for signatures, so its messages have to be signed."
SAYS = "It says that it signs too: that is demanded as soon as its keys have been read."


def admin(**rules):
    """Return who looks, under these rules, at second 100."""
    return PeerAdmin(
        records=None, standing=None, rules=PeerRules(**rules), authority=Host("us.example"), now=lambda: 100.0
    )


def peer(*, capabilities=frozenset(), **facts):
    """Return a peer whose document is known."""
    document = Discovery(
        enabled=True, api_version="1.2", end_point=f"https://{HOST}/ocm", capabilities=frozenset(capabilities)
    )
    return Peer(host=HOST, **{"discovery": document, **facts})


@pytest.mark.req("SIG-3", "SIG-9")
@pytest.mark.parametrize(
    ("record", "rules", "words"),
    [
        (peer(), {}, "It has not signed to us; what it sends unsigned is heard."),
        (peer(has_signed_to_us=True), {}, "It has signed to us. That is pinned: what it sends unsigned is refused."),
        (
            peer(capabilities=SIGNS),
            {},
            "It has not signed to us yet. It says that it signs: that is demanded when its keys have been read.",
        ),
        (
            peer(capabilities=SIGNS, jwks=KEYS),
            {},
            f"It has not signed to us yet, but has to: {PUBLISHES}",
        ),
        (
            peer(),
            {"must_sign": True},
            "It has not signed to us yet, but has to: Messages have to be signed here.",
        ),
    ],
)
def test_whether_it_has_to_sign(record, rules, words):
    """The sentence is that of the rule by which its messages are taken or refused."""
    assert signature_words(admin(**rules), record)[0] == words


@pytest.mark.req("SIG-9")
@pytest.mark.parametrize(
    ("record", "words", "short"),
    [
        (peer(), "We have not signed to it yet.", []),
        (
            peer(we_signed_to=True, scheme=Scheme.RFC9421),
            "We sign to it by RFC 9421. That is pinned: nothing goes there unsigned any more.",
            ["we sign (RFC 9421), pinned"],
        ),
        (
            peer(we_signed_to=True, scheme=Scheme.CAVAGE, has_signed_to_us=True),
            "We sign to it by the older way (draft-cavage). That is pinned: nothing goes there unsigned any more.",
            ["it signs, pinned", "we sign (cavage), pinned"],
        ),
    ],
)
def test_how_we_sign(record, words, short):
    """The scheme and that it is pinned are said, in full and in short."""
    assert signature_words(admin(), record)[1] == words
    assert row_of(admin(), record)["signatures"] == short


@pytest.mark.parametrize(
    ("capabilities", "facts", "words"),
    [
        ((), {}, "Messages go unsigned."),
        (SIGNS, {"jwks": KEYS}, "Messages to it are signed (RFC 9421), and it has to sign to us."),
        (
            SIGNS,
            {},
            f"Messages to it are signed (RFC 9421). {SAYS}",
        ),
        ((), {"jwks": KEYS}, "Messages to it are signed (RFC 9421)."),
        ((), {"we_signed_to": True, "scheme": Scheme.CAVAGE}, "Messages to it are signed in the older way."),
    ],
)
def test_the_report_says_how_it_goes_now(capabilities, facts, words):
    """What stands in the report is what the next message does."""
    assert full_document(admin(), peer(capabilities=capabilities, **facts))["meaning"][0] == words


def test_a_server_that_was_not_asked_has_no_kind():
    """As long as there is no document nothing is said of its kind."""
    record = peer(discovery=None)
    found = full_document(admin(), record)
    assert (found["kind"], found["discovery"], found["meaning"], found["discovered_at"]) == (None, None, [], None)
    assert row_of(admin(), record)["kind"] == ""


@pytest.mark.parametrize(
    ("trust", "standing", "is_refused", "why"),
    [
        (Trust.UNKNOWN, Standing(), False, None),
        (Trust.DENIED, Standing(blocked=frozenset({HOST})), False, "peer.example is not allowed here."),
        (Trust.UNKNOWN, Standing(blocked=frozenset({HOST})), True, "peer.example is not allowed here."),
        (
            Trust.ALLOWED,
            Standing(is_known=False),
            True,
            "Who is allowed here cannot be known now. Try again later.",
        ),
    ],
)
def test_why_it_is_refused(trust, standing, is_refused, why):
    """Besides what was decided by hand it is said when the lists refuse a server."""
    ours = admin(standing=lambda: standing)
    assert row_of(ours, peer(trust=trust))["is_refused"] == is_refused
    assert peer_document(ours, peer(trust=trust))["refused_because"] == why


@pytest.mark.parametrize(("until", "shown"), [(99.0, None), (100.0, None), (101.0, 101.0)])
def test_a_rest_is_shown_until_it_is_over(until, shown):
    """A rest of the past is none."""
    assert row_of(admin(), peer(quiet_until=until))["rests_until"] == shown
