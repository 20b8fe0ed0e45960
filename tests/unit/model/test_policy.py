from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, OcmAddress
from gateway.model.contact import Contact, Source
from gateway.model.peer import Discovery, Peer, UnsignedPeer, VerifiedPeer
from gateway.model.policy import (
    PERMISSION_OF_METHOD,
    Allow,
    Deny,
    PeerRules,
    Standing,
    is_listed_by_name,
    match_identifier,
    may_accept_unsigned,
    may_contact,
    may_open_by_secret,
    may_receive_share,
    may_share_between,
    may_use,
    plan_requirements,
    recipient_names,
)
from gateway.model.share import Permission, Requirement

ALPHA = Host("alpha.example")
ALICE = OcmAddress("alice", ALPHA)
EXCHANGE, MFA = Requirement.MUST_EXCHANGE_TOKEN, Requirement.MUST_USE_MFA
MUST_SIGN = Deny(Kind.UNAUTHENTICATED, "Messages have to be signed here.", "signature-missing")


def discovery(*capabilities: str, criteria: tuple[str, ...] = ()) -> Discovery:
    return Discovery(
        enabled=True,
        api_version="1.4.0",
        end_point="https://alpha.example/ocm",
        capabilities=frozenset(capabilities),
        criteria=frozenset(criteria),
    )


def test_decisions_have_truth():
    """A decision is true if it allows; a refusal becomes an error with its meaning, sentence and word."""
    deny = Deny(Kind.FORBIDDEN, "No.", "why")

    assert bool(Allow()) is True
    assert bool(deny) is False
    error = deny.error()
    assert isinstance(error, GatewayError)
    assert (error.kind, error.public, error.code) == (Kind.FORBIDDEN, "No.", "why")
    assert Deny(Kind.CONFLICT, "No.").error().code == "conflict"


def decided(standing, **rules):
    """Return rules under which this has been decided by now."""
    return PeerRules(standing=lambda: standing, **rules)


def hosts(*names):
    return frozenset(Host(name) for name in names)


# Lists


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize(
    ("host", "rules"),
    [
        ("any.example", PeerRules()),
        ("alpha.example", PeerRules(allow=("beta.example", "alpha.example"))),
        ("a.alpha.example", PeerRules(allow=("*.alpha.example",))),
        ("b.a.alpha.example", PeerRules(allow=("*.alpha.example",))),
        ("alpha.example:8443", PeerRules(allow=("alpha.example:8443",))),
        ("alpha.example", PeerRules(deny=("*.alpha.example",))),
        ("xalpha.example", PeerRules(deny=("*.alpha.example", "alpha.example"))),
        ("alpha.example", PeerRules(deny=("alpha.example:8443",))),
        ("[2001:db8::1]", PeerRules(deny=("[2001:db8:",))),
    ],
)
def test_contact_allowed(host, rules):
    """A host that is on no list of denied ones, and on the list of allowed ones if there is one, is spoken with."""
    assert may_contact(Host(host), rules) == Allow()


@pytest.mark.req("DISC-8", "SHARE-8")
@pytest.mark.parametrize(
    ("host", "rules"),
    [
        ("bad.example", PeerRules(deny=("other.example", "bad.example"))),
        ("bad.example:8443", PeerRules(deny=("bad.example",))),
        ("a.bad.example", PeerRules(deny=("*.bad.example",))),
        ("a.bad.example:8443", PeerRules(deny=("*.bad.example",))),
        ("bad.example:8443", PeerRules(deny=("bad.example:8443",))),
        ("[2001:db8::1]:8443", PeerRules(deny=("[2001:db8::1]",))),
        ("[2001:db8::1]", PeerRules(deny=("[2001:db8::1]",))),
        ("a.example.org", PeerRules(allow=("a.example.org",), deny=("*.example.org",))),
    ],
)
def test_contact_denied(host, rules):
    """A denied host is not spoken with, on any port, even if it is allowed as well."""
    assert may_contact(Host(host), rules) == Deny(Kind.FORBIDDEN, f"{host} is not allowed here.", "peer-denied")


