"""The rules about storages: what one may be by itself, and that each user has exactly one.

A fault is told under the dotted name of the option to change, `storage.url` or `storages.old.url`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from gateway.config.identitysection import Provider
from gateway.config.sections import Config
from gateway.config.storagesections import Putting, Relaying, Storage, View
from gateway.config.values import USER_SLOT
from gateway.errors import Fault


def check_storages(config: Config) -> Iterator[Fault]:
    """Yield what is wrong with storages and the rules that give users to them."""
    if config.storage is not None and config.storages:
        yield Fault("storages", "there is `storage` as well: write that one below storages too, under a name")
        return
    if not config.all_storages:
        yield Fault("storage.url", "required: where the storage is")
        return
    for name, storage in config.all_storages.items():
        path = "storage" if config.storage is not None else f"storages.{name}"
        yield from _view(path, storage, config.identity.providers)
        yield from _accounts(path, storage)
        yield from _sftp(path, storage)
        yield from _putting(path, storage)
    yield from _same_place(config.storages)
    yield from _placement(config)


def _view(path: str, storage: Storage, providers: tuple[Provider, ...]) -> Iterator[Fault]:
    if storage.local_view is View.TEMPLATE and not storage.has_user_slot:
        yield Fault(f"{path}.view", f"template needs {{user}} as a part of {path}.url")
    if storage.local_view is View.SERVICE and Provider.STORAGE in providers and not storage.has_user_slot:
        yield Fault(
            f"{path}.view",
            "users who log in at the storage would see one shared root with the rights of the service account: "
            f"use view user, or put {{user}} into {path}.url",
        )
    if storage.local_view is View.USER and storage.is_local:
        yield Fault(
            f"{path}.view", f"put {{user}} into {path}.url, or say view service if all users may see this folder"
        )
    elif storage.local_view is View.USER and Provider.FILE in providers and not storage.stored_accounts:
        yield Fault(
            f"{path}.view",
            f"the storage does not know users of the provider file: put {{user}} into {path}.url, let users store "
            f"their accounts there ({path}.stored_accounts), or say view service if all may see everything",
        )


def _accounts(path: str, storage: Storage) -> Iterator[Fault]:
    if storage.bearer.sources > 1:
        yield Fault(f"{path}.bearer", "name one source of the token: token_file, command or env")
    if storage.bearer.sources and storage.credentials is not None:
        yield Fault(f"{path}.credentials", f"{path}.bearer is the service account already")
    if storage.is_local and (storage.credentials is not None or storage.bearer.sources):
        yield Fault(f"{path}.credentials", "a local folder has no log-in: the gateway's own rights count there")
    for host in sorted(set(storage.redirect_auth_hosts) - set(storage.redirect_hosts)):
        yield Fault(f"{path}.redirect_auth_hosts", f"{host} is not among {path}.redirect_hosts")
    if storage.is_local and storage.stored_accounts:
        yield Fault(f"{path}.stored_accounts", "a local folder has no accounts")


def _putting(path: str, storage: Storage) -> Iterator[Fault]:
    if storage.put is not Putting.RENAME:
        return
    if storage.is_local or storage.is_sftp:
        yield Fault(f"{path}.put", "only a WebDAV storage needs it: all others replace files as a whole")
    elif storage.relay is Relaying.ALWAYS:
        yield Fault(f"{path}.put", f"what is relayed is written in place: leave out {path}.relay")


def _sftp(path: str, storage: Storage) -> Iterator[Fault]:
    """Check what only SFTP has, and what it needs: strict host keys, and an account for each who uses it."""
    if storage.is_sftp:
        yield from _host_keys(path, storage)
        yield from _ssh_account(path, storage)
        return
    for name in ("private_key_file", "known_hosts_file"):
        if getattr(storage, name) is not None:
            yield Fault(f"{path}.{name}", "only sftp:// uses it")


def _host_keys(path: str, storage: Storage) -> Iterator[Fault]:
    parts = urlsplit(storage.url)
    if storage.known_hosts_file is None:
        host = f"-p {parts.port} {parts.hostname}" if parts.port else parts.hostname
        yield Fault(
            f"{path}.known_hosts_file",
            f"required with sftp://: make it with `ssh-keyscan {host}`, then compare `ssh-keygen -lf` of the file with "
            "the fingerprint that the server's operator tells you",
        )


def _ssh_account(path: str, storage: Storage) -> Iterator[Fault]:
    is_named = urlsplit(storage.url).username is not None
    if storage.bearer.sources:
        yield Fault(f"{path}.bearer", "an SSH server takes no bearer token")
    if storage.private_key_file is not None and storage.credentials is not None:
        yield Fault(f"{path}.private_key_file", f"{path}.credentials is the service account already")
    if is_named != (storage.private_key_file is not None):
        yield Fault(f"{path}.url", "sftp://user@… and private_key_file go together; a pass word is in credentials")
    if not storage.has_service and not storage.stored_accounts:
        yield Fault(
            f"{path}.credentials",
            "an SSH server always asks for a log-in: name a service account (credentials or private_key_file), "
            f"or let users store theirs ({path}.stored_accounts)",
        )
    if storage.is_home and storage.has_service:
        yield Fault(f"{path}.url", "/~ is the home of whoever logs in: with a service account name the folder itself")


def _same_place(storages: dict[str, Storage]) -> Iterator[Fault]:
    """Refuse two names for one place: their locks and write marks would not meet."""
    for (one, first), (other, second) in combinations(storages.items(), 2):
        if _lie_within_each_other(_place(first.url), _place(second.url)):
            yield Fault(f"storages.{other}.url", f"this is the storage {one} again, or a part of it: keep one of them")


def _place(url: str) -> tuple[str, list[str]]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}", [
        step for step in normpath(unquote(parts.path)).split("/") if step
    ]


def _lie_within_each_other(one: tuple[str, list[str]], other: tuple[str, list[str]]) -> bool:
    """Tell whether the shorter path is the begin of the longer; `{user}` may become any name."""
    steps = zip(one[1], other[1], strict=False)
    return one[0] == other[0] and all(a == b or USER_SLOT in (a, b) for a, b in steps)


def _placement(config: Config) -> Iterator[Fault]:
    rules, names = config.placement, config.all_storages
    if not config.storage_rules:
        if len(names) > 1:
            yield Fault("storage_rules", "with several storages, rules have to say whose files are where")
        return
    for number, rule in enumerate(rules):
        if rule.storage not in names:
            yield Fault(f"storage_rules.{number}.storage", f"no storage has this name; there are {', '.join(names)}")
        if rule.groups and Provider.FILE not in config.identity.providers:
            yield Fault(f"storage_rules.{number}.groups", "no provider tells groups: only `file` does, in users_file")
        if rule.is_for_all and number < len(rules) - 1:
            yield Fault(f"storage_rules.{number}", "this rule is for everybody, so those after it never count")
    if not rules[-1].is_for_all:
        yield Fault("storage_rules", "the last rule has to be for all others: {storage: …} without users and groups")
