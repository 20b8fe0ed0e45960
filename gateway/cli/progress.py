"""How a transfer goes on, on standard error: a bar that moves on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any

import click

LINE_SECONDS = 60.0
BAR_CHARS = 24
LEAST_WIDTH = 40
KIBI = 1024


@dataclass(slots=True)
class Progress:
    """Shows one transfer; `is_quiet` shows nothing."""

    is_quiet: bool = False
    _told_at: float = 0.0
    _width: int = 0

    def show(self, transfer: dict[str, Any]) -> None:
        """Show how far it is now."""
        if self.is_quiet:
            return
        text = progress_words(transfer)
        if not sys.stderr.isatty():
            if time.monotonic() - self._told_at >= LINE_SECONDS or not self._told_at:
                self._told_at = time.monotonic()
                click.echo(text, err=True)
            return
        room = max(shutil.get_terminal_size().columns - 1, LEAST_WIDTH)
        line = f"{bar(transfer)} {text}"[:room]
        click.echo(f"\r{line.ljust(self._width)}", err=True, nl=False)
        self._width = len(line)

    def finish(self) -> None:
        """Leave the line of the bar."""
        if self._width:
            click.echo("", err=True)


def bar(transfer: dict[str, Any]) -> str:
    """Return the bar itself."""
    full = round(BAR_CHARS * share_done(transfer))
    return f"[{'#' * full}{'-' * (BAR_CHARS - full)}]"


def progress_words(transfer: dict[str, Any]) -> str:
    """Return how far a transfer is: per cent, bytes, rate, time left, files."""
    if transfer["problem"]:
        return f"{transfer['state']}: {transfer['problem']}"
    if not transfer["is_planned"]:
        return f"{transfer['state']}, looking at what there is"
    done, size = amount(transfer["bytes_done"]), amount(transfer["bytes"])
    parts = [f"{100 * share_done(transfer):3.0f}%", f"{done}/{size}", f"{amount(transfer['bytes_per_second'])}/s"]
    if transfer["seconds_left"] is not None:
        parts.append(f"ETA {duration(transfer['seconds_left'])}")
    parts.append(f"{transfer['files_done'] + transfer['files_skipped']}/{transfer['files']} files")
    if transfer["faults"]:
        parts.append(f"{transfer['faults']} failed")
    return ", ".join(parts)


def share_done(transfer: dict[str, Any]) -> float:
    """Return the part that is done, from 0 to 1."""
    if not transfer["is_planned"]:
        return 0.0
    if not transfer["bytes"]:
        return 1.0 if transfer["is_over"] else 0.0
    return float(min(1.0, transfer["bytes_done"] / transfer["bytes"]))


def amount(size: float) -> str:
    """Return a number of bytes in IEC units."""
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < KIBI:
            break
        size, unit = size / KIBI, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def duration(seconds: int) -> str:
    """Return a time as `h:mm:ss`, or `m:ss` if it is short."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
