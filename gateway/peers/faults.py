"""What failures on the wire mean: one table from the client library's exceptions to words for the user.

Everything that may pass by itself is `UNAVAILABLE`: no share, mount or message is given up for it (DESIGN 6, 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from gateway.errors import GatewayError, Kind, unavailable
from gateway.peers.guard import AddressRefused

ADDRESS_REFUSED = "address-refused"

# The first class that fits counts.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "has no valid TLS certificate."),
    (aiohttp.ClientSSLError, "does not speak TLS as we do."),
    (TimeoutError, "did not answer in time."),
    (aiohttp.ClientConnectorDNSError, "is not known to the name service."),
    (aiohttp.ClientConnectorError, "cannot be reached."),
    (aiohttp.ServerDisconnectedError, "broke the connection off."),
    (aiohttp.ClientPayloadError, "broke the connection off."),
    (OSError, "broke the connection off."),
)


@contextmanager
def wire_errors(host: str) -> Iterator[None]:
    """Turn what the client library raises while talking to `host` into a `GatewayError`."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise translated(error, host) from error


def translated(error: Exception, host: str) -> GatewayError:
    """Return the `GatewayError` for an exception of the client library.

    The public sentence names the host and the kind of failure, never an address of ours or of our network.
    """
    if _cause(error, AddressRefused):
        public = f"{host} cannot be reached from here: its address is not public."
        return GatewayError(Kind.FORBIDDEN, public, code=ADDRESS_REFUSED, log=str(error))
    return unavailable(f"{host} {_words(error)}", log=f"{type(error).__name__}: {error}")


def _words(error: Exception) -> str:
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "did not answer as a web server does.")


def _cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind) or isinstance(getattr(error, "os_error", None), kind):
            return True
        error = error.__cause__
    return False
