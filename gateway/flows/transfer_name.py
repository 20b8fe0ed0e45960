"""The last step of a file in a transfer: what has grown under a hidden name, and is checked, gets its own.

That is a rename. Only a storage that would cut the name in a rename, and so might replace another file, gets the
content a second time, written under the whole name. What breaks off there is removed again, but a gateway that is
killed just then leaves a part of the file under its name.
"""

from __future__ import annotations

from contextlib import suppress

from gateway.backends.base import Backend
from gateway.backends.sftp_write import settled
from gateway.errors import NAME_CUT, GatewayError, Kind, unavailable
from gateway.flows.transfer_prepare import find
from gateway.model.resource import ResourcePath, Written

# With these a storage refuses before it writes anything.
_SAID_BEFORE = frozenset({Kind.PRECONDITION_FAILED, Kind.LOCKED, Kind.FORBIDDEN, Kind.CONFLICT, Kind.NOT_ALLOWED})


async def give_name(target: Backend, partial: ResourcePath, final: ResourcePath, *, overwrite: bool) -> None:
    """Turn the file at `partial` into the one at `final`.

    Raises:
        GatewayError: `PRECONDITION_FAILED` if there is one already and `overwrite` is false, or what the storage says.
    """
    try:
        outcome = await target.move(partial, final, overwrite=overwrite)
    except GatewayError as error:
        if error.code != NAME_CUT:
            raise
    else:
        if outcome.failures:
            raise outcome.failures[0][1]
        return
    await _write_again(target, partial, final, overwrite=overwrite)
    await target.delete(partial)


async def _write_again(target: Backend, partial: ResourcePath, final: ResourcePath, *, overwrite: bool) -> None:
    # Asked here too: not every storage obeys a condition, and only what was not there before may be removed below.
    was_there = await find(target, final) is not None
    if was_there and not overwrite:
        raise GatewayError(Kind.PRECONDITION_FAILED, "There is something under this name.")
    async with target.open(partial) as content:
        size = content.entry.size
        try:
            written = await target.write(final, content.chunks, size=size, if_none_match=None if overwrite else "*")
            _expect_size(written, size)
        except BaseException as error:
            if not was_there and not (isinstance(error, GatewayError) and error.kind in _SAID_BEFORE):
                await settled(_remove_part(target, final, size))
            raise


def _expect_size(written: Written, size: int | None) -> None:
    if written.entry.size not in (None, size):
        raise unavailable("The storage does not work at the moment.", log="another size than was written")


async def _remove_part(target: Backend, final: ResourcePath, size: int | None) -> None:
    with suppress(GatewayError):
        found = await find(target, final)
        # What has the whole size may be whole, and may be somebody else's by now.
        if found is not None and not found.is_folder and found.size != size:
            await target.delete(final)
