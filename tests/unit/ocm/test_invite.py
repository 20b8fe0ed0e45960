"""Invitations as text: every form in use means the same, and everything else is none."""

import base64
import secrets

import pytest

from gateway.errors import GatewayError
from gateway.model.address import Host
from gateway.model.secret import Secret
from gateway.ocm.invite import (
    STRING_MAX_CHARS,
    Acceptance,
    Inviter,
    InviteString,
    encoded,
    new_token,
    parse_acceptance,
    parse_answer,
    parse_string,
    plain,
    render_acceptance,
    render_person,
)

TOKEN = "3f9a-44e1"
MEANT = InviteString(Secret(TOKEN), Host("cloud.example.org:8443"))
PLAIN = f"{TOKEN}@cloud.example.org:8443"
LINK = f"https://x.example/wayf?token={TOKEN}&providerDomain=cloud.example.org:8443"
SAID = {"token": "t", "recipientProvider": "x.example", "userID": "marie", "name": "Marie", "email": "m@x.example"}
MARIE = Inviter(claimed_user_id="marie", email="m@x.example", name="Marie")


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
        LINK.replace("https:", "http:"),
        LINK.replace("https:", "HTTPS:"),
        standard(LINK),
        standard(f" {PLAIN}\n"),
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


@pytest.mark.req("INV-1")
@pytest.mark.parametrize("token", ["aa>", "aa?", "aa~", "aa>aa?"])
def test_base64_with_one_letter_of_an_alphabet(token):
    """One letter is enough to know the alphabet by, whichever of the two it is."""
    text = f"{token}@cloud.example.org"
    assert parse_string(standard(text)).token.reveal() == token
    assert parse_string(base64.urlsafe_b64encode(text.encode()).decode()).token.reveal() == token


@pytest.mark.req("INV-1")
@pytest.mark.parametrize("token", ["t", "tt", "ttt"])
@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_base64_with_any_padding(token, padding):
    """Padding that is missing, whole, too little or too much changes nothing."""
    text = standard(f"{token}@x.example").rstrip("=") + padding
    assert parse_string(text) == InviteString(Secret(token), Host("x.example"))


@pytest.mark.req("INV-1")
def test_only_padding_is_cut_off():
    """Base64 that ends in a letter keeps it, also an X."""
    text = standard("toke@CLOUD.EXAMPLE.NW")
    assert text.endswith("X")
    assert parse_string(text) == InviteString(Secret("toke"), Host("cloud.example.nw"))


@pytest.mark.req("INV-1")
def test_the_name_of_the_draft_goes_first():
    """A link that names the server twice means the `providerDomain`, and of one that is empty the `provider`."""
    both = "https://x.example/wayf?token=t&provider=b.example&providerDomain={}"
    assert parse_string(both.format("a.example")).provider == "a.example"
    assert parse_string(both.format("")).provider == "b.example"


def test_the_longest_text():
    """A text of as many characters as may be is read, without the blanks around it; with one more it is not."""
    longest = f"{LINK}&x=".ljust(STRING_MAX_CHARS, "x")
    assert parse_string(f"  {longest}\n") == MEANT
    with pytest.raises(GatewayError, match="This is no invitation"):
        parse_string(longest + "x")


def test_the_longest_token():
    """A token may have 1024 characters, and not one more."""
    assert parse_string(f"{'t' * 1024}@x.example").token == Secret("t" * 1024)
    with pytest.raises(GatewayError, match="This is no invitation"):
        parse_string(f"{'t' * 1025}@x.example")


def test_the_most_members_of_a_link():
    """A link may have twenty members, and not one more."""
    assert parse_string(LINK + "&x=1" * 18) == MEANT
    with pytest.raises(GatewayError, match="This is no invitation"):
        parse_string(LINK + "&x=1" * 19)


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
        f"https://x.example/{PLAIN}",
        standard(PLAIN)[:-1] + "*",
        "a" * 5,
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
    assert refused.value.public == (
        "This is no invitation. Paste it whole: a link, token@host, or the long string of letters."
    )


@pytest.mark.parametrize("authority", ["a.example", "ab.example", "abc.example", "cloud.example.org:8443"])
def test_our_invitations_are_one_string_for_every_reader(authority):
    """The token's length makes padding unnecessary, so both alphabets write the same letters."""
    invite = InviteString(new_token(Host(authority), secrets.token_hex), Host(authority))
    assert len(invite.token.reveal()) >= 32
    assert encoded(invite) == standard(plain(invite)) == base64.urlsafe_b64encode(plain(invite).encode()).decode()
    assert parse_string(encoded(invite)) == invite


