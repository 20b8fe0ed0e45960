"""The machine: which core does what, and what /proc tells of a process and of everybody else.

Processor time is that of a process and its descendants, threads included, as the kernel accounts it; memory
is resident memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
# Fields of /proc/PID/stat behind the name, counted from 0 (proc(5)): user and system time, and those of the children
# that have ended.
_TIMES = slice(11, 15)
_RESET_PEAK = "5"
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER (prctl(2))
_VERSION = re.compile(r"\d+\.[\w.+~-]*")


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the measured server has its core for itself, as far as there are enough."""

    measured: int
    storage: int
    load: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        """Return a division of the cores that this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(measured=cores[0], storage=cores[1 % len(cores)], load=cores[-1])


def pinned(core: int, command: list[str]) -> list[str]:
    """Return a command that runs on one core."""
    return ["taskset", "-c", str(core), *command]


def family(pid: int) -> list[int]:
    """Return a process and its living descendants."""
    try:
        children = (_PROC / str(pid) / "task" / str(pid) / "children").read_text().split()
    except OSError:
        children = []
    return [pid, *(member for child in children for member in family(int(child)))]


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants have used."""
    return sum(_own_seconds(member) for member in family(pid))


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory of one process in MiB; `VmHWM` is its peak."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def proportional_mib(pid: int) -> float:
    """Return the memory of a process and its descendants in MiB, shared pages divided among those that share them."""
    return sum(_proportional_kib(member) for member in family(pid)) / 1024


def forget_peak(pid: int) -> None:
    """Let the peak of a process's memory begin again at what it uses now."""
    (_PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)


def name_of(pid: int) -> str:
    """Return the name of a process's program."""
    return (_PROC / str(pid) / "comm").read_text().strip()


class Bystanders:
    """How much of the machine everybody else used meanwhile, which is what makes figures doubtful."""

    def __init__(self) -> None:
        # A session of sshd may outlive the process that began it, and would then count as somebody else's.
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1)
        self._machine, self._own, self._wall = _machine_seconds(), _bench_seconds(), os.times().elapsed

    def percent(self) -> float:
        """Return the share of the machine's processor time that others used, once all our children have ended."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        busy = _machine_seconds() - self._machine - (_bench_seconds() - self._own)
        offered = (os.times().elapsed - self._wall) * (os.cpu_count() or 1)
        return max(0.0, 100 * busy / offered)


def describe() -> dict[str, object]:
    """Return what a reader has to know of this machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def version_of(*command: str) -> str:
    """Return the version that a program tells in its first line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0] if found else "unknown"


def _own_seconds(pid: int) -> float:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0.0
    return sum(map(int, text.rpartition(")")[2].split()[_TIMES])) / TICKS_PER_SECOND


def _proportional_kib(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _machine_seconds() -> float:
    # cpu user nice system idle iowait irq softirq steal: all but idle and iowait is work, of this machine or its host.
    fields = [int(field) for field in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS_PER_SECOND


def _bench_seconds() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _processor() -> str:
    lines = (_PROC / "cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
