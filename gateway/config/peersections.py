"""The options about other servers and the people there: what they must do, whom we speak with, how users meet."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.config.storagesections import Section
from gateway.config.values import FilePath, Hosts, HttpUrl, Networks, Seconds, Unit, read_json


class Criteria(Section):
    """What peers must do; each is announced in discovery and enforced."""

    must_use_http_sig: bool = Field(default=False, description="Refuse what is not signed.")
    must_exchange_token: bool = Field(
        default=False,
        description="Open shares only to exchanged tokens, and take only shares that demand them.",
    )
    must_invite: bool = Field(
        default=False,
        description="Share only between people of whom one accepted the other's invitation.",
    )


class Trusting(StrEnum):
    """Whom we speak with, beside what `allow` and `deny` say."""

    EVERYBODY = "everybody"
    DIRECTORY = "directory"


class DirectorySection(Section):
    """A signed list of the servers of a federation."""

    url: HttpUrl = Field(description="Where the directory stands.")
    keys_file: FilePath = Field(description="The keys it has to be signed with: PEM, JWK or JWK set.")


class Peers(Section):
    """The other servers."""

    trust: Trusting = Field(
        Trusting.EVERYBODY, description="Speak with everybody, or only with servers of the directories and of `allow`."
    )
    directories: Annotated[tuple[DirectorySection, ...], read_json, Unit("list of {url, keys_file}")] = Field(
        (),
        description="Directories of the federations that this gateway belongs to; their union counts. Users find the "
        "servers in them.",
        examples=["[{url: https://directory.example.org/ocm, keys_file: /etc/ocm-gateway/directory.pem}]"],
    )
    directory_refresh: Seconds = Field(3600, description="How often a directory is read again.")
    directory_keep: Seconds = Field(
        7 * 86400, description="How long the last good copy of a directory serves while it cannot be read."
    )
    published_directory: FilePath | None = Field(
        None,
        description="A signed directory of our own (`ocm-gateway directory sign`), served at `<prefix>/directory`.",
        examples=["/etc/ocm-gateway/directory.jws"],
    )
    allow: Hosts = Field((), description="Only these hosts; empty: everybody.", examples=["cloud.example.net"])
    deny: Hosts = Field((), description="Never these hosts.", examples=["bad.example.net"])
    allow_http: bool = Field(default=False, description="Speak plain http with peers: for tests only.")
    allow_cidr: Networks = Field(
        (),
        description="Private networks in which peers may be, for tests and closed networks.",
        examples=["10.0.0.0/8"],
    )
    ca_file: FilePath | None = Field(
        None, description="Certificates to trust instead of the system's.", examples=["/etc/ssl/peers-ca.pem"]
    )
    connect_seconds: Seconds = Field(10, description="How long a connection to a peer may take.")
    total_seconds: Seconds = Field(60, description="How long a request to a peer may take.")
    redirects: int = Field(3, ge=0, le=20, description="How many redirects of a peer's discovery are followed.")
    discovery_cache_seconds: Seconds = Field(3600, description="How long a peer's document and keys are kept.")
    keep_seconds: Seconds = Field(
        30 * 86400,
        description="How long what a provider said of itself is kept after it was last asked or heard. That it has "
        "signed to us, or we to it, is never forgotten.",
    )
    failure_cache_seconds: Seconds = Field(60, description="How long a peer that failed is not asked again.")


class Invites(Section):
    """Invitations, by which users of different servers get to know each other."""

    life: Seconds = Field(7 * 86400, description="How long an invitation can be accepted.")
    placeholder_email: str = Field(
        "",
        max_length=200,
        description="Told to peers, which want one, for users without an e-mail address; by default noreply@ the host "
        "of public_url.",
        examples=["noreply@example.org"],
    )
