"""What operators ask without a running gateway: what a peer says of itself, and what the storage can do."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

from gateway.app.openstorage import open_storages, scratch
from gateway.app.peers import contact_rule, guard_of, rules_of
from gateway.backends.probe import probe
from gateway.backends.probe_any import try_out
from gateway.backends.webdav import WebdavBackend
from gateway.config import Config
from gateway.errors import GatewayError, Kind
from gateway.model.address import Host, parse_host
from gateway.model.dialect import Dialect, Payload
from gateway.model.peer import Discovery, Peer, Role
from gateway.model.policy import Deny, plan_requirements
from gateway.ocm.dialects.recognise import recognise
from gateway.peers.fetch import Fetcher
from gateway.peers.guard import guarded_session, tls_context
from gateway.peers.statements import Statements


@dataclass(frozen=True, slots=True)
class PeerReport:
    """What a peer says, and what it means for us."""

    host: Host
    discovery: Discovery
    has_keys: bool
    demands_token: bool

    @property
    def dialect(self) -> Dialect:
        """How it is spoken to."""
        return recognise(self.discovery)

    @property
    def document(self) -> dict[str, object]:
        """The parsed document as JSON."""
        found = asdict(self.discovery)
        plain = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.items()}
        return plain | {"dialect": asdict(self.dialect)}

    def text(self) -> str:
        """Return the report for people."""
        found = self.discovery
        lines = [
            f"{self.host} speaks Open Cloud Mesh {found.api_version or 'without a version'}"
            + (f" ({found.provider})" if found.provider else ""),
            f"  end point      {found.end_point}",
            f"  capabilities   {', '.join(sorted(found.capabilities)) or 'none'}",
            f"  criteria       {', '.join(sorted(found.criteria)) or 'none'}",
            f"  kind           {self.dialect.name or 'unknown'}: {self.dialect.why}",
        ]
        lines += [f"  {offer.name:<14} {', '.join(sorted(offer.protocols))}" for offer in found.resource_types]
        lines += [f"  note           {note}" for note in found.notes]
        return "\n".join([*lines, "What this means for us:", *(f"  - {line}" for line in self._meaning())])

    def _meaning(self) -> list[str]:
        found = self.discovery
        meaning = []
        if not found.enabled:
            meaning.append("It has switched Open Cloud Mesh off: nothing can be shared now.")
        meaning.append(self._signing())
        meaning.append(f"Shares are sent to it as {' or '.join(_FORMS[form] for form in self.dialect.payloads)}.")
        if not self.dialect.announces_end:
            meaning.append("It does not tell when a share ends, so that is looked up from time to time.")
        plan = plan_requirements(found, must_exchange_token=self.demands_token)
        if isinstance(plan, Deny):
            meaning.append(f"We cannot share with it: {plan.public}")
        else:
            needed = "only with exchanged tokens" if plan else "with the secret or with a token"
            meaning.append(f"What we share with it opens {needed}.")
        has_webdav = any(Role.WEBDAV in offer.protocols for offer in found.resource_types)
        meaning.append("What it shares can be opened here." if has_webdav else "It shares nothing that we can open.")
        return meaning

    def _signing(self) -> str:
        has_older_key = self.discovery.public_key is not None
        if self.has_keys:
            return "Messages to it are signed (RFC 9421), and it has to sign to us."
        return "Messages to it are signed in the older way." if has_older_key else "Messages go unsigned."


_FORMS = {
    Payload.OPTIONS: "OCM 1.0 has them (options)",
    Payload.NAMED: "one protocol with its own object",
    Payload.MULTI: "the draft has them (multi)",
}


async def discover_peer(config: Config, host_text: str) -> PeerReport:
    """Ask a peer who it is, without remembering it.

    Raises:
        GatewayError: `INVALID` for no host, `FORBIDDEN` by our lists, `NOT_FOUND` or `UNAVAILABLE`.
    """
    host = parse_host(host_text)
    contact = contact_rule(rules_of(config))
    contact(host)
    options = config.peers
    async with guarded_session(
        guard_of(config),
        tls=tls_context(options.ca_file),
        connect_seconds=options.connect_seconds,
        total_seconds=options.total_seconds,
    ) as session:
        statements = Statements(
            fetcher=Fetcher(
                session=session,
                allow_http=options.allow_http,
                max_bytes=config.limits.discovery_bytes,
                redirects=options.redirects,
            ),
            may_contact=contact,
        )
        discovery = await statements.document(host)
        keys = await statements.keys(Peer(host=host, discovery=discovery, discovered_at=time.time()), is_known=False)
    return PeerReport(host, discovery, keys is not None, config.criteria.must_exchange_token)


async def probe_storage(config: Config, name: str, user: str) -> dict[str, bool]:
    """Try a storage out as the service account, in the part of `user` where each user has one.

    Raises:
        GatewayError: `CONFIGURATION` for an unknown name, a local folder or a missing user, else what the storage says.
    """
    if name not in config.all_storages:
        raise GatewayError(
            Kind.CONFIGURATION, f"There is no storage {name}; name one of: {', '.join(config.all_storages)}."
        )
    async with AsyncExitStack() as stack:
        storages = await open_storages(config, stack)
        if config.all_storages[name].has_user_slot and not user:
            raise GatewayError(Kind.CONFIGURATION, "Each user has a part of the storage here: name one with --user.")
        backend = storages[name].as_service(user)
        if isinstance(backend, WebdavBackend):
            return asdict(await probe(backend, scratch()))
        if config.all_storages[name].is_sftp:
            return asdict(await try_out(backend, scratch()))
        raise GatewayError(Kind.CONFIGURATION, "A local folder needs no probe: it can do everything.")
