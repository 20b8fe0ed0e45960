"""Bytes of a channel that have come in and wait to be read."""

from __future__ import annotations

from collections import deque

Data = bytes | bytearray | memoryview

# Pieces smaller than this are put together: each that is kept alone costs some memory of its own.
SMALL_BYTES = 4096


class Held:
    """Bytes in the order in which they came, the large pieces not copied before they are taken."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview | bytearray] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, data: bytes | memoryview) -> None:
        """Add bytes at the end, which nobody changes from now on."""
        self._size += len(data)
        if len(data) >= SMALL_BYTES:
            self._pieces.append(memoryview(data))
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += data
        else:
            self._pieces.append(bytearray(data))

    def peek(self, most: int) -> bytes:
        """Return bytes from the front and leave them there: `most`, or all if there are fewer."""
        parts, missing = [], most
        for piece in self._pieces:
            parts.append(piece[:missing])
            missing -= len(parts[-1])
            if not missing:
                break
        return b"".join(parts)

    def take(self, most: int) -> list[Data]:
        """Take bytes from the front, in pieces as they came: `most`, or all if there are fewer."""
        parts: list[Data] = []
        missing = min(most, self._size)
        self._size -= missing
        while missing:
            piece = self._pieces[0]
            part = piece[:missing]
            parts.append(part)
            missing -= len(part)
            if len(part) == len(piece):
                self._pieces.popleft()
            elif isinstance(piece, bytearray):
                del piece[: len(part)]
            else:
                self._pieces[0] = piece[len(part) :]
        return parts
