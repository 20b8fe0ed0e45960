"""What the proxies before us do to a message on its way: signature, fields, target, size, and who it seems to be from.

Each check sends a message to our own door of the self-test through the public URL and compares what arrived with what
was sent.
"""

from __future__ import annotations

import secrets

from gateway.app.doctor.finding import Result, doubt, fault, good, note
from gateway.app.doctor.ground import Ground, Reflection
from gateway.app.doctor.stranger import Seen
from gateway.crypto.refusal import Reason
from gateway.errors import GatewayError
from gateway.model.peer import Scheme
from gateway.peers.addresses import is_open, parse_ip
from gateway.web.mirror import digest_of

# Odd names that people have, as they stand in a signed target: none of it may be decoded, merged or re-encoded.
ODD_TARGETS = ("/a%2Fb", "/a//b", "/a%20b%2B+c", "/%C3%A4%25")
LONG_FIELD_CHARS = 4000
SIZES = (8 * 1024, 64 * 1024, 2 * 1024 * 1024)
_TOO_LARGE = 413
_NOT_FOUND = 404
_CLOCK_REASONS = frozenset({Reason.CREATED_IN_FUTURE.value, Reason.TOO_OLD.value})
_NEEDED_FIELDS = (
    "Authorization", "Date", "Signature", "Signature-Input", "Content-Digest", "Digest", "Depth", "Destination", "If",
    "If-Match", "Overwrite", "Lock-Token", "Range", "OC-Checksum",
)  # fmt: skip


async def check_signature(ground: Ground) -> list[Result]:
    """Sign to ourselves in both ways and see whether that holds where it arrives."""
    results = []
    for scheme, words in ((Scheme.RFC9421, "RFC 9421"), (Scheme.CAVAGE, "the older kind")):
        reflection = await (ground.first() if scheme is Scheme.RFC9421 else ground.reflect(scheme=scheme))
        results.append(_signature(reflection, words))
    return results


async def check_fields(ground: Ground) -> list[Result]:
    """Send every field that peers and WebDAV need, and a long one, and see which arrive unharmed."""
    mark = secrets.token_hex(8)
    sent = {
        "Authorization": f"Bearer doctor-{mark}",
        "Digest": "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "Depth": "1",
        "Destination": f"{ground.config.public_url}{ground.config.prefix}/dav/a%2Fb",
        "If": f"(<urn:uuid:{mark}>)",
        "If-Match": f'"{mark}"',
        "Overwrite": "F",
        "Lock-Token": f"<urn:uuid:{mark}>",
        "Range": "bytes=0-1",
        "OC-Checksum": "ADLER32:00000001",
    }
    reflection = await ground.reflect(headers=sent)
    if reflection.told is None:
        return [_no_reflection(reflection.seen, "with the fields of WebDAV")]
    arrived = reflection.told["fields"]
    lost = [name for name in _NEEDED_FIELDS if name.lower() not in arrived]
    changed = [name for name, value in sent.items() if arrived.get(name.lower()) not in (None, digest_of(value))]
    results = [_lost(lost)] if lost else []
    results += [_changed(changed)] if changed else []
    results += _host_field(ground, reflection)
    return [*(results or [good("All fields that peers send arrive as they were sent.")]), await _long_field(ground)]


async def check_target(ground: Ground) -> list[Result]:
    """Send targets with escapes and empty names and see whether they arrive byte for byte."""
    harmed = []
    for below in ODD_TARGETS:
        reflection = await ground.reflect(below=below)
        sent = f"{ground.config.prefix}/doctor{below}"
        if reflection.told is None:
            harmed.append(f"{sent} is answered with {reflection.seen.words()}")
        elif reflection.told["target"] != sent:
            harmed.append(f"{sent} arrives as {reflection.told['target']}")
    if not harmed:
        return [good("Request targets arrive byte for byte.")]
    return [
        fault(
            f"Something before the gateway rewrites request targets: {'; '.join(harmed)}.",
            "Signatures over such targets fail, and files with such names cannot be reached.",
            "nginx: `proxy_pass http://gateway:8080;` without a path, and `merge_slashes off;`. Apache: "
            "`AllowEncodedSlashes NoDecode`, `MergeSlashes Off` and `nocanon` at the end of ProxyPass.",
        )
    ]


async def check_size(ground: Ground) -> list[Result]:
    """Send growing bodies until one does not arrive."""
    passed = 0
    for size in SIZES:
        try:
            reflection = await ground.reflect(size=size)
        except GatewayError:
            return [_too_small(passed, size, "the connection is broken off")]
        told, seen = reflection.told, reflection.seen
        if told is None and (seen.status == _TOO_LARGE or passed):
            return [_too_small(passed, size, seen.words())]
        if told is None:
            return [_no_reflection(seen, f"of {size} bytes")]
        if told["length"] != size:
            return [_too_small(passed, size, f"{told['length']} bytes arrive")]
        passed = size
    return [good(f"A body of {SIZES[-1] // 1024} KiB passes.")]


async def check_waiting(ground: Ground) -> list[Result]:
    """Send a body only after `100 Continue`, as careful clients do."""
    try:
        seen = await ground.stranger.ask(
            "PUT", f"{ground.config.prefix}/dav/doctor", body=b"x" * 1024, is_expecting=True
        )
    except GatewayError as error:
        return [_expect(str(error.public))]
    return [good("`Expect: 100-continue` passes.")] if seen.status == 401 else [_expect(seen.words())]  # noqa: PLR2004 - as HTTP has it