@pytest.mark.req("DISC-8", "SHARE-8")
@pytest.mark.parametrize(
    ("host", "allow"),
    [
        ("beta.example", "alpha.example"),
        ("alpha.example", "*.alpha.example"),
        ("xalpha.example", "*.alpha.example"),
        ("alpha.example:8443", "alpha.example"),
        ("a.alpha.example:8443", "*.alpha.example"),
    ],
)
def test_contact_not_allowed(host, allow):
    """Where there is a list of allowed hosts, every other one is refused."""
    public = f"{host} is not among the servers allowed here."

    assert may_contact(Host(host), PeerRules(allow=(allow,))) == Deny(Kind.FORBIDDEN, public, "peer-not-allowed")


# The operator's word while the gateway runs


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize("rules", [{}, {"allow": ("alpha.example",)}, {"deny": ("alpha.example",)}])
def test_contact_before_decisions_are_read(rules):
    """As long as it is not known what the operator decided, nobody is spoken with, and may come again."""
    public = "Who is allowed here cannot be known now. Try again later."

    verdict = may_contact(ALPHA, decided(Standing(is_known=False), **rules))

    assert verdict == Deny(Kind.UNAVAILABLE, public)
    assert verdict.error().code == "unavailable"


@pytest.mark.req("DISC-8", "SHARE-8")
@pytest.mark.parametrize(
    ("host", "blocked", "rules"),
    [
        ("alpha.example", "alpha.example", {}),
        ("alpha.example:8443", "alpha.example", {}),
        ("alpha.example:8443", "alpha.example:8443", {}),
        ("alpha.example", "alpha.example", {"allow": ("alpha.example",)}),
        ("alpha.example", "alpha.example", {"by_directory": True}),
    ],
)
def test_contact_blocked(host, blocked, rules):
    """A host that the operator blocked is not spoken with on any port, whatever else allows it."""
    standing = Standing(blocked=hosts(blocked), allowed=hosts(host), members=hosts(host))

    expected = Deny(Kind.FORBIDDEN, f"{host} is not allowed here.", "peer-denied")

    assert may_contact(Host(host), decided(standing, **rules)) == expected


@pytest.mark.parametrize("blocked", ["beta.example", "alpha.example:8443", "a.alpha.example", "*.example"])
def test_contact_beside_a_blocked_host(blocked):
    """Blocking a host, or one of its ports, shuts out no other one; the operator's word knows no patterns."""
    assert may_contact(ALPHA, decided(Standing(blocked=hosts(blocked)))) == Allow()


@pytest.mark.req("DISC-8")
@pytest.mark.parametrize(
    ("standing", "rules"),
    [
        (Standing(allowed=hosts("alpha.example")), {"allow": ("beta.example",)}),
        (Standing(allowed=hosts("alpha.example")), {"by_directory": True}),
        (Standing(allowed=hosts("alpha.example"), members=hosts("beta.example")), {"by_directory": True}),
    ],
)
def test_contact_allowed_by_the_operator(standing, rules):
    """A host that the operator allowed is spoken with beside those listed, also while no directory can be read."""
    assert may_contact(ALPHA, decided(standing, **rules)) == Allow()


@pytest.mark.req("DISC-8", "SHARE-8")
def test_contact_denied_before_allowed_by_the_operator():
    """What the configuration denies, the operator's word at run time does not allow."""
    verdict = may_contact(ALPHA, decided(Standing(allowed=hosts("alpha.example")), deny=("alpha.example",)))

    assert verdict == Deny(Kind.FORBIDDEN, "alpha.example is not allowed here.", "peer-denied")


def test_decisions_are_asked_for_each_time():
    """What the operator decides counts from the next decision on."""
    standings = iter([Standing(), Standing(blocked=hosts("alpha.example")), Standing()])
    rules = PeerRules(standing=lambda: next(standings))

    assert [bool(may_contact(ALPHA, rules)) for _ in range(3)] == [True, False, True]


# Directories


