"""What a run has found, for people and for programs: a table, a JSON document, and the table's place in the docs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import GATEWAY, NGINX, STORAGE, UNBUFFERED

BEGIN, END = "<!-- measured: begin (written by `make bench ARGS=--record`) -->", "<!-- measured: end -->"
_SIDES = (GATEWAY, NGINX, UNBUFFERED, STORAGE)
_RATIO = "gateway ÷ nginx"
# Digits that stay of a figure; more would only be noise.
_DIGITS = 3

Results = Mapping[str, Any]


def table(results: Results) -> str:
    """Return the medians as a table in Markdown, readable as it is."""
    rows = [["", "unit", *_SIDES, _RATIO], *(_row(figure) for figure in results["figures"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rules = ["-" * widths[0], "-" * widths[1], *("-" * (width - 1) + ":" for width in widths[2:])]
    return "\n".join(_line(row, widths) for row in (rows[0], rules, *rows[1:]))


def machine(results: Results) -> str:
    """Return on what, with what and when this was measured."""
    facts, versions = results["machine"], results["versions"]
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    extent = results["extent"]
    return (
        f"Measured on {results['date']}: {facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, "
        f"Linux {facts['kernel']}; Python {facts['python']}, {programs}.\n"
        f"Medians of {extent['rounds']} rounds, ↑ where more is better, ↓ where less is. "
        f"Others used {results['others_percent']:.0f} % of the machine's processor time meanwhile."
    )


def page(text: str, results: Results) -> str:
    """Return the page of the docs with these results between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the results")
    return f"{before}{BEGIN}\n{machine(results)}\n\n{table(results)}\n{END}{after}"


def write_json(path: Path, results: Results) -> None:
    """Write the results for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(figure: Mapping[str, Any]) -> list[str]:
    medians = {side: median(rounds) for side, rounds in figure["rounds"].items()}
    better = "↑" if figure["is_more_better"] else "↓"
    ratio = medians[GATEWAY] / medians[NGINX] if medians.get(NGINX) else None
    values = [_shown(medians.get(side)) for side in _SIDES]
    return [figure["name"], f"{figure['unit']} {better}", *values, "" if ratio is None else f"{ratio:.2f}"]


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    digits = max(0, _DIGITS - len(str(int(value)))) if value >= 1 else _DIGITS - 1
    return f"{round(value, _DIGITS - len(str(int(value)))):,.{digits}f}"


def _line(cells: Iterable[str], widths: list[int]) -> str:
    padded = [
        cell.ljust(width) if column < 2 else cell.rjust(width)  # noqa: PLR2004 - names are left, figures right
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
