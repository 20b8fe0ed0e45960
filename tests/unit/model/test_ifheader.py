"""The `If` header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model import ifheader
from gateway.model.ifheader import State
from support.davdoor import attempt

LOCK = "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2"


async def decide(text, **states):
    """Decide a header against the states of the request's resource (`here`) and of others by URL."""

    async def state_of(resource):
        return states.get("here" if resource is None else resource.strip("/"), State())

    return await ifheader.holds(ifheader.parse(text), state_of)


async def test_absent_header_holds():
    """A request without the header is not bound."""
    assert await decide(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"(<{LOCK}>)", True),
        ("(<urn:uuid:other>)", False),
        ('(["tag"])', True),
        ('(["other"])', False),
        ('([W/"tag"])', False),
        (f'(<{LOCK}> ["tag"])', True),
        (f'(<{LOCK}> ["other"])', False),
        (f'(<{LOCK}> ["other"]) (["tag"])', True),
        ("(Not <DAV:no-lock>)", True),
        (f"(Not <{LOCK}>)", False),
        ('(not ["tag"])', False),
        (f'(<{LOCK}>)(Not <DAV:no-lock> ["other"])', True),
    ],
)
async def test_lists_are_alternatives_of_conditions_that_hold_together(text, expected):
    """The header holds if all conditions of one of its lists do."""
    assert await decide(text, here=State(frozenset({LOCK}), '"tag"')) is expected


async def test_tagged_list_is_about_the_named_resource():
    """A list behind a URL looks at that resource, not at the request's own."""
    states = {"here": State(), "a": State(frozenset({LOCK})), "b": State()}

    assert await decide(f"</a> (<{LOCK}>)", **states)
    assert not await decide(f"</b> (<{LOCK}>)", **states)
    assert await decide(f"</b> (<{LOCK}>) </a> (<nothing>) (<{LOCK}>)", **states)


async def test_tag_is_not_there_when_nothing_is():
    """A tag never matches a resource that does not exist."""
    assert not await decide('(["tag"])')
    assert await decide('(Not ["tag"])')


def test_tokens_anywhere_count_as_presented_but_not_negated_ones():
    """Every lock token that the header claims is presented, whatever list it stands in."""
    lists = ifheader.parse('</a> (<one> ["x"]) (Not <DAV:no-lock>) </b> (<two>)')

    assert ifheader.presented_tokens(lists) == {"one", "two"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "(",
        "(<a>",
        "<a>",
        "(<a>) <b>x",
        "(Not)",
        "(Not Not <a>)",
        "((<a>))",
        "(<a>))",
        "<r> <s>",
        "(<a>) </r> (<b>)",
        "(etag)",
        "([etag])",
        "Not (<a>)",
        "(" + "<a>" * 101 + ")",
        "(<" + "a" * 9000 + ">)",
    ],
)
def test_malformed_header_is_refused(text):
    """What does not follow the grammar, or is endless, is the client's fault."""
    with pytest.raises(GatewayError) as caught:
        ifheader.parse(text)

    assert caught.value.kind is Kind.INVALID


@given(st.text(alphabet='()<>[]"NotW/ ,a\n\t:é', max_size=60))
def test_any_text_is_read_or_refused(text):
    """No header makes the parser fail in a way of its own."""
    lists, refusal = attempt(ifheader.parse, text)

    assert refusal in (None, Kind.INVALID)
    assert all(item.conditions for item in lists or ())


_tokens = st.tuples(st.booleans(), st.sampled_from(["urn:a", "urn:b", "DAV:no-lock"]))


@given(st.lists(st.lists(_tokens, min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(lists):
    """Every header that follows the grammar is understood as it was meant."""
    text = " ".join("(" + " ".join(f"{'Not ' * no}<{uri}>" for no, uri in item) + ")" for item in lists)

    read = ifheader.parse(text)

    assert [[(c.is_not, c.text) for c in item.conditions] for item in read] == lists


@given(st.text(alphabet='()<>[]"NotW/ ,a\n\t:é', max_size=60))
def test_what_was_read_can_be_written_for_another(text):
    """A header made of what was read means the same to the next reader, a storage for example."""
    lists, _ = attempt(ifheader.parse, text)

    assert lists is None or ifheader.parse(ifheader.written(lists)) == lists


def test_every_token_that_is_named_is_told():
    """A token is named also where it is negated; `DAV:no-lock` is no lock's."""
    lists = ifheader.parse('(<one> Not <two>) (Not <DAV:no-lock> ["x"])')

    assert ifheader.all_tokens(lists) == {"one", "two"}


@pytest.mark.parametrize("text", ["(<>)", "(<a\x00b>)", "(<a\x1fb>)", '(["a\x7fb"])', "<> (<a>)"])
def test_nothing_that_is_no_url_or_tag_is_one(text):
    """An empty URL and control characters, which a storage might read in its own way, are refused."""
    with pytest.raises(GatewayError):
        ifheader.parse(text)
