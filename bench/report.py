"""What a run has found, for people and for programs: tables, a JSON document, and the tables' places in the docs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench.subject import Subject
from bench.subjects import SUBJECTS

_NOTHING = "Not measured yet."
# Digits that stay of a figure; more would only be noise.
_DIGITS = 3

# What was found about one subject.
Results = Mapping[str, Any]


def section(subject: Subject, results: Results) -> str:
    """Return what there is to say about a subject: the machine, and the medians."""
    return f"{machine(results)}\n\n{table(subject, results)}"


def table(subject: Subject, results: Results) -> str:
    """Return the medians as a table in Markdown, readable as it is."""
    head = ["", "unit", *subject.sides, " ÷ ".join(subject.ratio)]
    rows = [head, *(_row(subject, figure) for figure in results["figures"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rules = ["-" * widths[0], "-" * widths[1], *("-" * (width - 1) + ":" for width in widths[2:])]
    return "\n".join(_line(row, widths) for row in (head, rules, *rows[1:]))


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


def page(text: str, results: Mapping[str, Results]) -> str:
    """Return the page of the docs with these results, each subject's between its own marks."""
    for name, subject in SUBJECTS.items():
        begin, end = f"<!-- measured: {name} (written by `make bench ARGS=--record`) -->", f"<!-- end: {name} -->"
        before, has_begin, rest = text.partition(begin)
        _, has_end, after = rest.partition(end)
        if not has_begin or not has_end:
            raise ValueError(f"the page has no place for {name}")
        shown = section(subject, results[name]) if name in results else _NOTHING
        text = f"{before}{begin}\n{shown}\n{end}{after}"
    return text


def write_json(path: Path, results: Mapping[str, Results]) -> None:
    """Write the results for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(subject: Subject, figure: Mapping[str, Any]) -> list[str]:
    medians = {side: median(rounds) for side, rounds in figure["rounds"].items()}
    better = "↑" if figure["is_more_better"] else "↓"
    ours, theirs = (medians.get(side) for side in subject.ratio)
    values = [_shown(medians.get(side)) for side in subject.sides]
    ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else ""
    return [figure["name"], f"{figure['unit']} {better}", *values, ratio]


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
