"""The name under which a received share appears in its user's mount.

A sender may call a share anything; a folder in a mount needs a name that every client can show and that no other
share has, in any case, since Windows and macOS do not tell cases apart. It is given once and kept in the record: what
a script of the user has found under a name must never be another share the next day.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container
from itertools import chain, count

from gateway.model.share import ReceivedShare

NAME_MAX_BYTES = 120
_WITHOUT_NAME = "share"


def folded(name: str) -> str:
    """Return what two names have in common that clients may take for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def mount_name(share: ReceivedShare, taken: Container[str]) -> str:
    """Return a name for `share`: its own, else with its owner behind it, else with a number too.

    Args:
        taken: the names in use, as `folded` returns them.
    """
    name = _clean(share.name)
    # Only of a file the last dot parts the name from its kind.
    stem, dot, suffix = name.rpartition(".") if share.resource_type == "file" else (name, "", "")
    if not stem:
        stem, dot, suffix = name, "", ""
    owner = _clean(str(share.owner))
    numbers = (f" {number}" if number > 1 else "" for number in count(1))
    choices = chain((name,), (f"{stem} ({owner}){number}{dot}{suffix}" for number in numbers))
    return next(choice for choice in choices if folded(choice) not in taken)


def _clean(name: str) -> str:
    """Return a name without what parts paths, steers terminals or is lost on the way to some client."""
    seen = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in unicodedata.normalize("NFC", name))
    cut = seen.strip("_ ").encode()[:NAME_MAX_BYTES].decode(errors="ignore").rstrip(". ")
    return cut or _WITHOUT_NAME
