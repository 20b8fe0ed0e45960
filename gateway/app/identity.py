"""Who our users are: the configured providers, in their order."""

from __future__ import annotations

from gateway.app.core import Core
from gateway.app.storage import Storages
from gateway.config import Config, Provider
from gateway.errors import GatewayError, Kind
from gateway.identity.base import Identity, LogIn
from gateway.identity.file import FileLogIn
from gateway.identity.storage import StorageLogIn
from gateway.identity.throttle import Throttle
from gateway.store.tables import KNOWN_USERS


def build(core: Core, storages: Storages) -> Identity:
    """Return the providers as one."""
    config, limits = core.config, core.config.limits
    throttle = Throttle(
        counter=core.store.counter,
        failures=limits.log_ins_per_address,
        window_seconds=limits.log_ins_window_seconds,
    )
    return Identity(
        providers=[_provider(config, provider, storages) for provider in config.identity.providers],
        known=core.store.table(KNOWN_USERS),
        throttle=throttle,
        now=core.now,
        cache_seconds=config.identity.cache_seconds,
    )


def _provider(config: Config, provider: Provider, storages: Storages) -> LogIn:
    if provider is Provider.STORAGE:
        home_of = storages.as_service if config.storage.has_user_slot else None
        return StorageLogIn(as_user=storages.as_user, home_of=home_of)
    if config.identity.users_file is None:
        raise GatewayError(Kind.CONFIGURATION, "identity.users_file is needed for the provider file.")
    return FileLogIn(config.identity.users_file)
