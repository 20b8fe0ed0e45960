"""A local folder as a `Backend`."""

import pytest

pytest.register_assert_rewrite("contract.backend_suite")

from contract.backend_suite import BackendSuite  # noqa: E402 - its assertions are rewritten first

from gateway.backends import localsys  # noqa: E402 - as above
from gateway.backends.local import LocalBackend  # noqa: E402 - as above


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
