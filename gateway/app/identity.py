"""Who our users are: the configured providers, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from gateway.app.core import Core
from gateway.app.openstorage import Opened
from gateway.config import Config, Provider
from gateway.errors import GatewayError, Kind
from gateway.identity.base import Identity, LogIn
from gateway.identity.file import FileLogIn
from gateway.identity.storage import Place, StorageLogIn
from gateway.identity.throttle import Throttle
from gateway.model.placement import storage_of
from gateway.store.tables import KNOWN_USERS


def build(core: Core, storages: Mapping[str, Opened]) -> Identity:
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


def _provider(config: Config, provider: Provider, storages: Mapping[str, Opened]) -> LogIn:
    if provider is Provider.STORAGE:
        return StorageLogIn(partial(_place_of, config, storages))
    if config.identity.users_file is None:
        raise GatewayError(Kind.CONFIGURATION, "identity.users_file is needed for the provider file.")
    return FileLogIn(config.identity.users_file)


def _place_of(config: Config, storages: Mapping[str, Opened], login: str) -> Place | None:
    # The storage tells no groups: rules go by the name alone.
    name = storage_of(config.placement, login, ())
    options, storage = config.all_storages[name], storages[name]
    if options.is_local:
        return None
    home_of = storage.as_service if options.has_user_slot else None
    return Place(name=name, as_user=storage.as_user, home_of=home_of)
