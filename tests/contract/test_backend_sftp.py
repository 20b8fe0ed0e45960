"""Folders of real SSH servers as a `Backend`."""

import pytest

pytest.register_assert_rewrite("contract.backend_suite")

from contract.backend_suite import BackendSuite  # noqa: E402 - its assertions are rewritten first

from support.asyncserver import async_server  # noqa: E402 - as above
from support.proftpd import proftpd  # noqa: E402 - as above
from support.sshd import sshd  # noqa: E402 - as above


@pytest.fixture(scope="module")
def openssh():
    """An OpenSSH sshd."""
    with sshd() as server:
        yield server


@pytest.fixture(scope="module")
def professional():
    """A ProFTPD with mod_sftp."""
    with proftpd() as server:
        yield server


class SideBySide(BackendSuite):
    side_by_side = 20


class TestOpenssh(SideBySide):
    @pytest.fixture
    async def backend(self, openssh):
        """An empty folder."""
        async with openssh.backend(openssh.fresh("contract")) as backend:
            yield backend


class TestAsyncssh(SideBySide):
    @pytest.fixture
    async def backend(self, tmp_path):
        """An empty folder."""
        async with async_server(tmp_path) as server, server.backend(tmp_path) as backend:
            yield backend


class TestProftpd(SideBySide):
    @pytest.fixture
    async def backend(self, professional):
        """An empty folder."""
        async with professional.backend(professional.fresh("contract")) as backend:
            yield backend


BARE = "posix-rename,hardlink,fsync,statvfs,fstatvfs,lsetstat,copy-data,limits,expand-path"


@pytest.fixture(scope="module")
def bare():
    """An OpenSSH sshd without its extensions of the protocol."""
    with sshd(subsystem=f"internal-sftp -P {BARE}") as server:
        yield server


class TestBareOpenssh(SideBySide):
    @pytest.fixture
    async def backend(self, bare):
        """An empty folder."""
        async with bare.backend(bare.fresh("contract")) as backend:
            yield backend
