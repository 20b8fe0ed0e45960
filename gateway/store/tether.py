"""Starts a program that dies with us: `python tether.py <our pid> <argv[0]> <program> <argument>...`.

Linux sends the signal when the *thread* that started this process ends, so it has to be started from the main thread.
A process of its own sets it, because code between fork and exec is not safe in a program with threads. Run as a
script, without the gateway's modules.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask to be killed with our parent, and become the program."""
    parent, name, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        # SIGKILL loses nothing: what was acknowledged has been handed to the kernel.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent has died already")
    os.execv(program, [name, *arguments])  # noqa: S606 - the program is found by `embedded`


if __name__ == "__main__":
    main()
