from __future__ import annotations

import hmac

import pytest

from gateway.model import secret as secret_module
from gateway.model.secret import Secret


@pytest.mark.req("TOK-4")
@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format])
def test_secret_is_hidden(show):
    """No way of printing a secret shows it."""
    assert show(Secret("hush")) == "Secret(***)"


def test_secret_has_no_dictionary():
    """A secret has no `__dict__` by which tools could print it."""
    assert not hasattr(Secret("hush"), "__dict__")


def test_reveal():
    """The text itself is had by asking for it."""
    assert Secret("hush").reveal() == "hush"


def test_equality():
    """Secrets are equal if their texts are, and never equal to a bare text."""
    assert Secret("hush") == Secret("hush")
    assert Secret("hush") != Secret("hust")
    assert Secret("hush") != "hush"
    assert (Secret("hush") == 1) is False


def test_equality_in_constant_time(monkeypatch):
    """Secrets are compared in constant time, as bytes."""
    compared = []

    def compare(first, second):
        compared.append((first, second))
        return hmac.compare_digest(first, second)

    monkeypatch.setattr(secret_module, "hmac", type("Fake", (), {"compare_digest": staticmethod(compare)}))

    assert Secret("é") != Secret("e")
    assert compared == [("é".encode(), b"e")]


@pytest.mark.parametrize("text", ["\ud800", "ü", ""])
def test_equality_of_any_text(text):
    """Also what is no Unicode text can be compared."""
    assert Secret(text) == Secret(text)
    assert Secret(text) != Secret("x")


def test_hash_and_truth():
    """Equal secrets hash alike; an empty one is false."""
    assert {Secret("hush"), Secret("hush"), Secret("x")} == {Secret("x"), Secret("hush")}
    assert Secret("x")
    assert not Secret("")
