"""The rules between options: what each of them may be alone, but not together.

Each rule is a pure function that yields faults; `check` asks them all. What one option may be by itself is said
where it is declared, in `sections`.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.checkstorages import check_storages
from gateway.config.identitysection import Provider
from gateway.config.peersections import Trusting
from gateway.config.sections import Config
from gateway.errors import Fault
from gateway.model.address import LOCAL_IDENTIFIER, host_of_url


def check(config: Config) -> list[Fault]:
    """Return all contradictions between options; an empty list means that the gateway can start."""
    rules = (_public_url, _log_in, _admins, check_storages, _listeners, _store, _peers, _times, _passthrough)
    return [fault for rule in rules for fault in rule(config)]


def _public_url(config: Config) -> Iterator[Fault]:
    if config.public_url.startswith("http:") and not config.peers.allow_http:
        yield Fault("public_url", "https is needed; plain http only together with peers.allow_http, for tests")


def _log_in(config: Config) -> Iterator[Fault]:
    identity, storages = config.identity, config.all_storages
    if storages and Provider.STORAGE in identity.providers and all(storage.is_local for storage in storages.values()):
        yield Fault("identity.providers", "a local folder has no log-in to try: use the provider file")
    if Provider.FILE in identity.providers and identity.users_file is None:
        yield Fault("identity.users_file", "the provider file needs it")


def _admins(config: Config) -> Iterator[Fault]:
    identity = config.identity
    for name in identity.admins:
        if not LOCAL_IDENTIFIER.fullmatch(name):
            yield Fault("identity.admins", f"{name!r} is no user's name: it has letters, digits and _ . - only")
    if not all(identity.admin_groups):
        yield Fault("identity.admin_groups", "the name of a group is missing")
    if identity.admin_groups and Provider.FILE not in identity.providers:
        yield Fault("identity.admin_groups", "no provider tells groups: only `file` does, in users_file")


def _listeners(config: Config) -> Iterator[Fault]:
    if config.http.port and (config.http.host, config.http.port) == (config.ops.host, config.ops.port):
        yield Fault("ops.port", "the operations port is never public: it cannot be that of http")
    ssh = (config.ssh.host, config.ssh.port)
    others = ((config.http.host, config.http.port), (config.ops.host, config.ops.port))
    if config.ssh.enabled and config.ssh.port and ssh in others:
        yield Fault("ssh.port", "another listener has this address already")


def _store(config: Config) -> Iterator[Fault]:
    store = config.store
    if store.is_embedded and (store.username or store.password):
        yield Fault("store.url", "the embedded store takes no log-in: name the external one")
    if store.username and not store.password:
        yield Fault("store.password", "store.username needs it")
    if store.ca_file and not store.url.startswith("rediss:"):
        yield Fault("store.ca_file", "only rediss:// uses it")


def _peers(config: Config) -> Iterator[Fault]:
    for host in sorted(set(config.peers.allow) & set(config.peers.deny)):
        yield Fault("peers.deny", f"{host} is allowed as well")
    if config.peers.trust is Trusting.DIRECTORY and not config.peers.directories:
        yield Fault("peers.directories", "peers.trust: directory needs one at least")
    for directory in config.peers.directories:
        if directory.url.startswith("http:") and not config.peers.allow_http:
            yield Fault("peers.directories", f"{directory.url} is not https")


def _times(config: Config) -> Iterator[Fault]:
    if config.peers.connect_seconds > config.peers.total_seconds:
        yield Fault("peers.connect_seconds", "longer than peers.total_seconds")
    if config.session.idle > config.session.max:
        yield Fault("session.idle", "longer than session.max")
    if config.jobs.first_retry_seconds > config.jobs.max_retry_seconds:
        yield Fault("jobs.first_retry_seconds", "longer than jobs.max_retry_seconds")


def _passthrough(config: Config) -> Iterator[Fault]:
    if config.passthrough.url and host_of_url(config.passthrough.url) == config.authority:
        yield Fault("passthrough.url", "this is public_url: requests would go round in circles")
    if config.passthrough.tunnels >= config.passthrough.connections:
        yield Fault("passthrough.tunnels", "has to be less than passthrough.connections: plain requests need some too")
    if config.passthrough.pass_probes and not config.passthrough.url:
        yield Fault("passthrough.pass_probes", "there is no passthrough.url to pass them to")
