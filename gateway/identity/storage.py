"""The log-in is tried against the storage itself: who can open it there, is the user there (DESIGN 7).

The pass word that was proven stays with the session, sealed, so that browsing runs as the user and the storage's own
rules go on holding for her. A storage that lets anybody in proves nobody: before the first log-in is believed, a name
and pass word made up on the spot are tried at the same place. Where each user has a folder of her own, that is done
once for each of them, for a folder may be open to all while the others are not.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.backends.base import Backend
from gateway.errors import CREDENTIAL_REFUSED, STORAGE_MISSING, GatewayError, Kind
from gateway.log import get_logger
from gateway.model.address import LOCAL_IDENTIFIER
from gateway.model.resource import ResourcePath
from gateway.model.secret import Secret
from gateway.model.user import KnownUser, LocalUser

log = get_logger(__name__)

# What a storage answers to a user whom it does not let in: the log-in itself, or the folder, is refused.
_REFUSED = (Kind.FORBIDDEN, Kind.NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The storage at which a user's log-in is tried.

    Attributes:
        name: the storage's name.
        as_user: the storage as this user sees it.
        home_of: the user's own folder as the service account sees it, where each user has one; else None.
    """

    name: str
    as_user: Callable[[LocalUser], Backend]
    home_of: Callable[[str], Backend] | None = None


class StorageLogIn:
    """Proves users by opening the storage's root as them.

    Args:
        place_of: where the log-in of this user is tried; None if her storage has no log-in.
    """

    def __init__(self, place_of: Callable[[str], Place | None]) -> None:
        self._place_of = place_of
        # Places at which strangers were refused: a storage, or one user's folder in it.
        self._closed: set[tuple[str, str]] = set()

    async def check(self, login: str, password: Secret) -> LocalUser | None:
        """Return the user if the storage lets her in; a refusal is None, an outage is an error.

        Raises:
            GatewayError: `FORBIDDEN` if the storage lets strangers in too, `UNAVAILABLE` if it does not answer.
        """
        # A colon would end the user name in Basic (RFC 7617, 2), and so try another name.
        place = self._place_of(login) if LOCAL_IDENTIFIER.fullmatch(login) else None
        if place is None:
            return None
        user = _user(place, identifier=login, login=login, password=password)
        if not await _opens(place, user):
            return None
        await self._refuse_if_anybody_gets_in(place, login)
        return user

    async def find(self, claimed_identifier: str) -> Sequence[KnownUser]:
        """Return the user who has a folder of exactly that name, where each user has one."""
        place = self._place_of(claimed_identifier) if LOCAL_IDENTIFIER.fullmatch(claimed_identifier) else None
        if place is None or place.home_of is None:
            return ()
        try:
            entry = await place.home_of(claimed_identifier).stat(ResourcePath())
        except GatewayError as error:
            if _is_not_there(error):
                return ()
            raise
        if not entry.is_folder:
            return ()
        return (KnownUser(identifier=claimed_identifier, display_name=claimed_identifier),)

    async def _refuse_if_anybody_gets_in(self, place: Place, identifier: str) -> None:
        tried = (place.name, identifier if place.home_of is not None else "")
        if tried in self._closed:
            return
        name, password = secrets.token_hex(16), Secret(secrets.token_hex(16))
        if await _opens(place, _user(place, identifier=identifier, login=name, password=password)):
            log.error("the storage lets anybody in and cannot prove who a user is; use identity provider 'file'")
            raise GatewayError(Kind.FORBIDDEN, "Log-in is switched off here: the storage does not check passwords.")
        self._closed.add(tried)


def _user(place: Place, *, identifier: str, login: str, password: Secret) -> LocalUser:
    return LocalUser(
        identifier=identifier, display_name=identifier, login=login, password=password, proven_at=place.name
    )


async def _opens(place: Place, user: LocalUser) -> bool:
    try:
        await place.as_user(user).stat(ResourcePath())
    except GatewayError as error:
        if error.code == CREDENTIAL_REFUSED or _is_not_there(error):
            return False
        raise
    return True


def _is_not_there(error: GatewayError) -> bool:
    return (error.kind in _REFUSED and error.code != CREDENTIAL_REFUSED) or error.code == STORAGE_MISSING
