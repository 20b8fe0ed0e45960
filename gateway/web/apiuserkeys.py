"""SSH keys in the REST interface: add, list and remove them; thin readers of `identity.userkeys`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.identity.userkeys import UserKeys, fingerprint_of
from gateway.model.userkey import UserKey
from gateway.web.apiparts import ApiParts
from gateway.web.doors import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKeyApi:
    """Handlers of `/api/v1/ssh-keys`."""

    parts: ApiParts
    user_keys: UserKeys

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "ssh-keys", "the user's SSH keys", self.list_all),
            door("POST", "ssh-keys", "add an SSH key", self.add),
            door("DELETE", "ssh-keys/{key}", "remove an SSH key", self.remove),
        )

    async def list_all(self, request: web.Request) -> web.Response:
        """List the user's keys, newest first."""
        user = await self.parts.user(request)
        found = await self.user_keys.list(user.identifier)
        return web.json_response({"ssh_keys": [key_document(one) for one in found]})

    async def add(self, request: web.Request) -> web.Response:
        """Register a public key."""
        user = await self.parts.user(request)
        document = await self.parts.document(request, "A key is described as application/json.")
        name, key = document.get("name"), document.get("key")
        if not isinstance(name, str) or not isinstance(key, str):
            fault = Fault("key", "A public key as a line of OpenSSH, and a name for it.")
            raise GatewayError(Kind.INVALID, "This describes no key.", faults=(fault,))
        return web.json_response(key_document(await self.user_keys.add(user, name, key)), status=201)

    async def remove(self, request: web.Request) -> web.Response:
        """End a key."""
        user = await self.parts.user(request)
        await self.user_keys.remove(user.identifier, request.match_info["key"])
        return web.Response(status=204)


def key_document(record: UserKey) -> Mapping[str, object]:
    """Return what a user may know of one of her keys."""
    return {
        "id": record.key_id,
        "name": record.name,
        "type": record.key.partition(" ")[0],
        "fingerprint": fingerprint_of(record.key),
        "created_at": record.created_at,
        "used_at": record.used_at,
    }
