"""The one table from what an error means to an exit code, for scripts and supervisors."""

from __future__ import annotations

from gateway.errors import GatewayError, Kind

FAILED = 1
USAGE = 2
NOT_FOUND = 3
REFUSED = 4
TEMPORARY = 5
PARTLY = 6
TIMED_OUT = 8
CONFIGURATION = 78
INTERRUPTED = 130

EXIT = {
    Kind.INVALID: USAGE,
    Kind.UNAUTHENTICATED: REFUSED,
    Kind.FORBIDDEN: REFUSED,
    Kind.NOT_FOUND: NOT_FOUND,
    Kind.LIMITED: TEMPORARY,
    Kind.UNAVAILABLE: TEMPORARY,
    # A supervisor must not restart on this one: it cannot get better by itself.
    Kind.CONFIGURATION: CONFIGURATION,
}


def exit_code(error: GatewayError) -> int:
    """Return the exit code by which the command tells `error`."""
    return EXIT.get(error.kind, FAILED)
