"""Folders of real SSH servers as a `Backend`."""

import pytest

pytest.register_assert_rewrite("contract.backend_suite")

from contract.backend_suite import BackendSuite  # noqa: E402 - its assertions are rewritten first

from support.sshd import sshd  # noqa: E402 - as above


@pytest.fixture(scope="module")
def openssh():
    """An OpenSSH sshd."""
    with sshd() as server:
        yield server


class TestOpenssh(BackendSuite):
    @pytest.fixture
    async def backend(self, openssh):
        """An empty folder."""
        async with openssh.backend(openssh.fresh("contract")) as backend:
            yield backend