@pytest.mark.req("DIR-2")
@pytest.mark.parametrize(
    ("members", "rules"),
    [
        (hosts("beta.example", "alpha.example"), {}),
        (hosts("alpha.example"), {"allow": ("gamma.example",)}),
        (hosts("beta.example"), {"allow": ("alpha.example",)}),
        (hosts(), {"allow": ("*.example",)}),
        (None, {"allow": ("alpha.example",)}),
    ],
)
def test_contact_by_directory(members, rules):
    """Where directories decide, a host that they or the configuration list is spoken with."""
    assert may_contact(ALPHA, decided(Standing(members=members), by_directory=True, **rules)) == Allow()


@pytest.mark.req("DIR-2", "SHARE-8")
@pytest.mark.parametrize("rules", [{}, {"allow": ("beta.example",)}])
@pytest.mark.parametrize("members", [hosts(), hosts("beta.example", "alpha.example:8443")])
def test_contact_in_no_directory(members, rules):
    """Where directories decide, a host that nobody lists is refused, also if they list nobody at all."""
    public = "alpha.example is not among the servers allowed here."

    verdict = may_contact(ALPHA, decided(Standing(members=members), by_directory=True, **rules))

    assert verdict == Deny(Kind.FORBIDDEN, public, "peer-not-allowed")


@pytest.mark.req("DIR-2")
@pytest.mark.parametrize("rules", [{}, {"allow": ("beta.example",)}])
def test_contact_without_any_directory(rules):
    """As long as no directory could be read, a host that only they could allow is refused for now, not for good."""
    public = "The list of the servers allowed here cannot be had now. Try again later."

    verdict = may_contact(ALPHA, decided(Standing(members=None), by_directory=True, **rules))

    assert verdict == Deny(Kind.UNAVAILABLE, public, "directory-unavailable")


@pytest.mark.req("DIR-2")
@pytest.mark.parametrize("members", [None, hosts("alpha.example")])
def test_directories_that_do_not_decide(members):
    """Where directories are only read, what they list, or that they list nothing, allows nobody."""
    public = "alpha.example is not among the servers allowed here."

    verdict = may_contact(ALPHA, decided(Standing(members=members), allow=("beta.example",)))

    assert verdict == Deny(Kind.FORBIDDEN, public, "peer-not-allowed")


@pytest.mark.parametrize(
    ("rules", "is_listed"),
    [
        (decided(Standing(allowed=hosts("a.alpha.example"))), True),
        (decided(Standing(allowed=hosts("alpha.example"))), False),
        (decided(Standing(allowed=hosts("a.alpha.example"), blocked=hosts("a.alpha.example"))), False),
        (decided(Standing(members=hosts("a.alpha.example")), by_directory=True), False),
        (decided(Standing(is_known=False), allow=("a.alpha.example",)), False),
        (PeerRules(allow=("beta.example", "a.alpha.example")), True),
        (PeerRules(allow=("*.alpha.example",)), False),
        (PeerRules(allow=("beta.example",)), False),
        (PeerRules(), False),
        (PeerRules(allow=("a.alpha.example",), deny=("*.alpha.example",)), False),
    ],
)
def test_listed_by_name(rules, is_listed):
    """Only a host that the configuration or the operator's word names itself, undenied, was allowed expressly."""
    assert is_listed_by_name(Host("a.alpha.example"), rules) is is_listed


@pytest.mark.req("DISC-5")
@pytest.mark.parametrize(
    ("rules", "criteria"),
    [
        (PeerRules(), set()),
        (PeerRules(must_sign=True), {"must-use-http-sig"}),
        (PeerRules(must_exchange_token=True), {"must-exchange-token"}),
        (PeerRules(must_invite=True), {"must-invite"}),
        (PeerRules(allow=("a.example",)), {"allowlist"}),
        (PeerRules(by_directory=True), {"allowlist"}),
        (PeerRules(deny=("a.example",)), {"denylist"}),
        (decided(Standing(blocked=hosts("a.example"))), {"denylist"}),
        (decided(Standing(allowed=hosts("a.example"), members=hosts("b.example"))), set()),
        (decided(Standing(blocked=hosts("b.example")), allow=("a.example",)), {"allowlist", "denylist"}),
    ],
)
def test_criteria(rules, criteria):
    """What is advertised as criteria is what the rules enforce."""
    assert rules.criteria == criteria


