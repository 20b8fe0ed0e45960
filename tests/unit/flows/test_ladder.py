"""A share is told in the form that its reader takes, and what was taken is remembered (dialects.md 14.2)."""

from dataclasses import replace

import pytest

from gateway.errors import GatewayError, Kind
from gateway.flows.ladder import Ladder
from gateway.model.address import Host, OcmAddress
from gateway.model.dialect import Payload
from gateway.model.resource import EntryKind, ResourcePath
from gateway.model.secret import Secret
from gateway.model.share import Permission, Requirement, SentShare
from support.fakepeer import FakePeer, Reply
from support.peerrig import rig as running_rig

SHARES = "/ocm/shares"
URL = "https://gateway.test"


def only(*, takes):
    """Return a reader that takes one form, told by where the secret stands and by the name, and refuses others."""

    def read(received):
        protocol = received.json["protocol"]
        found = "options" if "options" in protocol else protocol["name"]
        return Reply(201, {}) if found == takes else Reply(400, {"message": f"{found} not supported"})

    return read


@pytest.fixture
async def peer():
    """A peer that says nothing of its kind and checks no signatures."""
    async with FakePeer.running() as running:
        running.discovery = {
            name: running.discovery[name] for name in ("enabled", "apiVersion", "endPoint", "resourceTypes")
        }
        running.jwks = {"keys": []}
        yield running


@pytest.fixture
async def rig():
    """Our own side."""
    async with running_rig() as ours:
        yield ours


@pytest.fixture
def share(peer):
    """A folder for somebody at the peer."""
    return SentShare(
        provider_id="p1",
        owner="alice",
        owner_display_name="Alice",
        recipient=OcmAddress("bob", Host(peer.host)),
        name="Plans",
        storage="default",
        root=ResourcePath(("Plans",)),
        kind=EntryKind.FOLDER,
        permissions=frozenset({Permission.READ}),
        secret=Secret("hush"),
        created_at=1.0,
    )


async def tell(rig, share):
    """Tell a share; return the status and the resource type told."""
    ladder = Ladder(
        resolver=rig.resolver,
        client=rig.client,
        records=rig.records,
        authority=Host("gateway.test"),
        public_url=URL,
        prefix="/ocm",
    )
    told = await ladder.tell(share, interactive=True)
    return told.answer.status, told.resource_type


@pytest.mark.req("SHARE-2")
async def test_oldest_form_first(rig, peer, share):
    """A peer of unknown kind that reads the oldest form gets one message; a folder goes as a file."""
    peer.replies[SHARES] = only(takes="options")
    assert await tell(rig, share) == (201, "file")
    (received,) = peer.at(SHARES)
    assert received.json["resourceType"] == "file"
    assert received.json["protocol"]["options"]["sharedSecret"] == "hush"
    assert "webdav" not in received.json["protocol"]


@pytest.mark.req("SHARE-2")
async def test_other_form_next_and_alone_from_then_on(rig, peer, share):
    """The form that was taken second is remembered: the next share comes in it at once."""
    peer.replies[SHARES] = only(takes="multi")
    assert await tell(rig, share) == (201, "folder")
    assert len(peer.at(SHARES)) == 2
    assert rig.table.records[peer.host].payload is Payload.MULTI

    await tell(rig, share)
    assert len(peer.at(SHARES)) == 3


async def test_changed_document_makes_us_forget(rig, peer, share):
    """A server whose document changes is asked anew."""
    peer.replies[SHARES] = only(takes="multi")
    await tell(rig, share)
    peer.discovery["apiVersion"] = "1.1.1"
    peer.replies[SHARES] = only(takes="options")
    rig.clock.pass_by(2 * 3600)
    assert (await tell(rig, share))[0] == 201
    assert "options" in peer.at(SHARES)[-1].json["protocol"]


@pytest.mark.parametrize("status", [401, 403, 404, 409, 413, 429, 500, 503])
async def test_other_refusals_are_no_matter_of_form(rig, peer, share, status):
    """Only what refuses the form is answered with another; the peer hears the share once."""
    peer.replies[SHARES] = Reply(status, {})
    assert (await tell(rig, share))[0] == status
    assert len(peer.at(SHARES)) == 1


async def test_refusal_of_every_form(rig, peer, share):
    """If no form is taken, the reason that counts is that of the likelier one, and nothing is remembered."""
    peer.replies[SHARES] = lambda received: Reply(400 if "options" in received.json["protocol"] else 501, {})
    assert (await tell(rig, share))[0] == 400
    assert rig.table.records[peer.host].payload is None


async def test_second_form_may_tell_more(rig, peer, share):
    """A form that is read and refused for its content tells the reason."""
    peer.replies[SHARES] = lambda received: Reply(400 if "options" in received.json["protocol"] else 404, {})
    assert (await tell(rig, share))[0] == 404


@pytest.mark.req("SHARE-6")
async def test_requirement_is_never_dropped(rig, peer, share):
    """A share that requires a token is told in a form that says so, and in no other, even if that is refused."""
    peer.replies[SHARES] = only(takes="options")
    share = replace(share, requirements=frozenset({Requirement.MUST_EXCHANGE_TOKEN}))
    assert (await tell(rig, share))[0] == 400
    (received,) = peer.at(SHARES)
    assert received.json["protocol"]["webdav"]["requirements"] == ["must-exchange-token"]


@pytest.mark.req("SHARE-6")
async def test_reader_that_cannot_be_told(rig, peer, share):
    """A server that reads only the oldest form cannot get a share that requires something: it is not told at all."""
    peer.discovery["shareTypes"] = peer.discovery.pop("resourceTypes")
    share = replace(share, requirements=frozenset({Requirement.MUST_EXCHANGE_TOKEN}))
    with pytest.raises(GatewayError) as caught:
        await tell(rig, share)
    assert caught.value.kind is Kind.CONFLICT
    assert peer.at(SHARES) == []


async def test_known_words_are_used(rig, peer, share):
    """A peer that knows folders and the draft's form gets both."""
    types = peer.discovery["resourceTypes"]
    peer.discovery |= {"capabilities": ["protocol-object"], "resourceTypes": [*types, types[0] | {"name": "folder"}]}
    peer.replies[SHARES] = only(takes="multi")
    assert await tell(rig, share) == (201, "folder")
    assert len(peer.at(SHARES)) == 1
