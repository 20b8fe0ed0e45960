"""The table of doors (DESIGN 5): every path that is ours, and the lock on it.

A `Door` cannot be made without a lock, and `mount` is the only way to a route of the public application, besides the
one for all that is not ours. What the locks mean is in `Lock`; who opens them is in `usergate`, `peergate`, `granted`,
`mirror`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from aiohttp import web

from gateway.errors import GatewayError, Kind

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Lock(StrEnum):
    """Who may pass a door."""

    OPEN = "open"
    PEER = "peer"
    GRANT = "grant"
    USER = "user"
    ADMIN = "admin"
    KEYS = "keys"  # whoever holds this gateway's own key file


class Style(StrEnum):
    """In whose words a door tells errors."""

    OCM = "ocm"
    OAUTH = "oauth"
    DAV = "dav"
    PROBLEM = "problem"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One route.

    Attributes:
        name: short name for metrics and logs.
        method: an HTTP method, or `*` for all.
        path: an aiohttp path pattern.
        about: what it is for, in one line for the page of doors.
    """

    name: str
    method: str
    path: str
    lock: Lock
    style: Style
    about: str
    handler: Handler
    expect_handler: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None

    def is_written(self, raw_target: str) -> bool:
        """Tell whether a target spells this door's fixed part letter by letter, as `web.places` wants it.

        The router below also finds a door by another spelling; who keeps a list of paths before us may not.
        """
        fixed, slot, _ = self.path.partition("{")
        path = raw_target.partition("?")[0]
        return path.startswith(fixed) if slot else path == fixed


DOORS: web.AppKey[tuple[Door, ...]] = web.AppKey("doors")
"""The whole table, for who prints it."""

_DOOR = "ocm_door"


def mount(app: web.Application, doors: Iterable[Door]) -> None:
    """Mount doors on an application; another method on a path of theirs is 405, told in the door's own words."""
    app[DOORS] = tuple(doors)
    by_path: dict[str, list[Door]] = {}
    for door in app[DOORS]:
        by_path.setdefault(door.path, []).append(door)
    for path, here in by_path.items():
        methods = {method for door in here for method in _methods(door)}
        for door in here:
            for method in _methods(door):
                app.router.add_route(method, path, _handler(door), expect_handler=door.expect_handler)
        if "*" not in methods:
            app.router.add_route("*", path, _handler(_other_method(here[0], methods)))


def door_of(request: web.Request) -> Door | None:
    """Return the door that a request came to, or None if it is no path of ours."""
    door = getattr(request.match_info.handler, _DOOR, None)
    return door if isinstance(door, Door) else None


def _methods(door: Door) -> tuple[str, ...]:
    return ("GET", "HEAD") if door.method == "GET" else (door.method,)


def _handler(door: Door) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await door.handler(request)

    # The only thing that aiohttp keeps beside a route is its handler.
    setattr(handle, _DOOR, door)
    return handle


def _other_method(door: Door, methods: set[str]) -> Door:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        raise NotAllowed(sorted(methods))

    return replace(door, method="*", handler=refuse)


class NotAllowed(GatewayError):  # noqa: N818 - it is an answer of the protocol
    """A path of ours was asked with a method that it does not have."""

    def __init__(self, methods: list[str]) -> None:
        super().__init__(Kind.NOT_ALLOWED, f"Only {', '.join(methods)} is served here.")
        self.methods = methods
