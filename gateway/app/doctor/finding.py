"""What the self-test finds: one finding a line of thought, in words that say what it means and how to mend it.

A check returns `Result`s; the list of checks gives them their name. The report tells them to people or machines, sums
them up in a sentence, and decides the exit status: 0 for good, 1 if something failed, 7 for warnings where the caller
is strict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PASSED = 0
FAILED = 1
DIFFERENT = 7

_DOCS = "docs/doctor.md"


class State(StrEnum):
    """How it stands with what was looked at."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found.

    Attributes:
        found: what is so, as one sentence.
        means: what follows from it for people; empty where nothing does.
        todo: what to do, with the option or the proxy's line by name; empty where nothing is to be done.
    """

    state: State
    found: str
    means: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result under the name of its check."""

    name: str
    result: Result

    @property
    def document(self) -> dict[str, str]:
        """The finding as JSON."""
        result = self.result
        told = {"check": self.name, "state": result.state.value, "found": result.found}
        more = {"means": result.means, "todo": result.todo, "more": self._link if result.todo else ""}
        return told | {name: text for name, text in more.items() if text}

    def text(self) -> str:
        """Return the finding for people."""
        result = self.result
        lines = [f"{result.state.value:<8} {self.name:<12} {result.found}"]
        lines += [f"{'':21} {result.means}"] if result.means else []
        lines += [f"{'':21} To do: {result.todo} ({self._link})"] if result.todo else []
        return "\n".join(lines)

    @property
    def _link(self) -> str:
        return f"{_DOCS}#{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings.

    Attributes:
        subject: our own host, or the two hosts where a peer was named.
        meaning: what it comes to for people, where a peer was named.
    """

    subject: str
    findings: tuple[Finding, ...]
    meaning: tuple[str, ...] = ()

    def count(self, state: State) -> int:
        """Return how many findings are in a state."""
        return sum(finding.result.state is state for finding in self.findings)

    def status(self, *, strict: bool) -> int:
        """Return the exit status."""
        if self.count(State.FAILED):
            return FAILED
        return DIFFERENT if strict and self.count(State.WARNING) else PASSED

    @property
    def verdict(self) -> str:
        """The sum in one sentence."""
        failed, warned = self.count(State.FAILED), self.count(State.WARNING)
        if failed:
            return (
                f"{self.subject} does not work as it should: {_things(failed)} to mend, {_things(warned)} to look at."
            )
        if warned:
            return f"{self.subject} works, with {_things(warned)} to look at."
        return f"{self.subject} is in order."

    @property
    def document(self) -> dict[str, object]:
        """The report as JSON."""
        return {
            "subject": self.subject,
            "is_good": not self.count(State.FAILED),
            "verdict": self.verdict,
            "meaning": list(self.meaning),
            "findings": [finding.document for finding in self.findings],
        }

    def text(self) -> str:
        """Return the report for people."""
        meaning = ["", "What this means:", *(f"  - {line}" for line in self.meaning)] if self.meaning else []
        return "\n".join([*(finding.text() for finding in self.findings), *meaning, "", self.verdict])


def good(found: str) -> Result:
    """Return a result with which all is well."""
    return Result(State.OK, found)


def note(found: str, means: str = "", todo: str = "") -> Result:
    """Return a result that is neither good nor bad, or could not be had."""
    return Result(State.INFO, found, means, todo)


def doubt(found: str, means: str, todo: str) -> Result:
    """Return a result that may hurt some people."""
    return Result(State.WARNING, found, means, todo)


def fault(found: str, means: str, todo: str) -> Result:
    """Return a result with which something does not work."""
    return Result(State.FAILED, found, means, todo)


def _things(count: int) -> str:
    return f"{count} thing" if count == 1 else f"{count} things"
