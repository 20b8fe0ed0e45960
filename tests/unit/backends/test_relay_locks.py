import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.relay_locks import one_token, rewrite_if, token_of_answer
from gateway.backends.relay_rules import lock_seconds
from gateway.errors import GatewayError, Kind


def to_storage(url):
    return url.replace("/share", "http://storage/x") if url.startswith("/share") else None


@pytest.mark.parametrize(
    ("header", "rewritten", "tokens"),
    [
        ("(<urn:uuid:1>)", "(<urn:uuid:1>)", {"urn:uuid:1"}),
        ('(<t:1> ["a b"])(["c"])', '(<t:1> ["a b"]) (["c"])', {"t:1"}),
        ('(Not <t:1> [W/"x"])', '(Not <t:1> [W/"x"])', {"t:1"}),
        ("(<DAV:no-lock>)", "(<DAV:no-lock>)", set()),
        (
            "</share/a> (<t:1>) </share/b> (not <t:2>)",
            "<http://storage/x/a> (<t:1>) <http://storage/x/b> (Not <t:2>)",
            {"t:1", "t:2"},
        ),
    ],
)
def test_if_is_told_in_the_storages_terms(header, rewritten, tokens):
    """Resource tags are rewritten, tokens and entity tags stay and are known."""
    conditions = rewrite_if(header, to_storage)

    assert (conditions.header, conditions.tokens) == (rewritten, tokens)


def test_a_tag_outside_is_refused():
    """A resource tag outside the share is `FORBIDDEN`."""
    with pytest.raises(GatewayError) as caught:
        rewrite_if("</other> (<t:1>)", to_storage)
    assert caught.value.kind is Kind.FORBIDDEN


@given(st.text(alphabet='()<>[]"Not W/ab:', max_size=40))
def test_any_header_is_read_or_refused(header):
    """No header makes anything but conditions or a `GatewayError`, and no token is overlooked."""
    try:
        conditions = rewrite_if(header, lambda url: f"/s{url}")
    except GatewayError:
        return
    assert conditions.header.count("(") == conditions.header.count(")") > 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 1800), ("Second-60", 60), ("Infinite", 3600), ("Second-4100000000", 3600), ("infinite, Second-5", 3600)],
)
def test_locks_are_short(header, seconds):
    """A lock lives as long as asked for, at most an hour."""
    assert lock_seconds(header) == seconds


@pytest.mark.parametrize("header", ["", "Second-", "Second-x", "Second--1", "60"])
def test_a_bad_timeout_is_refused(header):
    """A malformed `Timeout` is `INVALID`."""
    if header:
        with pytest.raises(GatewayError):
            lock_seconds(header)


def test_tokens_of_headers():
    """A client's token needs its brackets, a storage's may lack them."""
    assert one_token(" <urn:uuid:1> ") == "urn:uuid:1"
    assert token_of_answer("urn:uuid:1") == token_of_answer("<urn:uuid:1>") == "urn:uuid:1"
    assert token_of_answer(None) is None
