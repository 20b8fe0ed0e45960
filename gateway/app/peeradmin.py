"""What the operator asks and decides about peers, from the command line beside the running gateway."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.app.peers import rules_of
from gateway.app.standing import sources_of
from gateway.app.state import open_beside
from gateway.config import Config
from gateway.errors import GatewayError, Kind
from gateway.flows.directory import Directories
from gateway.flows.peer_admin import PeerAdmin
from gateway.flows.standing import StandingBoard, StandingBook
from gateway.peers.records import PeerRecords
from gateway.store.tables import DIRECTORIES, PEERS


@asynccontextmanager
async def peer_admin(config: Config) -> AsyncIterator[PeerAdmin]:
    """Open the store beside the running gateway.

    Raises:
        GatewayError: `CONFIGURATION` without keys, `UNAVAILABLE` if the store is away.
    """
    async with AsyncExitStack() as stack:
        store = await open_beside(config, stack)
        records = PeerRecords(table=store.table(PEERS), now=time.time)
        directories = Directories(
            sources=sources_of(config),
            copies=store.table(DIRECTORIES),
            fetch=_nothing,
            refresh_seconds=config.peers.directory_refresh,
            keep_seconds=config.peers.directory_keep,
            now=time.time,
        )
        board = StandingBoard()
        book = StandingBook(board=board, records=records, feed=store.feed, directories=directories)
        await book.load()
        yield PeerAdmin(
            records=records,
            standing=book,
            rules=rules_of(config, board.current),
            authority=config.authority,
            now=time.time,
        )


async def _nothing(_url: str) -> bytes:
    raise GatewayError(Kind.INTERNAL, "Commands fetch no directories.")
