"""A string that must not be seen: shared secrets, tokens, pass words."""

from __future__ import annotations

import hmac


class Secret:
    """Holds a secret string so that no log, traceback or error shows it by accident.

    Two secrets compare in constant time. `reveal` is the only way to the text, and so easy to search for.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; call it only where it goes on the wire, into a hash or under a seal."""
        return self._text

    def __repr__(self) -> str:
        """Hide the text."""
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        """Hash the text (for use in sets within one process only)."""
        return hash(self._text)

    def __bool__(self) -> bool:
        """Tell whether there is any text."""
        return bool(self._text)


def _bytes(text: str) -> bytes:
    # Whatever a stranger claims as a secret has to be comparable, even text that is not Unicode.
    return text.encode(errors="surrogatepass")
