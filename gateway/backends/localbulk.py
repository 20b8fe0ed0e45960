"""Many small things of a local storage in one trip to a thread: looking names up, and writing files from memory.

Each file takes its place as `localpart` does it, whole and on the disk; the folders that they lie in are put on the
disk once for all, at the end. What is answered is so on the disk, and a crash leaves of each file the old or the new.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from gateway.backends.base import SmallFile
from gateway.backends.localfs import Tree, entry_of
from gateway.backends.localpart import Condition, Part, a_folder
from gateway.backends.threads import Stop, told
from gateway.errors import GatewayError, Kind
from gateway.model.resource import Entry, ResourcePath, Written


def find_all(tree: Tree, paths: Sequence[ResourcePath], stop: Stop) -> list[Entry | None]:
    """Return what is at each path, or None."""
    return [_find(tree, path, stop) for path in paths]


def put_all(tree: Tree, files: Sequence[SmallFile], stop: Stop, *, is_durable: bool) -> list[Written | GatewayError]:
    """Write files; return what became of each."""
    outcomes: list[Written | GatewayError] = []
    with ExitStack() as stack:
        placed: dict[ResourcePath, Part] = {}
        for file in files:
            stop.check()
            part = Part(tree, file.path, Condition(if_none_match="*" if file.is_new else None), is_durable=is_durable)
            outcomes.append(_put(part, file))
            if isinstance(outcomes[-1], Written) and file.path.parent not in placed:
                # One stays open, so that it is this folder that is put on the disk, wherever it is by then.
                placed[file.path.parent] = part
                stack.callback(part.close)
            else:
                part.close()
        if is_durable:
            for part in placed.values():
                part.sync_folder()
    return outcomes


def _find(tree: Tree, path: ResourcePath, stop: Stop) -> Entry | None:
    stop.check()
    try:
        with tree.spot(path) as spot:
            return entry_of(path, spot.served())
    except GatewayError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return None


def _put(part: Part, file: SmallFile) -> Written | GatewayError:
    try:
        if file.path.is_root:
            raise a_folder()
        part.begin()
        part.write(file.content)
        if file.modified is not None:
            part.set_time(file.modified)
        return part.commit(with_folder=False)
    except OSError as error:
        return told(error)
    except GatewayError as error:
        return error
