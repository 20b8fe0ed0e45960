"""The payload of a directory as text: read tolerantly, written as the draft has it (DIR-1).

A single entry that cannot be used does not cost the others: it is left out. A server's URL is an origin: whoever puts
a path there means something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.model.address import authority_of
from gateway.model.directory import Directory, Listed
from gateway.ocm.fields import Fields
from gateway.ocm.jsontext import parse_object

SERVERS_MAX = 20_000
PAYLOAD_MAX_BYTES = 4 * 1024 * 1024
DEPTH_MAX = 16
URL_MAX_CHARS = 2048


def read(payload: bytes) -> Directory:
    """Return what the verified payload of a directory says.

    Raises:
        GatewayError: `INVALID` or `TOO_LARGE`, as `parse`, or if it is no JSON object.
    """
    return parse(parse_object(payload, max_bytes=PAYLOAD_MAX_BYTES, max_depth=DEPTH_MAX))


def parse(document: Mapping[str, object]) -> Directory:
    """Return what a directory's payload says.

    Raises:
        GatewayError: `INVALID` if it names no federation, or has no list of servers.
    """
    fields = Fields(document)
    federation = fields.text("federation", is_required=True)
    listed = fields.members.get("servers")
    if not isinstance(listed, list):
        fields.fault("servers", "has to be a list")
    elif len(listed) > SERVERS_MAX:
        fields.fault("servers", f"has more than {SERVERS_MAX} entries")
    fields.check("This directory")
    assert isinstance(listed, list)
    # A server that is listed twice is one.
    servers = {server.host: server for server in map(_server, listed) if server}
    return Directory(federation=federation, servers=tuple(servers.values()))


def render(directory: Directory) -> dict[str, object]:
    """Return the payload of a directory."""
    servers = [{"url": server.url, "displayName": server.display_name} for server in directory.servers]
    return {"federation": directory.federation, "servers": servers}


def listed(url: str, display_name: str) -> Listed:
    """Return the entry of one server.

    Raises:
        GatewayError: `INVALID` if the URL is not an origin.
    """
    host = authority_of(url)
    return Listed(host=host, url=f"{urlsplit(url).scheme}://{host}", display_name=display_name or host)


def _server(entry: object) -> Listed | None:
    fields = Fields(entry if isinstance(entry, dict) else {})
    name = fields.text("displayName")
    server = fields.read("url", lambda url: listed(url, name), max_chars=URL_MAX_CHARS)
    return None if fields.faults else server
