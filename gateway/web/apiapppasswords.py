"""App passwords in the REST interface: make, list and withdraw them; thin readers of `identity.apppasswords`.

These doors take the user's own log-in only: an app password makes no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.identity.apppasswords import AppPasswords
from gateway.model.apppassword import AppPassword
from gateway.web.apiparts import ApiParts
from gateway.web.doors import Door

NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPasswordApi:
    """Handlers of `/api/v1/app-passwords`."""

    parts: ApiParts
    app_passwords: AppPasswords

    def doors(self) -> tuple[Door, ...]:
        """Return the rows of the table of doors."""
        door = self.parts.door
        return (
            door("GET", "app-passwords", "the user's app passwords", self.list_all),
            door("POST", "app-passwords", "make an app password", self.create),
            door("DELETE", "app-passwords/{password}", "withdraw an app password", self.withdraw),
        )

    async def list_all(self, request: web.Request) -> web.Response:
        """List the user's app passwords, newest first, without what opens anything."""
        user = await self.parts.user(request)
        found = await self.app_passwords.list(user.identifier)
        return web.json_response({"app_passwords": [app_password_document(one) for one in found]})

    async def create(self, request: web.Request) -> web.Response:
        """Make an app password; this answer is the only place where it stands."""
        user = await self.parts.user(request)
        document = await self.parts.document(request, "An app password is asked for as application/json.")
        name = document.get("name")
        if not isinstance(name, str):
            fault = Fault("name", "The name of the program or device, as text.")
            raise GatewayError(Kind.INVALID, "This is no request for an app password.", faults=(fault,))
        record, password = await self.app_passwords.create(user, name)
        document = {**app_password_document(record), "password": password.reveal()}
        return web.json_response(document, status=201, headers=NO_STORE)

    async def withdraw(self, request: web.Request) -> web.Response:
        """End an app password."""
        user = await self.parts.user(request)
        await self.app_passwords.withdraw(user.identifier, request.match_info["password"])
        return web.Response(status=204)


def app_password_document(record: AppPassword) -> Mapping[str, object]:
    """Return what a user may know of one of her app passwords later on."""
    return {
        "id": record.password_id,
        "name": record.name,
        "created_at": record.created_at,
        "used_at": record.used_at,
        "used_from": record.used_from,
    }
