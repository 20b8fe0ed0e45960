"""The XML of WebDAV requests, read into values (RFC 4918, 9 and 14).

Bodies are bounded, a DOCTYPE is refused and nothing is ever fetched. What is written in answers is in `davprops` and
`respond`; only the helper that names a property stands here, because reading and writing share its form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from gateway.errors import GatewayError, Kind

XML_MAX_BYTES = 1024 * 1024
PROPERTIES_MAX = 200
OWNER_MAX_BYTES = 8192
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
DAV = "DAV:"


@dataclass(frozen=True, slots=True)
class PropertyName:
    """A property: namespace and local name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the name in the form under which dead properties are kept."""
        return f"{{{self.namespace}}}{self.name}"

    @classmethod
    def parse(cls, text: str) -> PropertyName:
        """Return the name in what `str` made of it."""
        namespace, _, name = text.removeprefix("{").rpartition("}")
        return cls(namespace, name)


@dataclass(frozen=True, slots=True)
class Propfind:
    """What a PROPFIND asks for: `names` in the order asked; None for all; only names if `is_propname`."""

    names: tuple[PropertyName, ...] | None = None
    is_propname: bool = False


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One instruction of a PROPPATCH: the new text, or None to remove the property; `xml` is the whole element."""

    name: PropertyName
    text: str | None
    xml: str | None = None


@dataclass(frozen=True, slots=True)
class LockInfo:
    """The lock that a LOCK asks for; `owner_xml` is the `owner` element as it came."""

    is_exclusive: bool
    owner_xml: str


def parse_propfind(body: bytes) -> Propfind:
    """Return what is asked for; an empty body asks for all (9.1).

    Raises:
        GatewayError: `INVALID`.
    """
    if not body.strip():
        return Propfind()
    root = _parse(body, "propfind")
    asked = {etree.QName(child).localname: child for child in _elements(root) if _is_dav(child)}
    if len(asked.keys() & {"prop", "allprop", "propname"}) != 1:
        raise _wrong("A propfind holds one of prop, allprop and propname.")
    if "prop" in asked:
        return Propfind(tuple(dict.fromkeys(_names(asked["prop"]))))
    if "include" in asked:
        _names(asked["include"])
    return Propfind(is_propname="propname" in asked)


def parse_proppatch(body: bytes) -> tuple[PropertyChange, ...]:
    """Return the instructions in their order (9.2).

    Raises:
        GatewayError: `INVALID`.
    """
    changes: list[PropertyChange] = []
    for instruction in _elements(_parse(body, "propertyupdate")):
        action = etree.QName(instruction).localname
        if not _is_dav(instruction) or action not in ("set", "remove"):
            continue
        for prop in (child for child in _elements(instruction) if child.tag == _dav("prop")):
            for name, element in zip(_names(prop), _elements(prop), strict=True):
                changes.append(_set(name, element) if action == "set" else PropertyChange(name, None))
    if not changes or len(changes) > PROPERTIES_MAX:
        raise _wrong("A propertyupdate sets or removes properties, but not too many.")
    return tuple(changes)


def parse_lockinfo(body: bytes) -> LockInfo:
    """Return the lock asked for (14.11).

    Raises:
        GatewayError: `INVALID`; `TOO_LARGE` for an endless owner.
    """
    root = _parse(body, "lockinfo")
    scope, kind, owner = (root.find(_dav(name)) for name in ("lockscope", "locktype", "owner"))
    if scope is None or kind is None or kind.find(_dav("write")) is None:
        raise _wrong("A lockinfo names a scope and the type write.")
    is_exclusive, is_shared = (scope.find(_dav(name)) is not None for name in ("exclusive", "shared"))
    if is_exclusive == is_shared:
        raise _wrong("A lock is either exclusive or shared.")
    return LockInfo(is_exclusive, "" if owner is None else _owner_xml(owner))


def property_xml(name: PropertyName, content: str = "") -> str:
    """Return a property as an element; `content` is XML already, in which `d` stands for `DAV:`."""
    if name.namespace == DAV:
        tag, declaration = f"d:{name.name}", ""
    elif name.namespace:
        tag, declaration = f"x:{name.name}", f" xmlns:x={quoteattr(name.namespace)}"
    else:
        tag, declaration = name.name, ""
    return f"<{tag}{declaration}>{content}</{tag}>" if content else f"<{tag}{declaration}/>"


def is_representable(text: str) -> bool:
    """Tell whether XML 1.0 can hold `text` (2.2): no surrogates, no control characters."""
    return all(
        char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff" for char in text
    )


def text_xml(text: str) -> str:
    """Return `text` escaped."""
    return escape(text)


def _parse(body: bytes, root_name: str) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _wrong("This body is not well-formed XML.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise _wrong("A document type is not allowed here.")
    if root.tag != _dav(root_name):
        raise _wrong(f"This body should be a DAV: {root_name} element.")
    return root


def _set(name: PropertyName, element: etree._Element) -> PropertyChange:
    """Return the instruction to set a property; its language may be told further out (RFC 4918, 4.3)."""
    outer = (above.get(_LANGUAGE) for above in element.iterancestors())
    language = next((told for told in outer if told is not None), None)
    if language is not None and _LANGUAGE not in element.attrib:
        element.set(_LANGUAGE, language)
    text = "".join(map(str, element.itertext()))
    return PropertyChange(name, text, etree.tostring(element, encoding="unicode", with_tail=False))


def _elements(parent: etree._Element) -> Iterator[etree._Element]:
    # Without its filter, entity references would come too.
    return parent.iterchildren("*")


def _names(prop: etree._Element) -> list[PropertyName]:
    names = [PropertyName(etree.QName(e).namespace or "", etree.QName(e).localname) for e in _elements(prop)]
    if len(names) > PROPERTIES_MAX:
        raise _wrong("This names too many properties.")
    return names


def _owner_xml(owner: etree._Element) -> str:
    owner.tail = None
    text = etree.tostring(owner, encoding="unicode")
    if len(text.encode()) > OWNER_MAX_BYTES:
        raise GatewayError(Kind.TOO_LARGE, f"The owner of a lock exceeds {OWNER_MAX_BYTES} bytes.")
    return text


def _is_dav(element: etree._Element) -> bool:
    return etree.QName(element).namespace == DAV


def _dav(name: str) -> str:
    return f"{{{DAV}}}{name}"


def _wrong(public: str) -> GatewayError:
    return GatewayError(Kind.INVALID, public)
