"""Reaching shares over SSH: guarded dialling, a pool of connections for each door, and the senders' statements."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.abc import AbstractResolver

from gateway.app.core import Core
from gateway.app.peers import TEMPORARY_PREFIX, Far, contact_rule, guard_of
from gateway.backends.base import Backend
from gateway.backends.below import Below
from gateway.backends.sftp import SftpBackend
from gateway.backends.sftp_look import shown_key
from gateway.backends.sftp_pool import SftpPool
from gateway.backends.sftp_server import PinnedKeys, SftpAccount, SftpServer
from gateway.crypto.hostkeys import CONTENT_TYPE, STATEMENT_MAX_CHARS
from gateway.errors import GatewayError, Kind, unavailable
from gateway.flows.answer_share import AnswerShare
from gateway.flows.reach_ssh import ReachSsh
from gateway.model.access import SshAccess
from gateway.model.address import host_of_url
from gateway.model.resource import ResourcePath
from gateway.peers.faults import wire_errors
from gateway.peers.fetch import HTTP_OK, read_bounded
from gateway.peers.guard import GuardedResolver
from gateway.store.tables import RECEIVED_SHARES
from gateway.web.doors import Door
from gateway.web.hostkeydoors import HostKeyDoors
from gateway.web.pages import Pages

# Doors that connections are kept for at the same time.
DOORS_MAX = 200


def build(core: Core, far: Far) -> ReachSsh | None:
    """Return what opens shares over SSH, or None if it is not to be used."""
    if not core.config.ssh.receive:
        return None
    doors = SshDoors(core, far.names)

    async def statement(url: str) -> str:
        far.check_url(url)
        with wire_errors(host_of_url(url)):
            async with far.messages.get(url, headers={"Accept": CONTENT_TYPE}, allow_redirects=False) as answer:
                body = await read_bounded(answer, STATEMENT_MAX_CHARS) if answer.status == HTTP_OK else None
        if body is None:
            raise unavailable("The statement of SSH host keys cannot be had.")
        return body.decode("ascii", errors="replace").strip()

    return ReachSsh(
        shares=core.store.table(RECEIVED_SHARES),
        resolver=far.resolver,
        statement=statement,
        shown_key=doors.shown_key,
        backend=doors.backend,
        may_contact=contact_rule(far.rules),
        now=core.now,
    )


def host_key_doors(reach_ssh: ReachSsh | None, answer_share: AnswerShare, pages: Pages) -> tuple[Door, ...]:
    """Return the doors at which users look at host keys, if shares over SSH are used at all."""
    if reach_ssh is None:
        return ()
    return HostKeyDoors(pages=pages, answer_share=answer_share, reach_ssh=reach_ssh).doors()


class SshDoors:
    """The SSH doors that we have connections to."""

    def __init__(self, core: Core, resolver: AbstractResolver | None) -> None:
        self._seconds = core.config.peers.connect_seconds
        self._resolver = GuardedResolver(guard_of(core.config), resolver or aiohttp.ThreadedResolver())
        self._pools: dict[tuple[str, int, tuple[str, ...]], SftpPool] = {}
        self._closing: set[asyncio.Task[None]] = set()
        core.stack.push_async_callback(self._close)

    async def shown_key(self, host: str, port: int) -> str:
        """Return the key that a door shows."""
        return await shown_key(host, port, self._dial, seconds=self._seconds)

    def backend(self, access: SshAccess) -> Backend:
        """Return the storage client for a share."""
        if access.private_key is None:
            raise GatewayError(Kind.INTERNAL, "This share has no key.")
        account = SftpAccount(user=access.user, private_key=access.private_key)
        # A file cannot be a root; it is named in the folder that holds it.
        root = b"/" + "/".join(access.path.parent.parts).encode(errors="surrogateescape")
        whole = SftpBackend(self._pool(access), account, root)
        return whole if access.path.is_root else Below(whole, ResourcePath((access.path.name,)))

    def _pool(self, access: SshAccess) -> SftpPool:
        place = (access.host, access.port, access.host_keys)
        pool = self._pools.pop(place, None)
        if pool is None:
            server = SftpServer(
                host=access.host,
                port=access.port,
                host_keys=PinnedKeys(access.host_keys),
                dial=self._dial,
                temporary_prefix=TEMPORARY_PREFIX,
            )
            pool = SftpPool(server)
        # The one used last stands last; the first goes when there are too many.
        self._pools[place] = pool
        if len(self._pools) > DOORS_MAX:
            oldest = self._pools.pop(next(iter(self._pools)))
            task = asyncio.create_task(oldest.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return pool

    async def _dial(self, host: str, port: int) -> str:
        found = await self._resolver.resolve(host, port)
        return str(found[0]["host"])

    async def _close(self) -> None:
        await asyncio.gather(*(pool.close() for pool in self._pools.values()), *self._closing)
