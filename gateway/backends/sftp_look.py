"""A look at the key that an SSH server shows, before anybody trusts it: no log-in, nothing is sent."""

from __future__ import annotations

import asyncio

import asyncssh

from gateway.backends.sftp_connect import KEX_ALGS, SIGNATURE_ALGS
from gateway.backends.sftp_errors import nonsense, refused
from gateway.backends.sftp_server import Dial


async def shown_key(host: str, port: int, dial: Dial, *, seconds: float) -> str:
    """Return the host key that is shown at an address, as `type base64`; it proves nothing yet.

    Raises:
        GatewayError: `UNAVAILABLE` if nobody shows one in time, or what `dial` raises.
    """
    try:
        async with asyncio.timeout(seconds):
            address = await dial(host, port)
            key = await asyncssh.get_server_host_key(
                address, port, config=None, kex_algs=KEX_ALGS, server_host_key_algs=SIGNATURE_ALGS
            )
    except (asyncssh.Error, OSError, ValueError) as error:
        raise refused(error) from error
    if key is None:
        raise nonsense("no host key was shown")
    return " ".join(key.export_public_key().decode().split()[:2])
