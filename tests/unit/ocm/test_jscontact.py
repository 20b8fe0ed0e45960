"""Contacts as JSContact cards: what leaves in them, and what is taken from them (EXT-1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.address import ADDRESS_MAX_CHARS, Host, OcmAddress
from gateway.model.contact import LABEL_MAX_CHARS, Contact, Source, contact_id
from gateway.ocm.jscontact import OCM_ADDRESSES, parse, render
from support.anyjson import VALUES

NOW = 1_785_060_500.0
MARIE = OcmAddress("marie", Host("cloud.example.org"))
CONTACT = Contact(
    user="alice",
    address=MARIE,
    display_name="Marie Curie",
    source=Source.INVITED,
    created_at=NOW,
    email="marie@mail.example",
    is_trusted=True,
    label="Marie from Paris",
)
CARD = {
    "@type": "Card",
    "version": "1.0",
    "uid": contact_id("alice", MARIE),
    "name": {"@type": "Name", "full": "Marie from Paris"},
    "ietf.org:ocmAddresses": {
        "ocm1": {
            "address": "marie@cloud.example.org",
            "trusted": True,
            "source": "invited",
            "label": "Marie from Paris",
        }
    },
    "emails": {"email1": {"@type": "EmailAddress", "address": "marie@mail.example"}},
}


def contact(identifier="marie", **facts):
    """Return a contact as it is taken from a card."""
    known = {"display_name": identifier, "label": ""} | facts
    address = OcmAddress(identifier, Host("cloud.example.org"))
    return Contact(user="bob", address=address, source=Source.IMPORTED, created_at=NOW, **known)


def taken(addresses, **members):
    """Return the contacts that Bob gets from a card with these addresses."""
    return parse({OCM_ADDRESSES: addresses, **members}, "bob", NOW)


@pytest.mark.req("EXT-1")
def test_card_of_a_contact():
    """A contact leaves with its address, its mail, and what the user thinks of it."""
    assert render(CONTACT) == CARD


def test_card_of_a_bare_contact():
    """Without a label the name is the contact's own, and without a mail address there is no list of them."""
    bare = contact(display_name="Marie Curie")
    card = render(bare)
    assert card["name"] == {"@type": "Name", "full": "Marie Curie"}
    assert card[OCM_ADDRESSES] == {
        "ocm1": {"address": "marie@cloud.example.org", "trusted": False, "source": "imported", "label": ""}
    }
    assert "emails" not in card


@pytest.mark.req("EXT-1")
def test_card_proves_nothing():
    """What comes from a card is neither trusted nor agreed, whatever it says of itself; its names are taken."""
    (read,) = parse(CARD, "bob", NOW)
    assert read == contact(display_name="Marie from Paris", label="Marie from Paris")
    assert (read.is_trusted, read.is_agreed, read.email) == (False, False, "")


@pytest.mark.parametrize("name", [None, {}, [], "Marie", {"full": ""}, {"full": 7}, {"full": "x" * 256}])
def test_card_without_a_usable_name(name):
    """Where a card has no full name, the contact is called as its address begins."""
    assert taken([{"address": "marie@cloud.example.org"}], name=name) == [contact()]


def test_every_address_is_a_contact():
    """A card with several addresses gives one contact for each, in their order, whether as a list or by names."""
    entries = [{"address": "marie@cloud.example.org", "label": "work"}, {"address": "m2@https://cloud.example.org/"}]
    expected = [contact(display_name="M", label="work"), contact("m2", display_name="M")]
    assert taken(entries, name={"full": "M"}) == expected
    assert taken({"ocm1": entries[0], "ocm2": entries[1]}, name={"full": "M"}) == expected


@pytest.mark.parametrize(
    "entry",
    [
        7,
        None,
        "marie@cloud.example.org",
        {},
        {"address": ""},
        {"address": 7},
        {"address": "marie"},
        {"address": "marie@no host"},
        {"address": "marie@cloud.example.org\n"},
        {"address": "m" * (ADDRESS_MAX_CHARS + 1 - len("@cloud.example.org")) + "@cloud.example.org"},
    ],
)
def test_entry_that_cannot_be_used_is_passed_over(entry):
    """What is no address is left out; the others are taken, before and behind it."""
    good = {"address": "good@cloud.example.org"}
    assert taken([good, entry, good]) == [contact("good")] * 2


@pytest.mark.parametrize("label", [7, None, "a\n", "x" * (LABEL_MAX_CHARS + 1)])
def test_label_that_cannot_be_used_is_passed_over(label):
    """A label that is none, or is too long, costs nobody his entry."""
    assert taken([{"address": "marie@cloud.example.org", "label": label}]) == [contact()]


def test_longest_address_and_label():
    """An address and a label may be as long as everywhere else."""
    identifier = "m" * (ADDRESS_MAX_CHARS - len("@cloud.example.org"))
    entry = {"address": f"{identifier}@cloud.example.org", "label": "x" * LABEL_MAX_CHARS}
    assert taken([entry]) == [contact(identifier, label="x" * LABEL_MAX_CHARS)]


@pytest.mark.parametrize("addresses", [None, 7, "marie@cloud.example.org", [], {}])
def test_card_without_addresses(addresses):
    """A card without a list of addresses means nobody."""
    assert taken(addresses) == []
    assert parse({}, "bob", NOW) == []


@given(st.dictionaries(st.sampled_from([OCM_ADDRESSES, "name"]), VALUES))
def test_any_card(card):
    """Any card gives contacts or none, and never a fault."""
    assert all(found.source is Source.IMPORTED for found in parse(card, "bob", NOW))
