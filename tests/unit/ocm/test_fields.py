from __future__ import annotations

import pytest

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.secret import Secret
from gateway.ocm.fields import Fields


def refuse(text: str) -> str:
    raise GatewayError(Kind.INVALID, f"No {len(text)}X.")


def faults_of(fields: Fields) -> list[tuple[str, str]]:
    return [(fault.name, fault.message) for fault in fields.faults]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1, "has to be a string"),
        (True, "has to be a string"),
        (["a"], "has to be a string"),
        ({}, "has to be a string"),
        ("a" * 256, "has more than 255 characters"),
        ("a\nb", "holds control characters"),
        ("a\x00b", "holds control characters"),
        ("a\x1fb", "holds control characters"),
        ("a\x7fb", "holds control characters"),
        ("a\x9fb", "holds control characters"),
        ("a\ud800b", "holds control characters"),
    ],
)
def test_text_faults(value, message):
    """What is no text of one line is a fault that does not repeat it."""
    fields = Fields({"a": value})

    assert fields.text("a") == ""
    assert faults_of(fields) == [("a", message)]


@pytest.mark.parametrize("value", ["a", "ü 😀\xa0", "a" * 255])
def test_text(value):
    """A text is returned as it is."""
    fields = Fields({"a": value})

    assert fields.text("a", is_required=True) == value
    assert fields.faults == []


@pytest.mark.parametrize("members", [{}, {"a": None}, {"a": ""}])
def test_text_missing(members):
    """A missing, null or empty text is a fault only where it is required."""
    fields = Fields(members)

    assert fields.text("a") == ""
    assert fields.prose("a") == ""
    assert fields.faults == []
    assert fields.text("a", is_required=True) == ""
    assert faults_of(fields) == [("a", "is missing")]


def test_text_limit():
    """The limit of a text can be chosen, and is told."""
    fields = Fields({"a": "abc", "b": "abcd"})

    assert fields.text("a", max_chars=3) == "abc"
    assert fields.text("b", max_chars=3) == ""
    assert faults_of(fields) == [("b", "has more than 3 characters")]


def test_prose():
    """A prose text may have several lines, but no other control characters, and up to 4096 characters."""
    fields = Fields({"a": "one\r\n\ttwo", "b": "\x08", "c": "\x0b", "d": "\x0e", "e": "x" * 4096, "f": "x" * 4097})

    assert fields.prose("a") == "one\r\n\ttwo"
    assert fields.prose("e") == "x" * 4096
    assert [fields.prose(name) for name in "bcdf"] == [""] * 4
    assert faults_of(fields) == [
        ("b", "holds control characters"),
        ("c", "holds control characters"),
        ("d", "holds control characters"),
        ("f", "has more than 4096 characters"),
    ]


@pytest.mark.parametrize(("value", "text"), [("17", "17"), (17, "17"), (0, "0"), ("a b", "a b")])
def test_identifier(value, text):
    """An identifier may come as a number."""
    fields = Fields({"a": value})

    assert fields.identifier("a") == text
    assert fields.faults == []


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "is missing"), ("", "is missing"), (True, "has to be a string"), (1.5, "has to be a string")],
)
def test_identifier_faults(value, message):
    """An identifier is required, and neither a truth value nor a fraction."""
    fields = Fields({"a": value})

    assert fields.identifier("a") == ""
    assert faults_of(fields) == [("a", message)]


def test_secret():
    """A secret is visible ASCII of up to 1024 characters; an empty one is none."""
    fields = Fields({"a": "!~aZ0=", "b": "", "c": "a b", "d": "ü", "e": "x" * 1024, "f": "x" * 1025, "g": 7})

    assert fields.secret("a") == Secret("!~aZ0=")
    assert fields.secret("b") is None
    assert fields.secret("e") == Secret("x" * 1024)
    assert [fields.secret(name) for name in "cdfg"] == [None] * 4
    assert faults_of(fields) == [
        ("c", "may hold visible ASCII characters only"),
        ("d", "may hold visible ASCII characters only"),
        ("f", "has more than 1024 characters"),
        ("g", "has to be a string"),
    ]


