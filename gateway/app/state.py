"""Keys and store, which belong together: the store carries the mark of the instance whose keys can read it.

With the embedded store both are made on the first start. The mark is written only then: a store that comes back
without it was lost or exchanged, and everything that depends on it answers 503 until the operator has looked
(DESIGN 6). With an external store the operator makes both, by `keys init` and `store init`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from gateway.config import Config
from gateway.crypto.keybox import KeyBox
from gateway.crypto.keys import KeyRing, load_key_file, save_key_file
from gateway.crypto.secrets import fingerprint
from gateway.errors import GatewayError, Kind
from gateway.log import get_logger
from gateway.store.embedded import EmbeddedStore, running_url
from gateway.store.redis import RedisStore, connect

log = get_logger(__name__)


async def open_state(config: Config, stack: AsyncExitStack, now: Callable[[], float]) -> tuple[KeyBox, RedisStore]:
    """Return the keys and the store, both open until `stack` closes.

    Raises:
        GatewayError: `CONFIGURATION` if there are no keys and none may be made, or if the store cannot be used.
    """
    if not config.store.is_embedded:
        keys = _existing_keys(config)
        store = await stack.enter_async_context(open_external(config, keys))
        await _check_external(store)
        return keys, store
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = await stack.enter_async_context(EmbeddedStore(config.data_dir / "store"))
    if config.keys_file.exists():
        keys = KeyBox(_completed(config, now))
        return keys, await stack.enter_async_context(_connected(config, server.url, keys))
    return await _first_start(config, stack, server.url, now)


async def mark_store(config: Config) -> None:
    """Write this instance's mark into the store: a new external one, or an embedded one whose data are lost.

    Raises:
        GatewayError: `CONFIGURATION` if there are no keys, the store is another gateway's or (embedded) in use by a
            running gateway, `UNAVAILABLE` if it is away.
    """
    keys = _existing_keys(config)
    async with AsyncExitStack() as stack:
        if config.store.is_embedded:
            url = (await stack.enter_async_context(EmbeddedStore(config.data_dir / "store"))).url
        else:
            url = _external_url(config)
        store = await stack.enter_async_context(_connected(config, url, keys))
        await store.health.check_server()
        await store.health.write_marker()


def open_external(config: Config, keys: KeyBox) -> RedisStore:
    """Return the external store, to be entered; nothing about it is checked yet.

    Raises:
        GatewayError: `CONFIGURATION` if the keys are another gateway's.
    """
    return _connected(config, _external_url(config), keys)


async def open_beside(config: Config, stack: AsyncExitStack) -> RedisStore:
    """Return the store for a command of the operator: of the running gateway, or alone if none runs here.

    Raises:
        GatewayError: as `open_state`; `UNAVAILABLE` if it is away or has no mark.
    """
    keys = _existing_keys(config)
    if not config.store.is_embedded:
        url = _external_url(config)
    else:
        folder = config.data_dir / "store"
        running = await running_url(folder)
        url = running or (await stack.enter_async_context(EmbeddedStore(folder))).url
    store = await stack.enter_async_context(_connected(config, url, keys))
    await store.health.check_marker()
    return store


async def _first_start(
    config: Config, stack: AsyncExitStack, url: str, now: Callable[[], float]
) -> tuple[KeyBox, RedisStore]:
    # Keys first under another name, then the mark, then the name: killed in between, the next start goes on here.
    draft = config.keys_file.with_name(f"{config.keys_file.name}.new")
    if not draft.exists():
        draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        save_key_file(draft, KeyRing.generate(config.public_url, now()))
    store = await stack.enter_async_context(_connected(config, url, KeyBox(draft)))
    await store.health.write_marker()
    draft.rename(config.keys_file)
    log.info("keys made", path=str(config.keys_file))
    keys = KeyBox(config.keys_file)
    return keys, await stack.enter_async_context(_connected(config, url, keys))


def _existing_keys(config: Config) -> KeyBox:
    if not config.keys_file.exists():
        raise GatewayError(
            Kind.CONFIGURATION,
            f"There is no key file at {config.keys_file}. Make one with `ocm-gateway keys init`, mark the store with "
            "`ocm-gateway store init`, and give the same file to every replica.",
        )
    keys = KeyBox(config.keys_file)
    if not keys.ring.is_complete:
        raise GatewayError(
            Kind.CONFIGURATION,
            f"{config.keys_file} was made by an older gateway and lacks a key that this one needs. Add it with "
            "`ocm-gateway keys init`, and give the same file to every replica.",
        )
    return keys


def _completed(config: Config, now: Callable[[], float]) -> Path:
    """Add to our own key file the kinds of keys that are younger than it; return its path."""
    ring = load_key_file(config.keys_file)
    if not ring.is_complete:
        save_key_file(config.keys_file, ring.completed(now()))
        log.info("keys added", path=str(config.keys_file))
    return config.keys_file


async def _check_external(store: RedisStore) -> None:
    try:
        await store.health.check_server()
        await store.health.check_marker()
    except GatewayError as error:
        if error.kind is not Kind.UNAVAILABLE:
            raise
        log.warning("the store is away or has no mark (see `ocm-gateway store init`)", reason=str(error))


def _connected(config: Config, url: str, keys: KeyBox) -> RedisStore:
    ring = keys.ring
    if ring.public_url != config.public_url:
        raise GatewayError(
            Kind.CONFIGURATION, f"The keys are for {ring.public_url}, the configuration says {config.public_url}."
        )
    return connect(
        url,
        prefix=config.store.prefix,
        sealer=keys,
        fingerprint=partial(fingerprint, ring.pepper),
        instance_id=ring.instance_id,
        ca_file=config.store.ca_file,
    )


def _external_url(config: Config) -> str:
    password = config.store.password
    if password is None:
        return config.store.url
    parts = urlsplit(config.store.url)
    login = f"{quote(config.store.username or '', safe='')}:{quote(password.reveal(), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
