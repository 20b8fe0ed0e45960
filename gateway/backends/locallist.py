"""The members of a folder of a local storage, read in batches: what happens inside the threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from stat import S_ISDIR

from gateway.backends.localfs import Tree, entry_of, is_hidden, is_served, open_folder
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath

LIST_BATCH_ENTRIES = 500


class Listing:
    """A folder being listed, one batch at a time, so that its size does not matter."""

    def __init__(self, tree: Tree, path: ResourcePath) -> None:
        self._tree = tree
        self._path = path
        self._members: Iterator[os.DirEntry[str]] = iter(())
        self._cleanup = ExitStack()

    def open(self) -> None:
        """Open the folder.

        Raises:
            GatewayError: `CONFLICT` if it is a file.
        """
        with self._tree.spot(self._path) as spot:
            if not S_ISDIR(spot.served().st_mode):
                raise GatewayError(Kind.CONFLICT, "This is not a folder.")
            descriptor = open_folder(spot.folder, spot.name)
        self._cleanup.callback(os.close, descriptor)
        self._members = self._cleanup.enter_context(os.scandir(descriptor))

    def next_batch(self) -> list[Entry]:
        """Return the next entries, none at the end."""
        batch: list[Entry] = []
        for member in self._members:
            entry = self._entry(member)
            if entry is not None:
                batch.append(entry)
            if len(batch) >= LIST_BATCH_ENTRIES:
                break
        return batch

    def close(self) -> None:
        """Close the folder."""
        self._cleanup.close()

    def _entry(self, member: os.DirEntry[str]) -> Entry | None:
        """Return the member's entry, or None if it is not served, cannot be named in a path, or is gone."""
        try:
            found = member.stat(follow_symlinks=False)
            if is_served(found) and not is_hidden(member.name):
                return entry_of(self._path / member.name, found)
        except FileNotFoundError:
            pass
        except GatewayError as error:
            if error.kind is not Kind.INVALID:
                raise
        return None