def test_number():
    """A number is whole and from 0 to its bound; null is none."""
    fields = Fields({"a": 0, "b": 9, "c": None, "d": -1, "e": 10, "f": 1.0, "g": True, "h": "5"})

    assert [fields.number(name, at_most=9) for name in "abcx"] == [0, 9, None, None]
    assert fields.faults == []
    assert [fields.number(name, at_most=9) for name in "defgh"] == [None] * 5
    assert faults_of(fields) == [(name, "has to be a whole number from 0 to 9") for name in "defgh"]


def test_flag():
    """A truth value is one; what else is there is a fault."""
    fields = Fields({"a": True, "b": False, "c": 1})

    assert fields.flag("a", default=False) is True
    assert fields.flag("b", default=True) is False
    assert fields.flag("x", default=True) is True
    assert fields.flag("x", default=False) is False
    assert fields.faults == []
    assert fields.flag("c", default=True) is True
    assert faults_of(fields) == [("c", "has to be true or false")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ()),
        ([], ()),
        (["a", "b"], ("a", "b")),
        ({"0": "a", "2": "b"}, ("a", "b")),
        (["a\n", "b", "c" * 256, "d" * 255], ("b", "d" * 255)),
    ],
)
def test_words(value, words):
    """A list of words may come as an object; what is no word is passed over."""
    fields = Fields({"a": value})

    assert fields.words("a") == words
    assert fields.faults == []


@pytest.mark.parametrize("value", ["a", 1, True, ["a", 1], {"x": 1}, [None]])
def test_words_faults(value):
    """What is no list of strings is a fault."""
    fields = Fields({"a": value})

    assert fields.words("a") == ()
    assert faults_of(fields) == [("a", "has to be a list of strings")]


def test_object():
    """An object's members are read under its name, and their faults are the message's."""
    fields = Fields({"a": {"b": {"c": 1}}})

    inner = fields.object("a")
    assert inner is not None
    innermost = inner.object("b")
    assert innermost is not None
    assert innermost.text("c") == ""
    assert faults_of(fields) == [("a.b.c", "has to be a string")]


def test_object_as_empty_list():
    """An empty list stands for an empty object."""
    fields = Fields({"a": []}).object("a", is_required=True)

    assert fields is not None
    assert fields.members == {}
    assert fields.faults == []


def test_object_missing():
    """A missing object is a fault only where it is required; another value always is."""
    fields = Fields({"a": None, "b": "x", "c": ["x"]})

    assert fields.object("a") is None
    assert fields.faults == []
    assert fields.object("a", is_required=True) is None
    assert fields.object("b") is None
    assert fields.object("c") is None
    assert faults_of(fields) == [("a", "is missing"), ("b", "has to be an object"), ("c", "has to be an object")]


def test_read():
    """A text is read by a parser, whose refusal becomes a fault."""
    fields = Fields({"a": "abc", "b": "defg", "c": 1})

    assert fields.read("a", len) == 3
    assert fields.read("b", refuse) is None
    assert fields.read("c", refuse) is None
    assert fields.read("d", refuse) is None
    assert fields.read("a", len, max_chars=2) is None
    assert faults_of(fields) == [
        ("b", "cannot be read: No 4X"),
        ("c", "has to be a string"),
        ("d", "is missing"),
        ("a", "has more than 2 characters"),
    ]


def test_first_of():
    """Of several names the first that is there counts, else the first."""
    fields = Fields({"b": "x", "c": "y", "a": None})

    assert fields.first_of("a", "b", "c") == "b"
    assert fields.first_of("x", "y") == "x"
    assert fields.has("b")
    assert not fields.has("a")
    assert not fields.has("x")


def test_first_fault_is_told():
    """Only the first fault of a member is told."""
    fields = Fields({})

    fields.fault("a", "is bad")
    fields.fault("b", "is bad")
    fields.fault("a", "is worse")

    assert faults_of(fields) == [("a", "is bad"), ("b", "is bad")]


@pytest.mark.req("SHARE-7")
def test_check():
    """All faults are told at once, in one sentence and one by one."""
    fields = Fields({}, "m.")
    fields.check("This thing")
    fields.fault("a", "is bad")
    fields.fault("b", "is missing")

    with pytest.raises(GatewayError) as refused:
        fields.check("This thing")

    error = refused.value
    assert (error.kind, error.public) == (Kind.INVALID, "This thing is not valid: m.a is bad; m.b is missing.")
    assert error.faults == (Fault("m.a", "is bad"), Fault("m.b", "is missing"))
