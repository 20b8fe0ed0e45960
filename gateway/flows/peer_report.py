"""What another provider says of itself, how it is spoken to and why, and what that means for us (DISC-1, DISC-6)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gateway.model.dialect import Dialect, Payload
from gateway.model.peer import Discovery, Peer, Role, Scheme
from gateway.model.policy import HTTP_SIG, Deny, plan_requirements
from gateway.ocm.dialects.recognise import recognise
from gateway.peers.resolver import has_key_set
from gateway.peers.signing import scheme_for


@dataclass(frozen=True, slots=True)
class PeerReport:
    """What a peer says, and what it means for us.

    Attributes:
        peer: what is known of it; `discovery` is its document.
        demands_token: whether we share only with exchanged tokens.
    """

    peer: Peer
    discovery: Discovery
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
            f"{self.peer.host} speaks Open Cloud Mesh {found.api_version or 'without a version'}"
            + (f" ({found.provider})" if found.provider else ""),
            f"  end point      {found.end_point}",
            f"  capabilities   {', '.join(sorted(found.capabilities)) or 'none'}",
            f"  criteria       {', '.join(sorted(found.criteria)) or 'none'}",
            f"  kind           {self.dialect.name or 'unknown'}: {self.dialect.why}",
        ]
        lines += [f"  {offer.name:<14} {', '.join(sorted(offer.protocols))}" for offer in found.resource_types]
        lines += [f"  note           {note}" for note in found.notes]
        return "\n".join([*lines, "What this means for us:", *(f"  - {line}" for line in self.meaning())])

    def meaning(self) -> list[str]:
        """Return what follows for us, in sentences."""
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
        ours = _SIGNED[scheme_for(self.peer)]
        if HTTP_SIG not in self.discovery.capabilities:
            return f"{ours}."
        # Only of a server whose keys can be had is it demanded (SIG-3).
        if has_key_set(self.peer):
            return f"{ours}, and it has to sign to us."
        return f"{ours}. It says that it signs too: that is demanded as soon as its keys have been read."


_SIGNED = {
    Scheme.RFC9421: "Messages to it are signed (RFC 9421)",
    Scheme.CAVAGE: "Messages to it are signed in the older way",
    None: "Messages go unsigned",
}
_FORMS = {
    Payload.OPTIONS: "OCM 1.0 has them (options)",
    Payload.NAMED: "one protocol with its own object",
    Payload.MULTI: "the draft has them (multi)",
}
