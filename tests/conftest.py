"""Rules for all tests: no network but this machine's own, and nothing skipped where CI says so."""

import ipaddress
import os
import socket
import sys

import pytest
import structlog
from hypothesis import HealthCheck, settings

IS_CI = os.environ.get("CI") == "true"


# Property tests have no deadline: machines are busy. Under mutation testing one process runs a test many times, each
# time with another instance of its class, which Hypothesis would take for a mistake.
_IS_MUTATED = "MUTANT_UNDER_TEST" in os.environ
settings.register_profile(
    "gateway",
    deadline=None,
    derandomize=IS_CI or _IS_MUTATED,
    suppress_health_check=[HealthCheck.differing_executors] if _IS_MUTATED else [],
)
settings.load_profile("gateway")


class NetworkClosedError(RuntimeError):
    """A test tried to reach something outside this machine. No OSError: the gateway must not take it for a fault."""


def _is_near(host: object) -> bool:
    """Tell loopback from the rest; an empty host and None are this machine too."""
    text = host.decode() if isinstance(host, bytes) else host
    if text in (None, "", "localhost") or str(text).endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(text).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard(event: str, args: tuple) -> None:
    """Refuse connections, datagrams and name look-ups that would leave this machine."""
    if event in ("socket.connect", "socket.sendto"):
        sock, address = args
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_near(address[0]):
            raise NetworkClosedError(f"no test may connect to {address[0]}")
    elif event == "socket.getaddrinfo" and not (_is_near(args[0]) or _is_literal(args[0])):
        raise NetworkClosedError(f"no test may look up {args[0]!r}")


def _is_literal(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return True


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _log_as_nobody_set_it():
    """Forget how a test set the log: a command run within the process raises its threshold for all that follow."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Under CI a test that is skipped has failed."""
    return _never_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Under CI a module that is skipped as a whole has failed."""
    return _never_skipped((yield))


def _never_skipped(report):
    if IS_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"skipped, but CI skips nothing: {reason}"
    return report
