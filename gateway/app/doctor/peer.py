"""How one peer and this gateway get along: what it is, whether our signature holds there, and whether its files open.

Nothing changes at the peer: it is told of a share that does not exist, asked for files without a credential, and for
a token without a code. What only its operator can know, such as whether we are on its lists, is said to be unknown.
"""

from __future__ import annotations

import json
import secrets
from urllib.parse import urlencode, urljoin

from gateway.app.doctor.clock import WRONG_SECONDS
from gateway.app.doctor.finding import Result, doubt, fault, good, note
from gateway.app.doctor.known import Known
from gateway.app.doctor.stranger import Seen
from gateway.crypto.secrets import new_secret
from gateway.model.address import host_of_url
from gateway.model.peer import Scheme
from gateway.model.policy import Deny, plan_requirements
from gateway.model.share import MessageKind
from gateway.ocm.dialects.dryrun import Heard, read_dry_run
from gateway.ocm.notification import render

NONCE_BYTES = 8
_SCHEMES = {Scheme.RFC9421: "by RFC 9421", Scheme.CAVAGE: "in the older way", None: "not at all"}
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_ASKS_CREDENTIAL = 401
_REFUSES_TOKEN = frozenset({400, 401, 403})
_GONE = frozenset({404, 405, 501})
_TELL = "tell its operator, with this line."


async def check_document(known: Known) -> list[Result]:
    """Tell what the peer says of itself, and what is missing or odd in it."""
    found, host = known.discovery, known.line.host
    provider = f" ({found.provider})" if found.provider else ""
    told = f"{host} speaks Open Cloud Mesh {found.api_version or 'without a version'}{provider} at {found.end_point}."
    results = [good(told)]
    misses = await known.line.misses()
    if misses:
        results.append(note(f"Not at every path: {'; '.join(misses)}.", "We find it nevertheless; others may not."))
    if host_of_url(found.end_point) != host:
        results.append(
            doubt(
                f"Its end point is at {host_of_url(found.end_point)}, while its users have addresses @{host}.",
                "Many servers refuse signatures and shares whose hosts differ.",
                _TELL,
            )
        )
    if not found.enabled:
        results.append(fault("It has switched Open Cloud Mesh off.", "Nothing can be shared with it now.", _TELL))
    return [*results, *(note(line) for line in found.notes)]


async def check_dialect(known: Known) -> list[Result]:
    """Tell how the peer is spoken to, and why."""
    dialect = known.dialect
    forms = ", then ".join(form.value for form in dialect.payloads)
    told = f"It is taken for {dialect.name or 'an unknown kind'}, since {dialect.why}; shares are written as {forms}."
    signed = f"Messages to it are signed {_SCHEMES[known.scheme]}."
    results = [good(told), good(signed) if known.scheme else note(signed, "It shows no key by which it could sign.")]
    plan = plan_requirements(known.discovery, must_exchange_token=known.line.config.criteria.must_exchange_token)
    if isinstance(plan, Deny):
        results.append(
            fault(
                f"Its criteria and ours do not go together: {plan.public}",
                "No share can be sent.",
                "look at `criteria` here, or ask its operator.",
            )
        )
    if known.keys_fault:
        results.append(doubt(known.keys_fault, "What it signs cannot be proven now, and is answered 503.", _TELL))
    return results


async def check_dry_run(known: Known) -> list[Result]:
    """Tell the peer of a share that does not exist, and read in its answer whether the signature held."""
    line = known.line
    message = render(
        MessageKind.ACCEPTED,
        provider_id=f"doctor-{secrets.token_hex(NONCE_BYTES)}",
        resource_type="file",
        secret=new_secret(),
        grantee=f"doctor@{line.config.authority}",
    )
    url = f"{known.discovery.end_point}/notifications"
    seen = await line.ask("POST", url, scheme=known.scheme, body=json.dumps(message).encode(), kind=_JSON)
    heard = read_dry_run(known.dialect, seen.status, seen.body.decode(errors="replace"))
    return [_dry_run(heard, seen, known.scheme)]


async def check_files(known: Known) -> list[Result]:
    """Knock at the peer's WebDAV path without a credential, and expect to be asked for one."""
    path = known.discovery.webdav_path()
    if path is None:
        return [note("It names no WebDAV path.", "What it shares cannot be opened here, except by a full URL.")]
    seen = await known.line.ask("PROPFIND", urljoin(known.discovery.end_point, path))
    if seen.status == _ASKS_CREDENTIAL:
        return [good(f"Its WebDAV path {path} asks for a credential, as it should.")]
    return [
        doubt(
            f"Its WebDAV path {path} answers {seen.status} where it should ask for a credential.",
            "What it shares may not open.",
            _TELL,
        )
    ]


async def check_token(known: Known) -> list[Result]:
    """Ask for a token without a code that exists, where the peer exchanges tokens."""
    end_point = known.discovery.token_end_point
    if not end_point:
        return [note("It exchanges no tokens; the secret of a share opens it.")]
    form = {"grant_type": "authorization_code", "client_id": known.line.config.authority, "code": new_secret().reveal()}
    seen = await known.line.ask("POST", end_point, scheme=known.scheme, body=urlencode(form).encode(), kind=_FORM)
    if seen.status in _REFUSES_TOKEN:
        return [good("Its token end point answers, and refuses a code that does not exist.")]
    return [
        doubt(
            f"Its token end point answers {seen.status} to a code that does not exist.",
            "Shares that need a token may not open.",
            _TELL,
        )
    ]


async def check_peer_clock(known: Known) -> list[Result]:
    """Compare the peer's clock with ours."""
    seen = await known.line.ask("GET", known.discovery.end_point)
    if seen.date is None:
        return [note("Its answers do not tell the time.")]
    off = seen.date - known.line.now()
    if abs(off) <= WRONG_SECONDS:
        return [good("Its clock and that of this machine agree.")]
    return [
        fault(
            f"Its clock is {abs(off) / 60:.1f} min {'ahead of' if off > 0 else 'behind'} that of this machine.",
            "Each refuses the other's signatures.",
            "see whose clock is wrong (`chronyc tracking`, `timedatectl`); run a time service here.",
        )
    ]


def _dry_run(heard: Heard, seen: Seen, scheme: Scheme | None) -> Result:
    told = f"News of a share that does not exist is answered with {seen.status}"
    match heard:
        case Heard.UNDERSTOOD if scheme is not None:
            return good(f"{told}: our message arrived, and its signature was not refused.")
        case Heard.UNDERSTOOD | Heard.UNCHECKED:
            return good(f"{told}: our message arrived. This kind of server does not look at signatures.")
        case Heard.NOT_PROVEN:
            return fault(
                f"{told}: it does not accept our signature.",
                "Nothing that we send to it arrives.",
                "mend what the checks of our own gateway say (one-name, jwks, clock); if they are good, it may still "
                "keep an older key of ours: its operator can make it forget us, else it takes up to three days.",
            )
        case Heard.REFUSED:
            return doubt(
                f"{told}: it refuses us.",
                "It may not accept our signature, or not have us on its list of servers.",
                f"ask its operator whether this gateway is allowed there. {_TELL.capitalize()}",
            )
        case Heard.NO_DOOR:
            return doubt(
                f"{told}: it takes no news of shares.",
                "It does not learn when a share ends, and may take no shares either.",
                _TELL,
            )
    return doubt(f"{told}: it fell over.", "It may fail with real messages too.", _TELL)
