"""Judges a mutation run: every mutant is killed by a test, or stands in docs/mutants.md with its reason.

    .ci/mutants.py [NAME ...]

Reads what `mutmut run` left in `mutants/`; NAMEs, with `*`, are those that the run was limited to. A mutant is known by
its function and the lines that it changes, not by its number, which moves with the code. Ends with 1 if a mutant is
alive and not listed, or if nothing needs an entry of the list any more.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_module_from_key, orig_function_and_class_names_from_key

ROOT = Path(__file__).parent.parent
LIST = ROOT / "docs/mutants.md"
# A mutant that runs for ever, or ends the interpreter, does not pass unseen either.
KILLED = frozenset({"killed", "timeout", "segfault"})

_ENTRY = re.compile(r"^## `(?P<function>[^`]+)`$|^```diff\n(?P<diff>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Mutant:
    """A function and what is changed in it, line by line."""

    function: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Return the mutant as the list has it."""
        return "\n".join([f"## `{self.function}`", "```diff", *self.lines, "```"])


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    name: str
    path: Path
    status: str

    def mutant(self) -> Mutant:
        """Return the mutant, read back from the copies that mutmut made."""
        function, owner = orig_function_and_class_names_from_key(self.name)
        where = ".".join(part for part in (get_module_from_key(self.name), owner, function) if part)
        return Mutant(where, _changed(get_diff_for_mutant(self.name, path=self.path)))


def verdicts(names: list[str]) -> Iterator[Verdict]:
    """Yield what the run said about each mutant, or about those that it was limited to."""
    for meta in sorted(Path("mutants").rglob("*.py.meta")):
        path = meta.relative_to("mutants").with_suffix("")
        for name, exit_code in json.loads(meta.read_text("utf-8"))["exit_code_by_key"].items():
            if not names or any(fnmatch(name, wanted) for wanted in names):
                yield Verdict(name, path, status_by_exit_code[exit_code])


def accepted(text: str) -> list[Mutant]:
    """Return the mutants in the list."""
    function, found = "", []
    for entry in _ENTRY.finditer(text):
        function = entry["function"] or function
        if entry["diff"]:
            found.append(Mutant(function, _changed(entry["diff"])))
    return found


def _changed(diff: str) -> tuple[str, ...]:
    lines = [line for line in diff.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]
    return tuple(f"{line[0]} {line[1:].strip()}" for line in lines)


def main(names: list[str]) -> int:
    """Print the totals and what is wrong; return the exit status."""
    found = list(verdicts(names))
    known = accepted(LIST.read_text("utf-8"))
    alive = {verdict: verdict.mutant() for verdict in found if verdict.status not in KILLED}
    unlisted = {verdict: mutant for verdict, mutant in alive.items() if mutant not in known}
    unneeded = [] if names else [mutant for mutant in known if mutant not in alive.values()]
    _print_totals(found, set(alive), set(unlisted))
    for verdict, mutant in unlisted.items():
        _say(f"\n{verdict.name}: {verdict.status}, and not in {LIST.name}:\n\n{mutant}")
    for mutant in unneeded:
        _say(f"\nNothing needs this entry of {LIST.name} any more:\n\n{mutant}")
    return 1 if unlisted or unneeded or not found else 0


def _print_totals(found: list[Verdict], alive: set[Verdict], unlisted: set[Verdict]) -> None:
    total, listed = Counter(verdict.path for verdict in found), Counter(verdict.path for verdict in alive - unlisted)
    unknown = Counter(verdict.path for verdict in unlisted)
    _say(f"{'module':<40} {'mutants':>8} {'killed':>8} {'listed':>8} {'alive':>8}")
    for path in total:
        killed = total[path] - listed[path] - unknown[path]
        _say(f"{path!s:<40} {total[path]:>8} {killed:>8} {listed[path]:>8} {unknown[path]:>8}")
    killed = len(found) - len(alive)
    _say(f"{'all':<40} {len(found):>8} {killed:>8} {len(alive - unlisted):>8} {len(unlisted):>8}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
