"""The options about other servers and the people there: what they must do, whom we speak with, how users meet."""

from __future__ import annotations

from pydantic import Field

from gateway.config.storagesections import Section
from gateway.config.values import FilePath, Hosts, Networks, Seconds


class Criteria(Section):
    """What peers must do; each is announced in discovery and enforced."""

    must_use_http_sig: bool = Field(default=False, description="Refuse what is not signed.")
    must_exchange_token: bool = Field(default=False, description="Open shares only to exchanged tokens.")


class Peers(Section):
    """The other servers."""

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
