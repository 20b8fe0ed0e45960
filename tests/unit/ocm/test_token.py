from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Kind
from gateway.model.secret import Secret
from gateway.model.token import AccessToken, TokenError, TokenRefused, TokenRequest
from gateway.ocm.token import parse_answer, parse_request, render_answer, render_error
from support.anyjson import VALUES
from support.outcome import outcome

FORM = {"grant_type": "authorization_code", "client_id": "beta.example", "code": "hush"}
ANSWER = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 600}


def refusal(form: dict[str, str]) -> tuple[TokenError, str]:
    with pytest.raises(TokenRefused) as refused:
        parse_request(form)
    return refused.value.error, refused.value.description


@pytest.mark.req("TOK-1")
@pytest.mark.parametrize("grant_type", ["authorization_code", "ocm_authorization_code", "ocm_share"])
@pytest.mark.parametrize("extra", [{}, {"redirect_uri": "x", "scope": ""}])
def test_request(grant_type, extra):
    """A form is read under every name of the grant type; other parameters are ignored."""
    request = parse_request(FORM | {"grant_type": grant_type} | extra)

    assert request == TokenRequest(claimed_client_id="beta.example", code=Secret("hush"))


@pytest.mark.parametrize("client_id", ["https://beta.example/", "idp.example:8443", "c" * 1024])
def test_client_id_is_a_label(client_id):
    """What the client calls itself is taken as it is."""
    assert parse_request(FORM | {"client_id": client_id}).claimed_client_id == client_id


@pytest.mark.req("TOK-3")
@pytest.mark.parametrize("name", ["grant_type", "client_id", "code"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_parameter(name, value):
    """A missing or empty parameter is an invalid request."""
    form = {key: text for key, text in FORM.items() if key != name} | ({} if value is None else {name: value})

    assert refusal(form) == (TokenError.INVALID_REQUEST, f"The parameter {name} is missing.")


@pytest.mark.req("TOK-3")
@pytest.mark.parametrize("grant_type", ["refresh_token", "Authorization_Code", "client_credentials"])
def test_grant_type(grant_type):
    """Another grant type is not supported."""
    expected = (TokenError.UNSUPPORTED_GRANT_TYPE, "Only the grant type authorization_code is known here.")

    assert refusal(FORM | {"grant_type": grant_type}) == expected


@pytest.mark.req("TOK-3")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "a b"),
        ("code", "ü"),
        ("code", "a\n"),
        ("code", "c" * 1025),
        ("client_id", "c" * 1025),
        ("client_id", "\0"),
    ],
)
def test_impossible_parameter(name, value):
    """A parameter that cannot be what it should be is an invalid request, and is not repeated."""
    assert refusal(FORM | {name: value}) == (TokenError.INVALID_REQUEST, f"The parameter {name} is not valid.")


def test_longest_code():
    """A code may have 1024 characters."""
    assert parse_request(FORM | {"code": "c" * 1024}).code == Secret("c" * 1024)


@given(st.dictionaries(st.sampled_from([*FORM, "scope"]), st.text(max_size=20)))
def test_any_form(form):
    """Any form is a request or refused with an OAuth 2.0 code."""
    try:
        request = parse_request(form)
    except TokenRefused:
        return

    assert request.code


@pytest.mark.req("TOK-2")
def test_answer():
    """A token is handed out in the shape of OAuth 2.0, without a refresh token."""
    token = AccessToken(token=Secret("a.b.c"), expires_in=600)

    assert render_answer(token) == ANSWER
    assert parse_answer(render_answer(token)) == token


@pytest.mark.req("TOK-3")
def test_error():
    """A refusal is told in the words of OAuth 2.0."""
    assert render_error(TokenError.INVALID_GRANT, "This code is not known.") == {
        "error": "invalid_grant",
        "error_description": "This code is not known.",
    }


@pytest.mark.parametrize(
    ("change", "expires_in"),
    [
        ({"token_type": "bearer"}, 600),
        ({"token_type": "BEARER"}, 600),
        ({"expires_in": 1}, 1),
        ({"expires_in": 86_400}, 86_400),
        ({"expires_in": 86_401}, 86_400),
        ({"refresh_token": "x"}, 600),
        ({"access_token": "a" * 16_384}, 600),
    ],
)
def test_answers_of_peers(change, expires_in):
    """The type may be in any case, and no life is believed beyond a day."""
    answer = ANSWER | change

    assert parse_answer(answer) == AccessToken(token=Secret(answer["access_token"]), expires_in=expires_in)


def test_answer_without_a_life():
    """A token without a type is a Bearer token, and one without a life is used for five minutes."""
    assert parse_answer({"access_token": "a"}) == AccessToken(token=Secret("a"), expires_in=300)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "no access token"),
        ({}, "no access token"),
        ({"error": "invalid_grant"}, "no access token"),
        (ANSWER | {"access_token": ""}, "no access token"),
        (ANSWER | {"access_token": 1}, "no access token"),
        (ANSWER | {"access_token": "a b"}, "no access token"),
        (ANSWER | {"access_token": "a\r\nX: y"}, "no access token"),
        (ANSWER | {"access_token": "a" * 16_385}, "no access token"),
        (ANSWER | {"token_type": "mac"}, "a token of another type than Bearer"),
        (ANSWER | {"token_type": None}, "a token of another type than Bearer"),
        (ANSWER | {"expires_in": 0}, "a token without a lifetime in seconds"),
        (ANSWER | {"expires_in": -1}, "a token without a lifetime in seconds"),
        (ANSWER | {"expires_in": "600"}, "a token without a lifetime in seconds"),
        (ANSWER | {"expires_in": True}, "a token without a lifetime in seconds"),
        (ANSWER | {"expires_in": 600.0}, "a token without a lifetime in seconds"),
        (ANSWER | {"expires_in": None}, "a token without a lifetime in seconds"),
    ],
)
def test_unusable_answers(answer, what):
    """An answer without a usable token says nothing about the share: try again later."""
    with pytest.raises(GatewayError) as refused:
        parse_answer(answer)

    assert refused.value.kind is Kind.UNAVAILABLE
    assert refused.value.public == f"The sender's token end point answered {what}."


@given(st.dictionaries(st.sampled_from([*ANSWER]), VALUES))
def test_any_answer(answer):
    """Any answer is a token or an outage."""
    token = outcome(lambda: parse_answer(answer))

    assert isinstance(token, AccessToken) or token.kind is Kind.UNAVAILABLE
