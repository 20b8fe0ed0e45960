"""What the doors of the REST interface share: their place and lock, the user, and the JSON they are sent."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.errors import Fault, GatewayError, Kind
from gateway.model.user import LocalUser
from gateway.ocm.jsontext import parse_object
from gateway.web.aio import admit_later, body_of
from gateway.web.doors import Door, Handler, Lock, Style
from gateway.web.head import read_body
from gateway.web.status import unsupported_body
from gateway.web.usergate import UserGate

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """The ground of a group of REST doors.

    Attributes:
        prefix: the path below which everything is ours.
        max_bytes, json_depth: limits of a JSON body.
    """

    gate: UserGate
    prefix: str
    max_bytes: int
    json_depth: int

    def door(self, method: str, path: str, about: str, handler: Handler, *, lock: Lock = Lock.USER) -> Door:
        """Return the row of a door below `/api/v1`."""
        return Door(
            name="api",
            method=method,
            path=f"{self.prefix}/api/v1/{path}",
            lock=lock,
            style=Style.PROBLEM,
            about=about,
            handler=handler,
            # Nobody sends a body into a refusal.
            expect_handler=admit_later,
        )

    async def user(self, request: web.Request) -> LocalUser:
        """Return who asks.

        Raises:
            GatewayError: `UNAUTHENTICATED`, and as `UserGate.basic`.
        """
        return await self.gate.basic(request)

    async def admin(self, request: web.Request) -> LocalUser:
        """Return which administrator asks. Raises as `user`, and `FORBIDDEN` for everybody else."""
        user = await self.user(request)
        self.gate.check_admin(user)
        return user

    async def document(
        self, request: web.Request, refusal: str = "The body has to be application/json."
    ) -> dict[str, object]:
        """Return the JSON object in the body.

        Args:
            refusal: what is said of a body of another type.

        Raises:
            GatewayError: `INVALID` or `TOO_LARGE`.
        """
        if request.content_type != "application/json":
            raise unsupported_body(refusal)
        body = await read_body(body_of(request), max_bytes=self.max_bytes)
        return parse_object(body, max_bytes=self.max_bytes, max_depth=self.json_depth)


def text_of(document: dict[str, object], name: str, about: str, default: str | None = None) -> str:
    """Return a text member of a document; one without a default has to be there.

    Raises:
        GatewayError: `INVALID`, with what the member is `about`.
    """
    value = document.get(name, default)
    if isinstance(value, str) and (value or default is not None):
        return value
    raise GatewayError(Kind.INVALID, f"{name}: {about}", faults=(Fault(name, about),))