@pytest.mark.req("DISC-5", "SHARE-6")
@pytest.mark.parametrize(
    ("requirements", "is_demanded", "is_taken"),
    [
        (set(), False, True),
        ({EXCHANGE}, False, True),
        ({EXCHANGE}, True, True),
        ({EXCHANGE, MFA}, True, True),
        (set(), True, False),
        ({MFA}, True, False),
    ],
)
def test_shares_that_a_secret_opens(requirements, is_demanded, is_taken):
    """Where we announce that tokens have to be exchanged, a share that does not demand it is told so and not taken."""
    verdict = may_open_by_secret(requirements, PeerRules(must_exchange_token=is_demanded))
    refusal = Deny(
        Kind.INVALID, "Only shares that require must-exchange-token are taken here.", code="exchange-not-required"
    )
    assert verdict == (Allow() if is_taken else refusal)


# Unsigned messages


@pytest.mark.req("SIG-3")
@pytest.mark.parametrize(
    "peer",
    [
        None,
        Peer(host=ALPHA),
        Peer(host=ALPHA, discovery=discovery()),
        Peer(host=ALPHA, discovery=discovery("http-sig")),
        Peer(host=ALPHA, discovery=discovery(), jwks="{}"),
        Peer(host=ALPHA, jwks="{}"),
        Peer(host=ALPHA, discovery=replace(discovery(), public_key=("https://alpha.example/ocm#k", "PEM"))),
        Peer(host=ALPHA, we_signed_to=True),
    ],
)
def test_unsigned_accepted(peer):
    """A peer without keys for signatures may be heard unsigned; a draft-cavage key alone demands nothing."""
    assert may_accept_unsigned(peer, PeerRules()) == Allow()


@pytest.mark.req("SIG-3", "DISC-5")
@pytest.mark.parametrize("peer", [None, Peer(host=ALPHA)])
def test_unsigned_refused_by_criterion(peer):
    """Where we demand signatures of everybody, nobody is heard without."""
    assert may_accept_unsigned(peer, PeerRules(must_sign=True)) == MUST_SIGN


@pytest.mark.req("SIG-3")
def test_unsigned_refused_after_signed():
    """A peer that has signed before is not heard unsigned."""
    public = "alpha.example has signed before, so its messages have to be signed."

    verdict = may_accept_unsigned(Peer(host=ALPHA, has_signed_to_us=True), PeerRules())

    assert verdict == Deny(Kind.UNAUTHENTICATED, public, "signature-missing")


@pytest.mark.req("SIG-3", "SHARE-8")
def test_unsigned_refused_with_keys():
    """A peer that advertises `http-sig` and has a key set is not heard unsigned."""
    public = "alpha.example publishes keys for signatures, so its messages have to be signed."

    verdict = may_accept_unsigned(Peer(host=ALPHA, discovery=discovery("http-sig"), jwks="{}"), PeerRules())

    assert verdict == Deny(Kind.UNAUTHENTICATED, public, "signature-missing")


# Shares


@pytest.mark.req("SIG-7")
@pytest.mark.parametrize("peer", [VerifiedPeer(ALPHA, "k"), UnsignedPeer(ALPHA)])
def test_share_of_the_peer(peer):
    """A peer shares what its own users own."""
    assert may_receive_share(peer, ALICE, OcmAddress("amy", ALPHA), PeerRules()) == Allow()


@pytest.mark.req("SIG-7")
@pytest.mark.parametrize("host", ["alpha.example", "evil.example"])
def test_share_of_two_hosts(host):
    """Owner and sender have to be at one host, whoever of them signs."""
    verdict = may_receive_share(
        VerifiedPeer(Host(host), "k"), ALICE, OcmAddress("eve", Host("evil.example")), PeerRules()
    )

    assert verdict == Deny(Kind.FORBIDDEN, "Owner and sender of a share have to be at one server.", "foreign-owner")


@pytest.mark.req("SIG-7")
def test_share_signed_by_another():
    """Nobody shares for another host."""
    verdict = may_receive_share(VerifiedPeer(Host("evil.example"), "k"), ALICE, ALICE, PeerRules())

    assert verdict == Deny(Kind.FORBIDDEN, "evil.example cannot share for alpha.example.", "foreign-signer")