async def check_proxies(ground: Ground) -> list[Result]:
    """See whether the gateway knows who stands behind the proxy."""
    reflection = await ground.first()
    told = reflection.told
    if told is None:
        return []
    hop, client = str(told["hop"]), str(told["client"])
    if not told["is_forwarded"]:
        return [
            note(
                f"No proxy names the client; the gateway sees {client}.",
                "If a proxy stands before it, all people behind that share one limit of log-ins and requests.",
                "let the proxy set `X-Forwarded-For $remote_addr;` and name it in `http.trusted_proxies`.",
            )
        ]
    if not told["is_hop_trusted"]:
        return [
            doubt(
                f"The proxy at {hop} names the client, but is not believed.",
                "All people behind it share one limit of log-ins and requests.",
                f'if it is your own, set `http.trusted_proxies: ["{hop}/{parse_ip(hop).max_prefixlen}"]`.',
            )
        ]
    return [good(f"The proxy at {hop} is believed: we seem to come from {client}.")]


async def check_egress(ground: Ground) -> list[Result]:
    """Compare the address that this machine is seen from with those of the public name."""
    told = (await ground.first()).told
    if told is None:
        return []
    client = str(told["client"])
    known = await ground.lookup(ground.host)
    if client in known:
        return [good(f"We are seen from {client}, an address of {ground.host}.")]
    if not is_open(parse_ip(client)):
        return [
            note(
                f"We are seen from {client}, which is not public: our address outside cannot be told from here.",
                "Some peers compare the address of an invitation's sender with the name service.",
                "run this where messages to peers leave from, or compare by hand.",
            )
        ]
    return [
        doubt(
            f"We are seen from {client}, but {ground.host} leads to {', '.join(known)}.",
            "Peers that compare the two (for invitations) refuse us.",
            f"let messages leave from an address of {ground.host}, add {client} to its records, or ask such peers to "
            "list both.",
        )
    ]


def _signature(reflection: Reflection, words: str) -> Result:
    if reflection.told is None:
        return _no_reflection(reflection.seen, "that is signed")
    outcome = reflection.told["signature"]
    if outcome == "holds":
        return good(f"A message signed by {words} holds where it arrives.")
    if outcome == "missing" or "signature" not in reflection.told["fields"]:
        return fault(
            f"The signature of a message signed by {words} does not arrive.",
            "Peers' messages look unsigned and are refused.",
            "let the proxy pass `Signature`, `Signature-Input`, `Content-Digest`, `Digest` and `Date` on; look for a "
            "rule that removes fields it does not know (a web application firewall).",
        )
    todo = (
        "set the clock (NTP) of every machine that runs the gateway or this command."
        if outcome in _CLOCK_REASONS
        else "let the proxy pass target, body, `Date`, digests and length on as they come; see the findings below."
    )
    return fault(f"A message signed by {words} is refused where it arrives: {outcome}.", "So are those of peers.", todo)


def _no_reflection(seen: Seen, what: str) -> Result:
    means = "Peers' messages do not reach the gateway as they were sent."
    if seen.is_ours and seen.status == _NOT_FOUND:
        todo = (
            "let the proxy leave path and body as they are (nginx `proxy_pass http://gateway:8080;` without a slash at "
            "its end); and let this command read the running gateway's own key file."
        )
    elif seen.is_ours:
        todo = "look at the finding `store`, and into the gateway's log for the same minute."
    else:
        todo = "let the proxy pass POST below the prefix to the gateway, with every field."
    return fault(f"A message to ourselves {what} is answered with {seen.words()}.", means, todo)


def _lost(names: list[str]) -> Result:
    todo = "let the proxy pass these fields on."
    if "Authorization" in names:
        todo += (
            " For `Authorization`: nginx `proxy_set_header Authorization $http_authorization;`, Apache without an "
            "authentication of its own on this path."
        )
    return fault(f"These fields do not arrive: {', '.join(names)}.", "Peers cannot open shares or sign to us.", todo)


def _changed(names: list[str]) -> Result:
    return fault(
        f"These fields arrive with another value: {', '.join(names)}.",
        "Peers cannot open shares, or not copy and move in them.",
        "let the proxy pass these fields on as they come.",
    )


def _host_field(ground: Ground, reflection: Reflection) -> list[Result]:
    told = reflection.told
    if told is None or told["host"].lower() == ground.config.authority:
        return []
    return [
        doubt(
            f"The gateway is told that it was asked as {told['host']}, not as {ground.config.authority}.",
            "Copies and moves inside of shares are refused, since their `Destination` names another host.",
            "pass the host on: nginx `proxy_set_header Host $http_host;`, Apache `ProxyPreserveHost On`.",
        )
    ]


async def _long_field(ground: Ground) -> Result:
    reflection = await ground.reflect(headers={"X-Doctor": "x" * LONG_FIELD_CHARS})
    if reflection.told is not None:
        return good(f"A field of {LONG_FIELD_CHARS} characters passes.")
    return doubt(
        f"A field of {LONG_FIELD_CHARS} characters is answered with {reflection.seen.words()}.",
        "Long access tokens of peers are refused.",
        "nginx: `large_client_header_buffers 4 16k;`, Apache: `LimitRequestFieldSize 16380`.",
    )


def _too_small(passed: int, size: int, what: str) -> Result:
    return fault(
        f"A body of {size} bytes does not pass ({what}){f', one of {passed} does' if passed else ''}.",
        "Larger uploads into shares fail." if passed else "Uploads into shares fail, however small the files.",
        "nginx: `client_max_body_size 0;`, Apache: `LimitRequestBody 0`, ingress-nginx: the annotation "
        '`proxy-body-size: "0"`.',
    )


def _expect(what: str) -> Result:
    return doubt(
        f"An upload that waits for `100 Continue` is answered with {what}.",
        "Some clients cannot upload.",
        "let the proxy pass `Expect` on or answer it itself.",
    )
