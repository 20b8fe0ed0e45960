"""The command: `python -m bench`. It prints the tables, writes the JSON, and with `--record` the page of the docs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench import report
from bench.machine import Bystanders, Cores, describe
from bench.place import Place
from bench.process import BenchError
from bench.subject import SMOKE, Extent, Run, Subject
from bench.subjects import SUBJECTS

ROOT = Path(__file__).parent.parent
JSON = ROOT / "build" / "bench.json"
PAGE, PAGE_JSON = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.json"
# Figures of a machine of which others had more than that are not worth to be kept.
OTHERS_MAX_PERCENT = 10
RECORDED_ROUNDS_MIN = 3


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit status."""
    options = _options(arguments)
    # Whoever ends us wants the servers ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cores = Cores.of_this_machine()
    facts = describe()
    os.sched_setaffinity(0, {cores.load})
    extent = SMOKE if options.smoke else replace(Extent(), rounds=options.rounds)
    results: dict[str, report.Results] = {}
    for name in options.only:
        try:
            results[name] = {"machine": facts, **_run(SUBJECTS[name], extent, cores)}
        except BenchError as error:
            print(f"bench: {name}: {error}", file=sys.stderr)
            return 1
        print(f"\n{report.section(SUBJECTS[name], results[name])}\n", flush=True)
    report.write_json(options.json, results)
    return _record(results) if options.record else 0


def _record(results: dict[str, report.Results]) -> int:
    """Write what was measured on a quiet machine into the docs, and leave the rest there as it is."""
    quiet = {name: found for name, found in results.items() if found["others_percent"] <= OTHERS_MAX_PERCENT}
    known = json.loads(PAGE_JSON.read_text("utf-8"))
    recorded = {name: (known | quiet)[name] for name in SUBJECTS if name in known | quiet}
    report.write_json(PAGE_JSON, recorded)
    PAGE.write_text(report.page(PAGE.read_text("utf-8"), recorded), "utf-8")
    for name in results.keys() - quiet.keys():
        print(f"bench: {name} is not recorded, since others had so much of the machine", file=sys.stderr)
    return 0 if len(quiet) == len(results) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the gateway beside others.")
    parser.add_argument("--only", type=_subjects, default=list(SUBJECTS), help=f"some of {','.join(SUBJECTS)}")
    parser.add_argument("--rounds", type=int, default=Extent().rounds, help="how often each is measured (%(default)s)")
    parser.add_argument("--json", type=Path, default=JSON, help="where to write the results (%(default)s)")
    parser.add_argument("--record", action="store_true", help="also write them into docs/performance")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to see that everything works")
    options = parser.parse_args(arguments)
    if options.record and (options.smoke or options.rounds < RECORDED_ROUNDS_MIN):
        parser.error(f"figures are recorded of whole runs, with {RECORDED_ROUNDS_MIN} rounds at least")
    return options


def _subjects(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SUBJECTS):
        raise argparse.ArgumentTypeError(f"no such subject: {', '.join(sorted(unknown))}")
    return names


def _run(subject: Subject, extent: Extent, cores: Cores) -> dict[str, object]:
    others = Bystanders()
    with Place.fresh(cores, extent.large_bytes) as place:
        figures = subject.measure(Run(extent, place, _teller(subject.name)))
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": subject.versions(),
        "extent": asdict(extent),
        "others_percent": round(others.percent(), 1),
        "figures": [figure.document() for figure in figures],
    }


def _teller(name: str) -> Callable[[str], None]:
    began = time.monotonic()
    return lambda text: print(f"{name} {time.monotonic() - began:4.0f} s  {text} …", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
