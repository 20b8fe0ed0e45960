"""The matrix of peers: each is the receiver of our shares and the sender to us, and each step of that is one cell."""

import asyncio

import pytest
from interop import matrix, story
from interop.peers.every import PEERS

_STORIES = {"receiver": story.as_receiver, "sender": story.as_sender}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Each story, told when the first of its cells is asked for."""
    known = {}

    def tell(peer, direction):
        if (peer, direction) not in known:
            folder = tmp_path_factory.mktemp("story")
            known[peer, direction] = asyncio.run(_STORIES[direction](peer, folder))
        return known[peer, direction].outcomes

    return tell


@pytest.mark.req("SHARE-2")
@pytest.mark.req("SIG-9")
@pytest.mark.parametrize(
    ("peer", "direction", "cell"),
    [
        pytest.param(peer, direction, cell, id=f"{peer.product}-{direction}-{cell}")
        for peer in PEERS
        for direction in _STORIES
        for cell in matrix.cells(direction)
        if matrix.applies(peer, direction, cell)
    ],
)
def test_cell(told, peer, direction, cell):
    """A peer of this kind and the gateway get along in this step."""
    outcome = told(peer, direction)[cell]
    if outcome is not None:
        raise outcome