@pytest.mark.parametrize(
    ("authority", "octets", "chars"), [("a.example", 16, 32), ("abc.example", 17, 33), ("ab.example", 17, 34)]
)
def test_a_token_is_as_long_as_it_has_to_be(authority, octets, chars):
    """No more randomness is drawn than the token shows, and the token is its beginning."""
    drawn = []

    def token_hex(count):
        drawn.append(secrets.token_hex(count))
        return drawn[-1]

    token = new_token(Host(authority), token_hex).reveal()
    assert [len(text) for text in drawn] == [octets * 2]
    assert len(token) == chars
    assert drawn[0].startswith(token)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("t", "dEB4LmV4YW1wbGU"),
        ("tt", "dHRAeC5leGFtcGxl"),
        ("a?>", "YT8-QHguZXhhbXBsZQ"),
    ],
)
def test_how_an_invitation_is_written(token, text):
    """An invitation is written in the letters that may stand in a URL, without padding."""
    assert encoded(InviteString(Secret(token), Host("x.example"))) == text


@pytest.mark.req("INV-2")
@pytest.mark.parametrize("name", ["userID", "userId"])
@pytest.mark.parametrize("wrap", [lambda said: said, lambda said: {"invite": said}])
def test_an_acceptance_in_each_spelling(name, wrap):
    """Either spelling of the identifier is read, also from inside the object of the oldest servers."""
    said = {"token": "t", "recipientProvider": "https://x.example/", name: "marie", "name": "Marie", "email": "m@x"}
    found = parse_acceptance(wrap(said))
    assert (found.claimed_user_id, found.claimed_provider, found.name) == ("marie", "x.example", "Marie")


@pytest.mark.req("INV-2")
def test_all_that_an_acceptance_says():
    """Each member of an acceptance is read as what it is."""
    assert parse_acceptance(SAID) == Acceptance(
        token=Secret("t"),
        claimed_provider=Host("x.example"),
        claimed_user_id="marie",
        email="m@x.example",
        name="Marie",
    )


@pytest.mark.req("INV-2")
def test_name_and_mail_may_be_missing():
    """Who accepts need not tell a name or a mail address; who invites neither."""
    found = parse_acceptance({name: SAID[name] for name in ("token", "recipientProvider", "userID")})
    assert (found.email, found.name) == ("", "")
    assert parse_answer({"userID": "marie"}) == Inviter(claimed_user_id="marie", email="", name="")


@pytest.mark.parametrize("read", [parse_acceptance, parse_answer])
def test_the_longest_identifier(read):
    """An identifier may have as many characters as an OCM address, and not one more."""
    assert read({**SAID, "userID": "x" * 1024}).claimed_user_id == "x" * 1024
    with pytest.raises(GatewayError, match="userID has more than 1024 characters"):
        read({**SAID, "userID": "x" * 1025})


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "token is missing; recipientProvider is missing; userID is missing"),
        ({**SAID, "token": None}, "token is missing"),
        ({"invite": {**SAID, "token": ""}}, "invite.token is missing"),
        ({**SAID, "token": "se cret"}, "token may hold visible ASCII characters only"),
        ({**SAID, "userID": ""}, "userID is missing"),
        ({**SAID, "email": 7, "name": "a\nb"}, "email has to be a string; name holds control characters"),
        ({**SAID, "invite": 7}, "invite has to be an object"),
    ],
)
def test_the_words_of_a_refused_acceptance(document, sentence):
    """The refusal says of each member what is wrong with it, in order."""
    with pytest.raises(GatewayError) as refused:
        parse_acceptance(document)
    assert refused.value.kind == "invalid"
    assert refused.value.public == f"This answer to an invitation is not valid: {sentence}."


@pytest.mark.req("INV-2")
def test_what_is_sent_to_accept():
    """Our acceptance holds the token, our host, and the user in either spelling; it reads back as it was meant."""
    sent = render_acceptance(Secret("t"), Host("x.example"), MARIE)
    assert sent == {**SAID, "userId": "marie"}
    assert parse_acceptance(sent) == parse_acceptance(SAID)


@pytest.mark.req("INV-2")
def test_what_is_told_about_a_user():
    """A user is told in both spellings of the identifier, and the other side reads the same user from it."""
    told = render_person(MARIE)
    assert told == {"userID": "marie", "userId": "marie", "email": "m@x.example", "name": "Marie"}
    assert parse_answer(told) == MARIE


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
    with pytest.raises(GatewayError, match=r"^The other server's answer is not valid: userID .*\.$") as refused:
        parse_answer(answer)
    assert [fault.name for fault in refused.value.faults] == ["userID"]


def test_the_words_of_a_refused_answer():
    """The refusal of an answer names all that is wrong in it."""
    with pytest.raises(GatewayError) as refused:
        parse_answer({"email": 7, "name": 7})
    assert refused.value.public == (
        "The other server's answer is not valid: userID is missing; email has to be a string; name has to be a string."
    )


@pytest.mark.parametrize("name", ["userID", "userId"])
def test_an_answer_in_each_spelling(name):
    """Either spelling of the identifier is read from an answer."""
    assert parse_answer({name: "marie", "email": "m@x.example", "name": "Marie"}) == MARIE
