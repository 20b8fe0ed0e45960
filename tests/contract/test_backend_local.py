"""A local folder as a `Backend`, plain and as a share."""

import time

import pytest

pytest.register_assert_rewrite("contract.backend_suite")

from contract.backend_suite import BackendSuite  # noqa: E402 - its assertions are rewritten first

from gateway.backends import localsys  # noqa: E402 - as above
from gateway.backends.local import LocalBackend  # noqa: E402 - as above
from gateway.backends.locked import Locked  # noqa: E402 - as above
from gateway.backends.lockrules import LockRules  # noqa: E402 - as above
from gateway.backends.scoped import Scoped  # noqa: E402 - as above
from gateway.model.address import Host, OcmAddress  # noqa: E402 - as above
from gateway.model.grant import Grant  # noqa: E402 - as above
from gateway.model.resource import EntryKind, ResourcePath  # noqa: E402 - as above
from gateway.model.share import Permission  # noqa: E402 - as above
from support.memlocks import MemoryLockTable  # noqa: E402 - as above


class TestLocal(BackendSuite):
    @pytest.fixture
    def backend(self, tmp_path):
        """An empty folder."""
        return LocalBackend(tmp_path)


class TestLocalOnOldSystems(BackendSuite):
    @pytest.fixture
    def backend(self, tmp_path, monkeypatch):
        """An empty folder, where the kernel knows neither `openat2` nor `renameat2`."""

        def refuse(*_args):
            raise localsys.NotSupported

        monkeypatch.setattr(localsys, "has_openat2", lambda: False)
        monkeypatch.setattr(localsys, "_renameat2", refuse)
        return LocalBackend(tmp_path, is_durable=False)


class TestShareOfLocal(BackendSuite):
    @pytest.fixture
    def backend(self, tmp_path):
        """An empty shared folder, as its recipient reaches it: narrowed, and with locks."""
        (tmp_path / "above/share").mkdir(parents=True)
        grant = Grant(
            grant_id="g1",
            owner="alice",
            recipient=OcmAddress("bob", Host("peer.example")),
            storage="home",
            root=ResourcePath(("above", "share")),
            kind=EntryKind.FOLDER,
            permissions=frozenset({Permission.WRITE}),
        )

        async def stands():
            pass

        locks = MemoryLockTable(time.time)
        rules = LockRules(locks=locks, space="alice", holder=grant.grant_id, now=time.time)
        return Scoped(Locked(LocalBackend(tmp_path, is_durable=False), rules), grant, stands)
