from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.ocm.jsontext import parse_object
from support.outcome import outcome

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def parse(text: str, **bounds: int) -> dict[str, object]:
    return parse_object(text.encode(), max_bytes=bounds.pop("max_bytes", 10_000), **bounds)


def nested(depth: int) -> str:
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def test_an_object():
    """An object is read as it is, with all kinds of values."""
    text = ' {"a": 1, "b": [1.5, null, true, "\\u00fc\\ud83d\\ude00"], "c": {"d": {}}, "e": "\\/"} '

    assert parse(text) == {"a": 1, "b": [1.5, None, True, "ü😀"], "c": {"d": {}}, "e": "/"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is malformed"),
        (b"{", "it is malformed"),
        (b"{}{}", "it is malformed"),
        (b"{'a': 1}", "it is malformed"),
        (b'{"a": 1,}', "it is malformed"),
        (b'{"a": "\x01"}', "it is malformed"),
        (b"<!DOCTYPE html>", "it is malformed"),
        (b"\xef\xbb\xbf{}", "it is malformed"),
        (b'{"a": ' + b"9" * 5000 + b"}", "it is malformed"),
        (b"[]", "it is not an object"),
        (b"null", "it is not an object"),
        (b'"text"', "it is not an object"),
        (b"1", "it is not an object"),
        (b'{"a": "\xe4"}', "it is not UTF-8"),
        (b"\xff\xfe{\x00}\x00", "it is not UTF-8"),
        (b'{"a": 1, "a": 1}', "a name comes twice in one object"),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', "a name comes twice in one object"),
        (b'{"a": NaN}', "it holds what is not a number"),
        (b'{"a": -Infinity}', "it holds what is not a number"),
        (b'{"a": 1e999}', "a number is too large"),
        (b'{"a": "\\ud800"}', "it holds half a character"),
        (b'{"a": ["x", {"b": "\\udfff"}]}', "it holds half a character"),
        (b'{"\\ud800": 1}', "it holds half a character"),
    ],
)
def test_refused(body, why):
    """What is no JSON object, or could be read in two ways, is refused with its reason."""
    with pytest.raises(GatewayError) as refused:
        parse_object(body, max_bytes=10_000)

    error = refused.value
    assert (error.kind, error.code) == (Kind.INVALID, "json-invalid")
    assert error.public == f"This is not a JSON object that can be read: {why}."


def test_size():
    """A body may have `max_bytes`, and not one more."""
    assert parse('{"a":1}', max_bytes=7) == {"a": 1}
    with pytest.raises(GatewayError) as refused:
        parse('{"a":12}', max_bytes=7)
    assert (refused.value.kind, refused.value.public) == (Kind.TOO_LARGE, "This message exceeds 7 bytes.")


@pytest.mark.parametrize("bounds", [{}, {"max_depth": 32}])
def test_depth(bounds):
    """Objects and lists may lie 32 deep by default, and not one more."""
    assert parse(nested(32), **bounds)
    with pytest.raises(GatewayError) as refused:
        parse(nested(33), **bounds)
    assert refused.value.public == "This is not a JSON object that can be read: it is nested too deeply."


@pytest.mark.parametrize("text", ['{"a":{"b":{"c":1}}}', '{"a":[[1]]}', '{"x":1,"a":[1,{"b":[]}]}'])
def test_depth_of_all_kinds(text):
    """Objects and lists both count, wherever they lie."""
    assert parse(text, max_depth=3 if "x" not in text else 4)
    with pytest.raises(GatewayError):
        parse(text, max_depth=2)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_absurd_depth(opening):
    """However deep the nesting, the reader does not fall over."""
    with pytest.raises(GatewayError) as refused:
        parse('{"a":' + opening * 100_000, max_bytes=1_000_000)
    assert refused.value.kind is Kind.INVALID
    assert refused.value.public == "This is not a JSON object that can be read: it is nested too deeply."


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_round_trip(document):
    """Every object survives being written and read."""
    assert parse(json.dumps(document), max_bytes=1_000_000) == document


@given(st.binary(max_size=60) | st.text('{}[]",:\\u0d8eE+-19 ', max_size=40).map(str.encode))
def test_any_bytes(body):
    """Any bytes are an object or refused."""
    document = outcome(lambda: parse_object(body, max_bytes=50, max_depth=3))

    assert isinstance(document, dict | GatewayError)
