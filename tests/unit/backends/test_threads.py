"""Blocking calls end before their caller goes on, and their errors have one meaning."""

from __future__ import annotations

import asyncio
import errno
import threading

import pytest

from gateway.backends.threads import Stop, Stopped, Threads, told
from gateway.errors import Kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOENT, Kind.NOT_FOUND),
        (errno.ELOOP, Kind.NOT_FOUND),
        (errno.EACCES, Kind.FORBIDDEN),
        (errno.EPERM, Kind.FORBIDDEN),
        (errno.EROFS, Kind.FORBIDDEN),
        (errno.ENOSPC, Kind.NO_SPACE),
        (errno.EDQUOT, Kind.NO_SPACE),
        (errno.EFBIG, Kind.TOO_LARGE),
        (errno.ENOTDIR, Kind.CONFLICT),
        (errno.EISDIR, Kind.CONFLICT),
        (errno.ENAMETOOLONG, Kind.INVALID),
        (errno.ESTALE, Kind.UNAVAILABLE),
        (errno.EIO, Kind.UNAVAILABLE),
        (errno.ENOTCONN, Kind.UNAVAILABLE),
        (errno.EMFILE, Kind.UNAVAILABLE),
    ],
)
async def test_each_error_has_one_meaning(code, kind):
    """An error of the system becomes a `GatewayError` that does not tell strangers about this machine."""

    def fail():
        raise OSError(code, "as the system says", "/srv/secret/name")

    with pytest.raises(type(told(OSError(code, "x")))) as caught:
        await Threads().run(fail)
    assert caught.value.kind is kind
    assert "secret" not in str(caught.value)


async def test_a_cancelled_caller_waits_for_its_thread():
    """A caller that is cancelled, even several times, goes on only when its thread has ended."""
    is_running, may_end, events = threading.Event(), threading.Event(), []

    def work():
        is_running.set()
        may_end.wait(10)
        events.append("thread ended")

    async def call():
        try:
            await Threads().run(work)
        finally:
            events.append("caller went on")

    task = asyncio.create_task(call())
    await asyncio.to_thread(is_running.wait, 10)
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)
    assert events == []
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["thread ended", "caller went on"]


async def test_long_work_is_asked_to_stop():
    """Work that looks at its `Stop` ends soon after its caller was cancelled."""
    is_running, ended = threading.Event(), threading.Event()

    def work(stop: Stop):
        is_running.set()
        try:
            while True:
                stop.check()
        except Stopped:
            ended.set()
            raise

    task = asyncio.create_task(Threads().run_stoppable(work))
    await asyncio.to_thread(is_running.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert ended.is_set()