@pytest.mark.req("SIG-3", "SHARE-8")
def test_share_unsigned_where_signed_is_demanded():
    """An unsigned share is refused where signatures are demanded; a signed one is not."""
    rules = PeerRules(must_sign=True)

    assert may_receive_share(UnsignedPeer(ALPHA), ALICE, ALICE, rules) == MUST_SIGN
    assert may_receive_share(VerifiedPeer(ALPHA, "k"), ALICE, ALICE, rules) == Allow()


@pytest.mark.parametrize("host", [None, Host("evil.example")])
def test_share_unsigned_of_another(host):
    """An unsigned share has to claim the host of its owner."""
    public = "This share does not say which server it comes from."

    verdict = may_receive_share(UnsignedPeer(host), ALICE, ALICE, PeerRules())

    assert verdict == Deny(Kind.UNAUTHENTICATED, public, "no-sender")


@pytest.mark.req("SHARE-8")
@pytest.mark.parametrize("peer", [VerifiedPeer(ALPHA, "k"), UnsignedPeer(ALPHA)])
def test_share_of_denied_host(peer):
    """A denied host cannot share."""
    verdict = may_receive_share(peer, ALICE, ALICE, PeerRules(deny=("alpha.example",)))

    assert verdict == Deny(Kind.FORBIDDEN, "alpha.example is not allowed here.", "peer-denied")


# Invitations


def contact(source):
    return Contact(user="bob", address=ALICE, display_name="Alice", source=source, created_at=0.0)


@pytest.mark.req("INV-4")
@pytest.mark.parametrize("known", [None, *(contact(source) for source in Source)])
def test_share_between_anybody(known):
    """Where no invitation is demanded, shares pass whoever knows whom."""
    assert may_share_between(known, PeerRules()) == Allow()


@pytest.mark.req("INV-4")
@pytest.mark.parametrize("source", [Source.INVITED, Source.ACCEPTED])
def test_share_between_those_who_agreed(source):
    """Where an invitation is demanded, shares pass between people one of whom invited the other."""
    assert may_share_between(contact(source), PeerRules(must_invite=True)) == Allow()


@pytest.mark.req("INV-4", "SHARE-8")
@pytest.mark.parametrize("known", [None, contact(Source.IMPORTED)])
def test_share_between_strangers(known):
    """Where an invitation is demanded, a stranger and a contact from a file are refused, and told what is missing."""
    public = "Shares are only between people who know each other here: one has to accept an invitation of the other."

    assert may_share_between(known, PeerRules(must_invite=True)) == Deny(Kind.FORBIDDEN, public, "no-invite")


# Requirements


@pytest.mark.req("SHARE-6")
@pytest.mark.parametrize(
    ("peer", "wanted", "planned"),
    [
        (discovery(), {}, set()),
        (discovery("exchange-token", "enforce-mfa"), {}, set()),
        (discovery(criteria=("must-exchange-token",)), {}, {EXCHANGE}),
        (discovery("exchange-token", criteria=("must-exchange-token",)), {}, {EXCHANGE}),
        (discovery("exchange-token"), {"must_exchange_token": True}, {EXCHANGE}),
        (discovery(criteria=("must-exchange-token",)), {"must_exchange_token": True}, {EXCHANGE}),
        (discovery("enforce-mfa"), {"must_use_mfa": True}, {MFA}),
        (
            discovery("enforce-mfa", "exchange-token"),
            {"must_use_mfa": True, "must_exchange_token": True},
            {MFA, EXCHANGE},
        ),
        (discovery(criteria=("must-use-http-sig", "must-invite")), {}, set()),
    ],
)
def test_requirements(peer, wanted, planned):
    """A share requires what we demand and what the recipient's server demands, and nothing else."""
    assert plan_requirements(peer, **({"must_exchange_token": False} | wanted)) == planned


