"""A fake peer and our own side, for every test of peers."""

import pytest

from support.fakepeer import FakePeer
from support.peerrig import rig as running_rig


@pytest.fixture
async def peer():
    """Run a peer that speaks http on loopback."""
    async with FakePeer.running() as running:
        yield running


@pytest.fixture
async def rig():
    """Run our own side, loopback and http allowed."""
    async with running_rig() as ours:
        yield ours
