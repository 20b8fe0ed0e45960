"""How users find each other across servers: invitations and contacts, made from near side, far side and store."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.app.core import Core
from gateway.app.peers import Far
from gateway.crypto.secrets import new_id
from gateway.flows.contacts import Contacts
from gateway.flows.directory import Directories
from gateway.flows.invite import Invites
from gateway.flows.ports import Users
from gateway.flows.request_share import RequestShare
from gateway.flows.send_share import SendShare
from gateway.model.address import without_port
from gateway.store.tables import CONTACTS, INVITES, SHARE_REQUESTS
from gateway.web.apicontacts import ContactApi
from gateway.web.apiinvites import InviteApi
from gateway.web.apiparts import ApiParts
from gateway.web.doors import Door
from gateway.web.federation import FederationDoors
from gateway.web.invites import InviteDoors
from gateway.web.peergate import PeerGate
from gateway.web.sharerequests import RequestApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The flows by which users meet."""

    contacts: Contacts
    invites: Invites
    directories: Directories


def build(core: Core, far: Far, users: Users) -> Meeting:
    """Return the flows."""
    config = core.config
    contacts = Contacts(table=core.store.table(CONTACTS), authority=config.authority, now=core.now)
    invites = Invites(
        invites=core.store.table(INVITES),
        contacts=contacts,
        users=users,
        resolver=far.resolver,
        client=far.client,
        authority=config.authority,
        life_seconds=config.invites.life,
        placeholder_email=config.invites.placeholder_email or f"noreply@{without_port(config.authority)}",
        now=core.now,
        new_id=new_id,
    )
    return Meeting(contacts=contacts, invites=invites, directories=far.standing.directories)


def asking(core: Core, far: Far, users: Users, send_share: SendShare) -> RequestShare:
    """Return the flow by which users ask for shares."""
    return RequestShare(
        requests=core.store.table(SHARE_REQUESTS),
        users=users,
        client=far.client,
        send_share=send_share,
        authority=core.config.authority,
        now=core.now,
        new_id=new_id,
    )


def peer_doors(core: Core, meeting: Meeting, gate: PeerGate) -> tuple[Door, ...]:
    """Return the doors for other servers."""
    depth = core.config.limits.json_depth
    return InviteDoors(gate=gate, invites=meeting.invites, prefix=core.config.prefix, json_depth=depth).doors()


def user_doors(core: Core, meeting: Meeting, request_share: RequestShare, parts: ApiParts) -> tuple[Door, ...]:
    """Return the doors for our users' programs."""
    contacts = ContactApi(parts=parts, contacts=meeting.contacts)
    federation = FederationDoors(
        parts=parts,
        directories=meeting.directories,
        authority=core.config.authority,
        published=core.config.peers.published_directory,
    )
    asked = RequestApi(parts=parts, flow=request_share)
    return (
        *federation.doors(),
        *asked.doors(),
        *InviteApi(parts=parts, invites=meeting.invites).doors(),
        *contacts.doors(),
    )
