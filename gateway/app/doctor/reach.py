"""Whether the public URL can be reached at all: its name, its certificate, and something that answers there."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from cryptography import x509

from gateway.app.doctor.finding import Result, doubt, fault, good
from gateway.app.doctor.ground import Ground
from gateway.peers.addresses import is_open, parse_ip
from gateway.peers.guard import tls_context

HANDSHAKE_SECONDS = 10.0
EXPIRES_SOON_DAYS = 7
DAY_SECONDS = 86400
# Of OpenSSL's reasons, the two that have a remedy of their own (X509_V_ERR_…).
_HAS_EXPIRED = 10
_NAME_MISMATCH = 62


async def check_name(ground: Ground) -> list[Result]:
    """Look the public name up."""
    try:
        addresses = await ground.lookup(ground.host)
    except OSError as error:
        return [
            fault(
                f"The name {ground.host} is not known to the name service: {error.strerror or error}.",
                "No peer can find this gateway.",
                "add an A or AAAA record for it, or correct `public_url`.",
            )
        ]
    told = f"{ground.host} leads to {', '.join(addresses)}."
    allowed = ground.config.peers.allow_cidr
    if all(is_open(parse_ip(address), allowed) for address in addresses):
        return [good(told)]
    return [
        doubt(
            told,
            "That is no public address: if the world sees the same, only servers on this network reach the gateway.",
            f"compare with `dig {ground.host}` outside; for peers on this network, name it in `peers.allow_cidr`.",
        )
    ]


async def check_tls(ground: Ground) -> list[Result]:
    """Prove the certificate of the public host as a peer would."""
    if not ground.is_tls:
        return [
            doubt(
                "The public URL is plain http.",
                "Deployed peers refuse it, and everybody on the way can read secrets.",
                "put a TLS proxy before the gateway and write `public_url` with https.",
            )
        ]
    place = await ground.place()
    context = tls_context(ground.config.peers.ca_file)
    try:
        expires = await _handshake(place.address, place.port, ground.host, context)
    except ssl.SSLCertVerificationError as error:
        return [await _refused(ground, error)]
    except (OSError, TimeoutError) as error:
        return [
            fault(
                f"No TLS connection to {place.address}, port {place.port}: {str(error) or 'it took too long'}.",
                "No peer reaches this gateway.",
                "start the TLS proxy, and open its port in the firewall.",
            )
        ]
    days = (expires - ground.now()) / DAY_SECONDS
    if days < EXPIRES_SOON_DAYS:
        return [
            doubt(
                f"The certificate of {ground.host} ends in {max(0.0, days):.1f} days.",
                "From then on no peer talks to this gateway.",
                "renew it, and look why that did not happen by itself.",
            )
        ]
    return [good(f"The certificate is for {ground.host}, is trusted, and holds for {days:.0f} days.")]


async def check_answer(ground: Ground) -> list[Result]:
    """Ask whether anything answers at the public URL."""
    seen = await ground.stranger.ask("GET", "/.well-known/ocm")
    if seen.status in (502, 504) or (seen.status == 503 and not seen.is_ours):  # noqa: PLR2004 - as HTTP has them
        return [
            fault(
                f"The proxy before the gateway answers {seen.status}.",
                "It does not reach the gateway.",
                f"start the gateway, and let the proxy pass to {ground.config.http.host}:{ground.config.http.port}.",
            )
        ]
    return [good(f"{ground.config.public_url} answers.")]


async def _refused(ground: Ground, error: ssl.SSLCertVerificationError) -> Result:
    place = await ground.place()
    names = await _names_shown(place.address, place.port, ground.host)
    shown = f"The certificate shown is for {', '.join(names) or 'no name at all'}"
    if error.verify_code == _NAME_MISMATCH:
        return fault(
            f"{shown}, not for {ground.host}.",
            "Every peer breaks the connection off.",
            f"get a certificate whose subjectAltName has {ground.host}, and let the proxy show it for that server name "
            "(nginx `server_name`, Apache `ServerName`).",
        )
    todo = (
        "renew it."
        if error.verify_code == _HAS_EXPIRED
        else "let the proxy send the whole chain (nginx `ssl_certificate` with fullchain.pem) from an authority that "
        "everybody trusts; for a closed federation name the authority in `peers.ca_file`."
    )
    return fault(f"{shown} and is not trusted: {error.verify_message}.", "Every peer breaks the connection off.", todo)


async def _handshake(address: str, port: int, name: str, context: ssl.SSLContext) -> float:
    """Return when the proven certificate ends, in seconds since the epoch."""
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        _reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    try:
        certificate = writer.get_extra_info("peercert")
        return ssl.cert_time_to_seconds(certificate["notAfter"])
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _names_shown(address: str, port: int, name: str) -> tuple[str, ...]:
    """Return the names in the certificate that is shown, trusted or not; nothing is sent over this connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        _reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(entry.value) for entry in names)
