"""The options of the SSH door."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.config.storagesections import Section
from gateway.config.values import Count, Port, Seconds, Size

_HOST_AND_PORT = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$"
_SSH_PORT = 22


class Ssh(Section):
    """The SSH door (SFTP, SCP), through which peers reach what was shared with them, with their own keys."""

    receive: bool = Field(
        default=False, description="Whether shares that peers offer over SSH are used (`ssh-receive`); needs no door."
    )
    enabled: bool = Field(default=False, description="Whether there is one; then shares are offered over SSH too.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 or :: where peers come in directly.")
    port: Port = Field(2222, description="Port to listen on.")
    public_address: Annotated[str, Field(pattern=_HOST_AND_PORT)] | None = Field(
        None,
        description="`host:port` under which peers reach it; by default the host of public_url and the port above.",
        examples=["sftp.example.org:22"],
    )
    log_in_seconds: Seconds = Field(30, description="How long a client may take to log in.")
    idle_seconds: Seconds = Field(900, description="A connection without traffic ends after this long.")
    connections: Count = Field(500, description="Connections at the same time.")
    connections_per_address: Count = Field(20, description="Connections of one address (IPv6: /64) at the same time.")
    connections_per_share: Count = Field(20, description="Connections to one share at the same time.")
    handles: Count = Field(256, description="Open files and folders of one connection.")
    keys_per_share: Count = Field(20, description="Public keys that a recipient's server may name for one share.")
    spool_bytes: Size = Field(
        4 * 2**30, description="Largest file that is put together on disk, where the storage takes only whole files."
    )

    def address(self, authority: str) -> str:
        """Return the `host:port` under which peers of a gateway with this authority reach the door."""
        if self.public_address is None:
            host, colon, port = authority.rpartition(":")
            return f"{host if colon and port.isdigit() else authority}:{self.port}"
        has_port = self.public_address.rpartition(":")[2].isdigit()
        return self.public_address if has_port else f"{self.public_address}:{_SSH_PORT}"
