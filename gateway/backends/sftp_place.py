"""How something on an SFTP server gets the name of something else, with as few moments in between as the server allows.

Where nothing may have the name yet, a hard link tells; else the rename of version 3, which is to fail on a name that
is taken. Where something is to be replaced, `posix-rename` does it in one step; where the server has it not
(`NotOffered`), or a folder is involved, the old is moved aside first, and back if the next step fails. What lies aside
is never swept: after a crash at the wrong moment it is the only copy.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from gateway.backends.localfs import ASIDE_PREFIX
from gateway.backends.sftp_channel import Channel
from gateway.backends.sftp_errors import Dropped, NotOffered
from gateway.backends.sftp_tree import Spot, exact, joined
from gateway.errors import GatewayError, Kind


async def put_in_nothing(channel: Channel, temporary: bytes, new: bytes) -> bool:
    """Give a temporary the name `new` if nothing has it, in one step where the server can; tell whether nothing had."""
    try:
        await channel.ask(channel.sftp.link(temporary, new))
    except GatewayError as error:
        if isinstance(error, Dropped) or error.kind is Kind.NOT_FOUND:
            raise
        # No hard links here, or a name that is taken.
        if await channel.lstat(new) is not None:
            return False
        return await rename_to_nothing(channel, temporary, new)
    with suppress(GatewayError):
        await channel.ask(channel.sftp.remove(temporary))
    return True


async def rename_to_nothing(channel: Channel, old: bytes, new: bytes) -> bool:
    """Rename, which version 3 does only if nothing has the new name; tell whether it did."""
    try:
        await channel.ask(channel.sftp.rename(old, new))
    except GatewayError:
        if await channel.lstat(new) is not None:
            return False
        raise
    return True


async def replace(channel: Channel, old: bytes, spot: Spot) -> None:
    """Give a file the name of another, in one step where the server can."""
    with suppress(NotOffered):
        await channel.ask(channel.sftp.posix_rename(old, spot.path))
        return
    if (await exact(channel, spot.folder, spot.name)).found is None:
        await channel.ask(channel.sftp.rename(old, spot.path))
        return
    aside = await move_aside(channel, old, spot)
    with suppress(GatewayError):
        await channel.ask(channel.sftp.remove(aside))


async def move_aside(channel: Channel, old: bytes, spot: Spot) -> bytes:
    """Move what is at `spot` aside and `old` into its place, or all back; return where it now lies."""
    aside = joined(spot.folder, f"{ASIDE_PREFIX}{secrets.token_hex(12)}".encode())
    await channel.ask(channel.sftp.rename(spot.path, aside))
    try:
        await channel.ask(channel.sftp.rename(old, spot.path))
    except GatewayError:
        await channel.ask(channel.sftp.rename(aside, spot.path))
        raise
    return aside
