"""What stands behind the gateway, looked at from this machine: keys, folders, the store and the storages.

Nothing is changed. The embedded store belongs to the running gateway, which is asked how it stands with it, at its
operations listener or else at the door of the self-test; an external one is asked itself.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack

import aiohttp

from gateway.app.doctor.finding import Result, doubt, fault, good, note
from gateway.app.doctor.ground import Ground, read_keys
from gateway.app.inspect import probe_storage
from gateway.app.openstorage import Opened, open_storages
from gateway.app.state import open_external
from gateway.config import Storage
from gateway.crypto.keys import KeyState
from gateway.errors import GatewayError, Kind
from gateway.model.resource import ResourcePath
from gateway.store.redis_health import KEEPS_ALL, ServerFacts
from gateway.web.mirror import STORE_GOOD

DAY_SECONDS = 86400
KEYS_OLD_DAYS = 120
DISK_LOW_RATIO = 0.05
OPS_SECONDS = 5.0
STORAGE_SECONDS = 20.0
_OTHERS_ALL = 0o077
_UNAVAILABLE = 503


async def check_keys(ground: Ground) -> list[Result]:
    """Read the key file as the gateway does."""
    path = ground.config.keys_file
    try:
        ring = read_keys(path).ring
    except GatewayError as error:
        return [
            fault(
                str(error.public),
                "Nothing can be signed, and nothing in the store be read.",
                "where it is lost, restore it from the backup (`ocm-gateway keys init` makes new ones); where it "
                "cannot be read, run this as the gateway's user.",
            )
        ]
    results = []
    if not ring.is_complete:
        todo = "`ocm-gateway keys init` adds what is missing."
        results.append(fault(f"{path} lacks a key that this version needs.", "The gateway does not start.", todo))
    if ring.public_url != ground.config.public_url:
        results.append(
            fault(
                f"The keys are for {ring.public_url}, the configuration says {ground.config.public_url}.",
                "The gateway does not start: peers know its keys by that name.",
                "correct `public_url`, or take the key file that belongs to it.",
            )
        )
    ages = [ground.now() - slot.since for slot in ring.signing if slot.state is KeyState.ACTIVE]
    days = max(ages, default=0.0) / DAY_SECONDS
    if days > KEYS_OLD_DAYS:
        todo = "let a timer call `ocm-gateway keys rotate` every day."
        results.append(doubt(f"The signing key is {days:.0f} days old.", "Keys should not grow that old.", todo))
    return results or [good(f"The key file is complete; its signing key is {max(0.0, days):.0f} days old.")]


async def check_folder(ground: Ground) -> list[Result]:
    """Look at the data folder: who may look into it, and whether there is room."""
    folder = ground.config.data_dir
    if not folder.exists():
        return [note(f"{folder} does not exist yet.", todo="start the gateway, or run this as the gateway's user.")]
    results = []
    if folder.stat().st_mode & _OTHERS_ALL:
        results.append(
            doubt(
                f"{folder} can be entered by others on this machine.",
                "It holds keys and what users share.",
                f"chmod 700 {folder}",
            )
        )
    usage = await asyncio.to_thread(shutil.disk_usage, folder)
    free = usage.free / usage.total
    if free < DISK_LOW_RATIO:
        results.append(
            fault(
                f"Only {free:.1%} of the disk that holds {folder} is free.",
                "A store that cannot write loses what users do.",
                "make room.",
            )
        )
    return results or [good(f"{folder} is ours alone, and {free:.0%} of its disk is free.")]


async def check_store(ground: Ground) -> list[Result]:
    """Ask the store whether it is ours and keeps what it is given."""
    if ground.config.store.is_embedded:
        return [await _running_store(ground)]
    if ground.keys is None:
        return [note("The store is not looked at: it needs the keys.")]
    results: list[Result] = []
    try:
        async with open_external(ground.config, ground.keys) as store:
            results = _judged(await store.health.facts())
            await store.health.check_marker()
    except GatewayError as error:
        return [*results, _store_away(error)]
    return results or [good("The store answers, is ours, keeps everything, and writes to disk.")]


async def check_storages(ground: Ground) -> list[Result]:
    """Try each storage as the account that grants are served with."""
    async with AsyncExitStack() as stack:
        storages = await open_storages(ground.config, stack)
        return [await _storage(ground, name, storages[name]) for name in storages]


async def _running_store(ground: Ground) -> Result:
    told = await _told_by_operations(ground) or await _told_by_door(ground)
    if told is None:
        return doubt(
            "The running gateway cannot be asked about its embedded store.",
            "Whether it keeps what it is given is not known.",
            "run this on the machine of the gateway, while that runs; see the finding `answer`.",
        )
    if told == STORE_GOOD:
        return good("The embedded store answers, is ours, and writes everything to disk.")
    return fault(
        f"The embedded store is not well: {told}",
        "Shares answer 503.",
        "look into the gateway's log; if its data are lost for good: `ocm-gateway store init`.",
    )


async def _told_by_operations(ground: Ground) -> str | None:
    """Return what the operations listener says of the store, or None if it cannot be asked."""
    ops = ground.config.ops
    if not ops.port:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(ops.host, ops.host)  # noqa: S104 - it is compared, not bound
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=OPS_SECONDS)) as session,
            session.get(f"http://{host}:{ops.port}/status") as answer,
        ):
            return str((await answer.json(content_type=None)).get("store", ""))
    except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError):
        return None


async def _told_by_door(ground: Ground) -> str | None:
    """Return what the door of the self-test says of it, by way of the public URL."""
    if ground.keys is None:
        return None
    try:
        reflection = await ground.first()
    except (GatewayError, OSError):
        return None
    if reflection.told is None:
        # The door lets nobody in while the store is away.
        is_away = reflection.seen.is_ours and reflection.seen.status == _UNAVAILABLE
        return "the gateway answers 503 to its own message." if is_away else None
    return str(reflection.told["store"]) if "store" in reflection.told else None


def _store_away(error: GatewayError) -> Result:
    if error.log and "instance" in error.log:
        return fault(
            f"The store is not the one that belongs to the keys: {error.log}.",
            "All shares answer 503, and their recipients wait.",
            "restore the store, or correct `store.url` and `store.prefix`; if the data are lost for good: "
            "`ocm-gateway store init`.",
        )
    return fault(
        str(error.public),
        "Shares, log-ins and deliveries answer 503.",
        "start the store, and see that `store.url`, `store.username` and `store.password` are right.",
    )


def _judged(facts: ServerFacts) -> list[Result]:
    results = []
    if facts.is_too_old:
        todo = "install Redis or Valkey of 7.0 or later."
        results.append(fault(f"The store is Redis {facts.version}.", "The gateway does not start.", todo))
    if facts.policy != KEEPS_ALL:
        results.append(
            fault(
                f"The store drops keys when memory is short (maxmemory-policy {facts.policy}).",
                "Shares, sessions and the memory of signatures could vanish; the gateway does not start.",
                "set `maxmemory-policy noeviction` in redis.conf, and give it memory enough.",
            )
        )
    if not facts.is_persistent:
        results.append(
            doubt(
                "The store does not write to disk as it goes (appendonly no).",
                "What was shared since its last snapshot is lost when it restarts.",
                "set `appendonly yes` in redis.conf.",
            )
        )
    if facts.is_write_failing:
        todo = "make room on its disk and look into its log."
        results.append(fault("The store cannot write its file.", "It refuses what users do.", todo))
    return results


async def _storage(ground: Ground, name: str, storage: Opened) -> Result:
    configured = ground.config.all_storages[name]
    if configured.has_user_slot and not ground.user:
        todo = "name somebody with `--user` to have her part tried."
        return note(f"Storage {name}: each user has a part of her own; none was tried.", todo=todo)
    try:
        async with asyncio.timeout(STORAGE_SECONDS):
            await storage.as_service(ground.user).stat(ResourcePath(()))
            abilities = await _abilities(ground, name) if ground.may_write and not configured.is_local else {}
    except (GatewayError, TimeoutError) as error:
        return _storage_away(name, configured, error)
    lacking = sorted(ability for ability, has in abilities.items() if not has)
    told = f" It cannot: {', '.join(lacking)}." if lacking else ""
    return good(f"Storage {name} answers the account that grants are served with.{told}")


async def _abilities(ground: Ground, name: str) -> dict[str, bool]:
    return await probe_storage(ground.config, name, ground.user)


def _storage_away(name: str, configured: Storage, error: GatewayError | TimeoutError) -> Result:
    words = error.public if isinstance(error, GatewayError) else "it did not answer in time."
    todo = "start it, and see that its `url` is right from this machine."
    if isinstance(error, GatewayError) and error.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN):
        todo = "see that the account in `credentials` or `bearer` is right and may read there."
    elif configured.is_local:
        todo = "mount the folder, and let the gateway's user read and write there."
    return fault(f"Storage {name}: {words}", "What is shared from there answers 503.", todo)
