"""What every `Once` does."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.store.base import Begun, Busy, Recorded


async def test_an_act_is_begun_once(store):
    """Of many who begin an act at once, one is to do it and the others hear that it is being done."""
    answers = await asyncio.gather(*(store.once.begin("act", hold_seconds=10) for _ in range(20)))

    assert answers.count(Begun()) == 1
    assert answers.count(Busy()) == 19


async def test_the_outcome_is_remembered(store):
    """After the act is finished, its outcome is what everybody gets, byte for byte."""
    await store.once.begin("act", hold_seconds=10)
    await store.once.finish("act", b"\x00done\xff", keep_seconds=10)

    assert await store.once.begin("act", hold_seconds=10) == Recorded(b"\x00done\xff")


async def test_an_abandoned_act_may_begin_again(store):
    """An act that was given up is as if it had never been asked for."""
    await store.once.begin("act", hold_seconds=10)
    await store.once.abandon("act")

    assert await store.once.begin("act", hold_seconds=10) == Begun()


async def test_abandoning_does_not_forget_an_outcome(store):
    """A late abandon leaves a recorded outcome as it is."""
    await store.once.begin("act", hold_seconds=10)
    await store.once.finish("act", b"done", keep_seconds=10)
    await store.once.abandon("act")

    assert await store.once.begin("act", hold_seconds=10) == Recorded(b"done")


@pytest.mark.parametrize("is_finished", [False, True])
async def test_claims_and_outcomes_end(store, is_finished):
    """A dead holder's claim and an old outcome are forgotten in time."""
    await store.once.begin("act", hold_seconds=0.03)
    if is_finished:
        await store.once.finish("act", b"done", keep_seconds=0.03)
    deadline = time.monotonic() + 2
    while await store.once.begin("act", hold_seconds=10) != Begun():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_acts_are_apart(store):
    """One act says nothing about another."""
    await store.once.begin("one", hold_seconds=10)

    assert await store.once.begin("two", hold_seconds=10) == Begun()


async def test_outcomes_are_sealed(store):
    """An outcome is not to be read in the store, for it may hold a secret."""
    await store.once.finish("act", b"s3cret-value", keep_seconds=10)

    assert b"s3cret-value" not in await store.link.call("GET", store._keyspace.once("act"))
