"""The options of the service that is passed through to; the other sections are in `sections`."""

from __future__ import annotations

from pydantic import Field

from gateway.config.storagesections import Section
from gateway.config.values import Count, HttpUrl, Seconds


class Passthrough(Section):
    """A service that has been on this host name before: what is not ours goes there unchanged."""

    url: HttpUrl | None = Field(
        None, description="Where it is; without it such requests are 404.", examples=["http://127.0.0.1:8000"]
    )
    connect_seconds: Seconds = Field(10, description="How long a connection to the service may take.")
    pass_probes: bool = Field(
        default=False,
        description="Pass on /status.php, /ocs* and /index.php/apps/files_sharing too; peers then may "
        "mistake the gateway for the product that answers there.",
    )
    connections: Count = Field(1024, description="Requests to it at the same time, upgraded connections included.")
    tunnels: Count = Field(512, description="Connections to it that were upgraded, to WebSocket or else.")
    first_byte_seconds: Seconds = Field(300, description="How long it may take to begin its answer.")
    idle_seconds: Seconds = Field(120, description="How long a body may stand still.")
    tunnel_idle_seconds: Seconds = Field(3600, description="How long an upgraded connection may stand still.")
    via: bool = Field(
        default=True,
        description="Add `Via` to its requests, as RFC 9110 asks; without it a loop is not noticed. Some servers "
        "compress nothing for proxies unless told to.",
    )