@pytest.mark.req("SHARE-6")
def test_exchange_impossible():
    """Token exchange is not required of a server that does not know it."""
    public = "Shares from here open only with exchanged tokens, which the recipient's server does not know."

    verdict = plan_requirements(discovery("http-sig"), must_exchange_token=True)

    assert verdict == Deny(Kind.CONFLICT, public, "peer-cannot-exchange-token")


@pytest.mark.req("SHARE-6")
def test_mfa_impossible():
    """A second factor is not required of a server that does not promise it."""
    public = "This share needs a second factor, which the recipient's server does not promise to ask for."

    verdict = plan_requirements(discovery("exchange-token"), must_exchange_token=False, must_use_mfa=True)

    assert verdict == Deny(Kind.CONFLICT, public, "peer-cannot-enforce-mfa")


# Methods

READING = {"OPTIONS", "GET", "HEAD", "PROPFIND"}
WRITING = {"PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK", "UNLOCK"}


def test_methods():
    """The table of methods is complete."""
    assert {method for method, need in PERMISSION_OF_METHOD.items() if need is Permission.READ} == READING
    assert {method for method, need in PERMISSION_OF_METHOD.items() if need is Permission.WRITE} == WRITING
    assert set(PERMISSION_OF_METHOD) == READING | WRITING


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("method", sorted(READING | WRITING))
@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ("", READING),
        ("read", READING),
        ("share", set()),
        ("read share", READING),
        ("write", READING | WRITING),
        ("read write", READING | WRITING),
        ("write share", READING | WRITING),
    ],
)
def test_permission_of_method(permissions, may, method):
    """A method needs its permission; `write` implies `read`, nothing means `read`, `share` alone opens nothing."""
    verdict = may_use(frozenset(Permission(word) for word in permissions.split()), method)

    if method in may:
        assert verdict == Allow()
    else:
        word = "read" if method in READING else "write"
        assert verdict == Deny(Kind.FORBIDDEN, f"This share does not allow to {word}.", "permission-missing")


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize("method", ["POST", "PATCH", "get", "", "REPORT", "MKCALENDAR"])
def test_unknown_method(method):
    """A method that is not in the table is refused, whatever the grant allows."""
    expected = Deny(Kind.NOT_ALLOWED, "This method is not supported here.", "method-not-allowed")

    assert may_use(frozenset(Permission), method) == expected


# Recipients


@pytest.mark.req("ADDR-1")
@pytest.mark.parametrize(
    ("share_with", "names"),
    [
        ("bob@beta.example", ("bob@beta.example", "bob")),
        ("bob@https://Beta.example/", ("bob@https://Beta.example/", "bob")),
        ("bob@mail.example@beta.example", ("bob@mail.example@beta.example", "bob@mail.example")),
        ("bob@beta.example@beta.example", ("bob@beta.example@beta.example", "bob")),
        ("bob@other.example", ("bob@other.example",)),
        ("bob@beta.example:8443", ("bob@beta.example:8443",)),
        ("bob", ("bob",)),
        ("", ("",)),
    ],
)
def test_recipient_names(share_with, names):
    """A recipient is meant as received, else without our host; another host names nobody here."""
    assert recipient_names(share_with, Host("beta.example")) == names


@pytest.mark.parametrize(
    ("claimed", "identifiers", "meant"),
    [
        ("bob", ["bob", "Bob"], "bob"),
        ("Bob", ["bob", "Bob"], "Bob"),
        ("BOB", ["bob", "Bob"], None),
        ("BOB", ["bob", "alice"], "bob"),
        ("BOB", ["bob", "bob"], "bob"),
        ("bob", ["bobby"], None),
        ("bob", [], None),
        ("STRASSE", ["straße"], "straße"),
    ],
)
def test_match_identifier(claimed, identifiers, meant):
    """The exact identifier is meant, else the only one in any case; two that differ in case mean nobody."""
    assert match_identifier(claimed, identifiers) == meant


@given(st.text(max_size=20), st.lists(st.text(max_size=5), max_size=5))
def test_match_any_text(claimed, identifiers):
    """Only an identifier that exists is ever meant, and an exact one always."""
    meant = match_identifier(claimed, [*identifiers])

    assert meant is None or meant in identifiers
    assert claimed not in identifiers or meant == claimed
