"""Invitations as text: every form in use means the same, and everything else is none."""

import base64
import secrets

import pytest

from gateway.errors import GatewayError
from gateway.model.address import Host
from gateway.model.secret import Secret
from gateway.ocm.invite import InviteString, encoded, new_token, parse_acceptance, parse_answer, parse_string, plain

TOKEN = "3f9a-44e1"
MEANT = InviteString(Secret(TOKEN), Host("cloud.example.org:8443"))
PLAIN = f"{TOKEN}@cloud.example.org:8443"
LINK = f"https://x.example/wayf?token={TOKEN}&providerDomain=cloud.example.org:8443"


def standard(text):
    """Base64 in the alphabet of -05, padded."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.req("INV-1")
@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"  {PLAIN}\n",
        f"{TOKEN}@https://Cloud.Example.org:8443/",
        standard(PLAIN),
        standard(PLAIN).rstrip("="),
        base64.urlsafe_b64encode(PLAIN.encode()).decode(),
        base64.urlsafe_b64encode(PLAIN.encode()).decode().rstrip("="),
        LINK,
        LINK.replace("providerDomain", "provider"),
        LINK.replace(":8443", "%3A8443"),
        standard(LINK),
        f"{LINK}#top",
    ],
)
def test_every_form_of_an_invitation(text):
    """Plain, base64 in both alphabets, padded or not, and links of both kinds mean the same invitation."""
    assert parse_string(text) == MEANT


@pytest.mark.req("INV-1")
def test_the_last_at_sign_parts():
    """A token may hold an `@`; what is behind the last one is the server."""
    found = parse_string("to@ken@cloud.example.org")
    assert (found.token.reveal(), found.provider) == ("to@ken", "cloud.example.org")


@pytest.mark.req("INV-1")
def test_base64_of_both_alphabets():
    """What the two alphabets write differently is read in either."""
    text = "a?>~@cloud.example.org"
    forms = {base64.b64encode(text.encode()).decode(), base64.urlsafe_b64encode(text.encode()).decode()}
    assert len(forms) == 2
    assert {parse_string(form).token.reveal() for form in forms} == {"a?>~"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "@",
        "token@",
        "@cloud.example.org",
        "a b@cloud.example.org",
        "a@b/c",
        "https://x.example/wayf?token=t",
        "https://x.example/wayf?providerDomain=x.example",
        "https://x.example/wayf?token=t&providerDomain=not%20a%20host",
        "https://[/wayf?token=t",
        standard("hello"),
        base64.b64encode(b"\xff\xfe").decode(),
        standard(standard(PLAIN)),
        "x" * 5000,
        f"{'t' * 2000}@cloud.example.org",
    ],
)
def test_what_is_no_invitation(text):
    """Whatever else is pasted is refused, in words that repeat nothing of it."""
    with pytest.raises(GatewayError) as refused:
        parse_string(text)
    assert refused.value.kind == "invalid"
    assert str(refused.value).startswith("This is no invitation.")


@pytest.mark.parametrize("authority", ["a.example", "ab.example", "abc.example", "cloud.example.org:8443"])
def test_our_invitations_are_one_string_for_every_reader(authority):
    """The token's length makes padding unnecessary, so both alphabets write the same letters."""
    invite = InviteString(new_token(Host(authority), secrets.token_hex), Host(authority))
    assert len(invite.token.reveal()) >= 32
    assert encoded(invite) == standard(plain(invite)) == base64.urlsafe_b64encode(plain(invite).encode()).decode()
    assert parse_string(encoded(invite)) == invite


@pytest.mark.req("INV-2")
@pytest.mark.parametrize("name", ["userID", "userId"])
@pytest.mark.parametrize("wrap", [lambda said: said, lambda said: {"invite": said}])
def test_an_acceptance_in_each_spelling(name, wrap):
    """Either spelling of the identifier is read, also from inside the object of the oldest servers."""
    said = {"token": "t", "recipientProvider": "https://x.example/", name: "marie", "name": "Marie", "email": "m@x"}
    found = parse_acceptance(wrap(said))
    assert (found.claimed_user_id, found.claimed_provider, found.name) == ("marie", "x.example", "Marie")


def test_every_fault_of_an_acceptance_is_told():
    """All that is missing or wrong is named at once, and no value is repeated."""
    with pytest.raises(GatewayError) as refused:
        parse_acceptance({"token": "se cret", "recipientProvider": "::", "email": 7})
    assert {fault.name for fault in refused.value.faults} == {"token", "recipientProvider", "userID", "email"}
    assert "se cret" not in str(refused.value)


@pytest.mark.parametrize(
    "answer", [None, {}, {"userID": ""}, {"userID": 7}, {"userID": "a\nb"}, {"userID": "x" * 2000}]
)
def test_an_answer_without_an_inviter(answer):
    """An answer that does not say who invited is refused."""
    with pytest.raises(GatewayError):
        parse_answer(answer)
