"""What is decided about single servers, by directories and by the operator: made from configuration and store."""

from __future__ import annotations

from functools import partial

import aiohttp

from gateway.app.core import Core
from gateway.config import Config
from gateway.crypto.jws import JWS_MAX_BYTES, load_keys
from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.directory import Directories, DirectorySource
from gateway.flows.standing import StandingBoard, StandingBook
from gateway.log import get_logger
from gateway.model.grant import Grant
from gateway.model.policy import Deny, PeerRules, may_contact
from gateway.peers.fetch import Fetcher, Miss
from gateway.peers.records import PeerRecords
from gateway.store.tables import DIRECTORIES

log = get_logger(__name__)

DIRECTORY_TYPES = "application/jose+json, application/jose, application/json"


def build(
    core: Core, records: PeerRecords, board: StandingBoard, session: aiohttp.ClientSession, rules: PeerRules
) -> StandingBook:
    """Return what reads and writes the decisions; whoever is served against them is cut off at once.

    Raises:
        GatewayError: `CONFIGURATION` if the keys of a directory cannot be read.
    """
    options = core.config.peers
    return StandingBook(
        board=board,
        records=records,
        feed=core.store.feed,
        directories=Directories(
            sources=sources_of(core.config),
            copies=core.store.table(DIRECTORIES),
            fetch=partial(fetch_directory, core.config, session),
            refresh_seconds=options.directory_refresh,
            keep_seconds=options.directory_keep,
            now=core.now,
        ),
        shown=lambda: core.watch.cut(lambda grant: _is_forbidden(grant, rules)),
    )


def _is_forbidden(grant: Grant, rules: PeerRules) -> bool:
    """Tell whether the server of a grant's recipient is refused; a doubt ends nothing that has begun."""
    verdict = may_contact(grant.recipient.host, rules)
    return isinstance(verdict, Deny) and verdict.kind is Kind.FORBIDDEN


async def begin(book: StandingBook) -> None:
    """Read the decisions before anything is served; while the store is away nobody is spoken with."""
    try:
        await book.load()
    except GatewayError as error:
        if error.kind is not Kind.UNAVAILABLE:
            raise
        log.warning("what was decided about peers is not known yet", reason=str(error))


def sources_of(config: Config) -> tuple[DirectorySource, ...]:
    """Return the configured directories with their keys.

    Raises:
        GatewayError: `CONFIGURATION` if the keys of one cannot be read.
    """
    listed = config.peers.directories
    return tuple(DirectorySource(url=entry.url, keys=load_keys(entry.keys_file)) for entry in listed)


async def fetch_directory(config: Config, session: aiohttp.ClientSession, url: str) -> bytes:
    """Return the signed document at a directory's URL.

    Raises:
        GatewayError: `UNAVAILABLE` if it cannot be had, `INVALID` if its URL cannot be used.
    """
    fetcher = Fetcher(
        session=session,
        allow_http=config.peers.allow_http,
        max_bytes=JWS_MAX_BYTES,
        redirects=config.peers.redirects,
        accept=DIRECTORY_TYPES,
    )
    body = await fetcher.get_bytes(url)
    if isinstance(body, Miss):
        raise unavailable(f"The directory at {url} cannot be had: its server {body.reason}.")
    return body
