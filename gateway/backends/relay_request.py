"""XML bodies of requests on their way through the relay: small, checked, and written anew as UTF-8.

The storage's parser sees exactly what ours has accepted: well-formed, without DOCTYPE. Our own properties are taken
out of what is asked, and cannot be set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from lxml import etree

from gateway.backends.ownprops import GETETAG, OWN_NAMES
from gateway.errors import GatewayError, Kind

BODY_MAX_BYTES = 1024 * 1024

_ALL = b'<propfind xmlns="DAV:"><allprop/></propfind>'
_D = "{DAV:}"


@dataclass(frozen=True, slots=True)
class Question:
    """A PROPFIND body for the storage, and which of our own properties (`namespace}name`) the client wants to know."""

    body: bytes
    own: frozenset[str]


async def gather(chunks: AsyncIterator[bytes] | None) -> bytes:
    """Return a small body whole.

    Raises:
        GatewayError: `TOO_LARGE` beyond `BODY_MAX_BYTES`.
    """
    body = bytearray()
    if chunks is not None:
        async for chunk in chunks:
            body += chunk
            if len(body) > BODY_MAX_BYTES:
                raise GatewayError(Kind.TOO_LARGE, "The XML body is too large.")
    return bytes(body)


def question(body: bytes) -> Question:
    """Return what a PROPFIND asks; an empty body asks for everything (RFC 4918, 9.1).

    Raises:
        GatewayError: `INVALID` if it is not a PROPFIND body.
    """
    if not body.strip():
        return Question(_ALL, frozenset({GETETAG}))
    root = parse(body)
    if root.tag != f"{_D}propfind":
        raise _malformed()
    own = {GETETAG} if root.find(f"{_D}allprop") is not None else set()
    for names in (*root.findall(f"{_D}prop"), *root.findall(f"{_D}include")):
        own |= _take_out(names)
    return Question(_written(root), frozenset(own))


def property_update(body: bytes) -> bytes:
    """Return a PROPPATCH body for the storage.

    Raises:
        GatewayError: `INVALID` if it is not one, `FORBIDDEN` if it is to change a property of our own.
    """
    root = parse(body)
    if root.tag != f"{_D}propertyupdate":
        raise _malformed()
    for prop in root.iterfind(f"{_D}*/{_D}prop"):
        if any(_name(child) in OWN_NAMES for child in prop.iterchildren(tag=etree.Element)):
            raise GatewayError(
                Kind.FORBIDDEN, "This property cannot be changed.", code="cannot-modify-protected-property"
            )
    return _written(root)


def lock_info(body: bytes) -> bytes:
    """Return a LOCK body for the storage; an empty one asks for a refresh.

    Raises:
        GatewayError: `INVALID` if it is not one.
    """
    if not body.strip():
        return b""
    root = parse(body)
    if root.tag != f"{_D}lockinfo":
        raise _malformed()
    return _written(root)


def parse(body: bytes) -> etree._Element:
    """Return the root of an XML body.

    Raises:
        GatewayError: `INVALID` if it is not well-formed or has a DOCTYPE.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise _malformed() from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise GatewayError(Kind.INVALID, "XML with a DOCTYPE is not taken here.")
    return root


def _take_out(names: etree._Element) -> set[str]:
    elements = list(names.iterchildren(tag=etree.Element))
    own = {_name(child) for child in elements} & (OWN_NAMES | {GETETAG})
    for child in elements:
        if _name(child) in OWN_NAMES:
            names.remove(child)
    if own - {GETETAG} and names.find(f"{_D}resourcetype") is None:
        # What may be done with a resource depends on its kind; and an empty list would be no question.
        etree.SubElement(names, f"{_D}resourcetype")
    return own


def _name(child: etree._Element) -> str:
    return str(child.tag).removeprefix("{")


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _malformed() -> GatewayError:
    return GatewayError(Kind.INVALID, "The XML body is not as it should be.")
