"""The matrix of peers: each is the receiver of our shares and the sender to us, and each step of that is one cell."""

import asyncio
import fcntl
import json
import os
import traceback

import pytest
from interop import matrix, story
from interop.peers.every import PEERS

_STORIES = {"receiver": story.as_receiver, "sender": story.as_sender}


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """Each story, told when the first of its cells is asked for: once, also where several processes run the tests."""
    known = {}
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def tell(peer, direction):
        name = f"{peer.product} {direction}"
        if name not in known:
            with (shared / f"{name}.json").open("a+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                known[name] = json.loads(file.read() or "{}")
                if not known[name]:
                    known[name] = _outcomes(_STORIES[direction](peer, tmp_path_factory.mktemp("story")))
                    file.write(json.dumps(known[name]))
        return known[name]

    return tell


def _outcomes(story):
    outcomes = asyncio.run(story).outcomes
    return {cell: "".join(traceback.format_exception(error)) if error else "" for cell, error in outcomes.items()}


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
    assert told(peer, direction)[cell] == ""
