"""Byte ranges and conditions."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, EntryKind, ResourcePath, Span
from gateway.web import conditions
from gateway.web.head import Headers
from gateway.web.ranges import content_range, parse_ranges, wanted_spans
from support.davdoor import attempt

NOON = 1_700_000_000.5
FILE = Entry(path=ResourcePath(("f",)), kind=EntryKind.FILE, size=10, modified=NOON, etag='"tag"')
WEAK = Entry(path=ResourcePath(("f",)), kind=EntryKind.FILE, size=10, etag='W/"tag"')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", [Span(0, 1)]),
        ("bytes=2-5", [Span(2, 4)]),
        ("bytes=5-", [Span(5, 5)]),
        ("bytes=5-99", [Span(5, 5)]),
        ("bytes=-3", [Span(7, 3)]),
        ("bytes=-99", [Span(0, 10)]),
        ("Bytes = 1-2 ", [Span(1, 2)]),
        ("bytes=0-1,3-4", [Span(0, 2), Span(3, 2)]),
        ("bytes=8- , 0-1,99-", [Span(8, 2), Span(0, 2)]),
        ("bytes=0-1,99-100", [Span(0, 2)]),
        ("bytes=0-5,3-9", []),
        ("bytes=0-,-1", []),
        ("bytes=" + ",".join(["0-0"] * 17), []),
        ("bytes=" + ",".join(f"{n * 2}-{n * 2}" for n in range(17)), []),
        ("bytes=0-1,,3-4", []),
        ("bytes=0-1,5-2", []),
        ("bytes=5-2", []),
        ("bytes=-", []),
        ("bytes=a-b", []),
        ("lines=1-2", []),
        ("bytes=²-3", []),
        ("bytes=", []),
        ("", []),
    ],
)
def test_ranges_are_read_and_others_are_ignored(text, expected):
    """Ranges give closed pieces in the order asked; too many, overlapping or unreadable ones mean the whole file."""
    assert parse_ranges(text, 10) == tuple(expected)


@pytest.mark.parametrize(
    ("text", "size"),
    [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=10-,99-100", 10)],
)
def test_range_behind_the_end_is_told(text, size):
    """A request for nothing but what lies behind the end is an error of its own."""
    with pytest.raises(GatewayError) as caught:
        parse_ranges(text, size)

    assert caught.value.kind is Kind.RANGE_INVALID


@given(st.text(alphabet="bytes=-,0123456789 ", max_size=30), st.integers(0, 100))
def test_any_range_is_inside_the_file(text, size):
    """Whatever is asked for, what is served lies within the file, and is never more than the file."""
    spans, refusal = attempt(parse_ranges, text, size)

    assert refusal in (None, Kind.RANGE_INVALID)
    for span in spans or ():
        assert span.length >= 1
        assert span.start >= 0
        assert span.start + span.length <= size
    assert sum(span.length for span in spans or ()) <= size


def test_content_range_names_first_and_last_byte():
    """The answer tells both ends of the piece, and the size."""
    assert content_range(Span(2, 4), 10) == "bytes 2-5/10"


@pytest.mark.parametrize(
    ("if_range", "entry", "is_piece"),
    [
        ('"tag"', FILE, True),
        ('"other"', FILE, False),
        ('W/"tag"', WEAK, False),
        (formatdate(NOON, usegmt=True), FILE, True),
        (formatdate(NOON + 1, usegmt=True), FILE, False),
        ("nonsense", FILE, False),
    ],
)
def test_if_range_decides_between_piece_and_whole(if_range, entry, is_piece):
    """A piece is served only if the client's copy is of the very same file."""
    spans = wanted_spans(Headers([("Range", "bytes=1-2"), ("If-Range", if_range)]), entry)

    assert (spans != ()) is is_piece


def check_write(entry, **fields):
    conditions.check_write(conditions.parse(Headers((k.replace("_", "-"), v) for k, v in fields.items())), entry)


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (FILE, {"If_Match": '"other"'}),
        (FILE, {"If_Match": "tag"}),
        (None, {"If_Match": "*"}),
        (None, {"If_Match": '"tag"'}),
        (WEAK, {"If_Match": 'W/"tag"'}),
        (FILE, {"If_None_Match": "*"}),
        (FILE, {"If_None_Match": '"a", W/"tag"'}),
        (FILE, {"If_Unmodified_Since": formatdate(NOON - 5, usegmt=True)}),
    ],
)
def test_write_is_stopped_by_a_condition_that_does_not_hold(entry, fields):
    """A condition that does not hold, or cannot be read, lets no write through."""
    with pytest.raises(GatewayError) as caught:
        check_write(entry, **fields)

    assert caught.value.kind is Kind.PRECONDITION_FAILED


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (FILE, {}),
        (FILE, {"If_Match": '"a,b", "tag"'}),
        (FILE, {"If_Match": "*"}),
        (FILE, {"If_None_Match": '"other"'}),
        (None, {"If_None_Match": "*"}),
        (FILE, {"If_Unmodified_Since": formatdate(NOON, usegmt=True)}),
        (FILE, {"If_Unmodified_Since": "last week"}),
        (FILE, {"If_Match": '"tag"', "If_Unmodified_Since": formatdate(0, usegmt=True)}),
    ],
)
def test_write_passes_when_its_conditions_hold(entry, fields):
    """Conditions that hold, and dates that are none, do not stop a write."""
    check_write(entry, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("If-None-Match", '"tag"')], True),
        ([("If-None-Match", 'W/"tag"')], True),
        ([("If-None-Match", '"other"')], False),
        ([("If-Modified-Since", formatdate(NOON, usegmt=True))], True),
        ([("If-Modified-Since", formatdate(NOON - 10, usegmt=True))], False),
        ([("If-None-Match", '"other"'), ("If-Modified-Since", formatdate(NOON, usegmt=True))], False),
    ],
)
def test_read_is_spared_when_the_client_has_it(fields, expected):
    """A client that already has this file is told so; a tag outweighs a date."""
    assert conditions.is_unmodified(conditions.parse(Headers(fields)), FILE) is expected


@given(st.text(max_size=40))
def test_any_date_is_read_or_ignored(text):
    """No date makes the parser fail."""
    conditions.parse_date(text)
