"""The self-test proves the certificate of the public host as a peer would."""

from contextlib import asynccontextmanager

import pytest

from gateway.app.doctor import examine
from support.certificates import Authority
from support.doctorproxy import FaultyProxy
from support.pair import folder_storage, side


@asynccontextmanager
async def behind_tls(folder, *names, is_trusted=True):
    """Run a gateway known as alice.localhost behind a proxy whose certificate is for `names`; yield both."""
    authority = Authority(folder)
    trusted = {"peers": {"ca_file": str(authority.ca_file), "allow_cidr": ["127.0.0.0/8"]}} if is_trusted else {}
    storage = folder_storage(folder / "files", "alice")
    known = {"public_url": "https://alice.localhost", **trusted}
    async with (
        side(folder, "alice", "alice", storage, **known) as gateway,
        FaultyProxy.running(gateway.gateway.port, tls=authority.server_context(*names)) as proxy,
    ):
        yield gateway, proxy


def told(report, name, state):
    """Return what a report says under a name in a state."""
    found = [one.text() for one in report.findings if (one.name, one.result.state) == (name, state)]
    assert found, report.text()
    return found[0]


async def examined(pair, **options):
    gateway, proxy = pair
    return await examine(gateway.config, via=proxy.place, user="alice", **options)


async def test_wrong_name(tmp_path):
    """A certificate for another name is told with the names that it has; nothing else is asked for."""
    async with behind_tls(tmp_path, "other.localhost") as pair:
        report = await examined(pair)
    words = told(report, "tls", "failed")
    assert "The certificate shown is for other.localhost, not for alice.localhost." in words
    assert "subjectAltName" in words
    assert "discovery" not in {one.name for one in report.findings}


async def test_authority_that_nobody_knows(tmp_path):
    """A certificate of an authority that is not trusted is told, with what to do in a closed federation."""
    async with behind_tls(tmp_path, "alice.localhost", is_trusted=False) as pair:
        assert "peers.ca_file" in told(await examined(pair), "tls", "failed")


async def test_certificate_about_to_end(tmp_path):
    """A certificate that ends within a week is a warning, and the status is 7 for those who are strict."""
    async with behind_tls(tmp_path, "alice.localhost") as pair:
        report = await examined(pair)
    assert "ends in 1.0 days" in told(report, "tls", "warning")
    assert (report.status(strict=False), report.status(strict=True)) == (0, 7)


async def test_nothing_listens(tmp_path):
    """Where nothing speaks TLS at the public address, that is told."""
    storage = folder_storage(tmp_path / "files", "alice")
    async with (
        side(tmp_path, "alice", "alice", storage, public_url="https://alice.localhost") as gateway,
        FaultyProxy.running(gateway.gateway.port) as proxy,
    ):
        assert "start the TLS proxy" in told(await examined((gateway, proxy)), "tls", "failed")


@pytest.fixture
def no_way():
    """Return a name service that knows nobody."""

    async def lookup(_name):
        raise OSError(-2, "Name or service not known")

    return lookup


async def test_unknown_name(tmp_path, no_way):
    """A public name that the name service does not know is told with the record to add."""
    async with behind_tls(tmp_path, "alice.localhost") as pair:
        assert "add an A or AAAA record" in told(await examined(pair, lookup=no_way), "name", "failed")
