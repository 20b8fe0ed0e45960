"""The layout of DESIGN.md 3 holds, and the reader that says so finds what breaks it."""

from pathlib import Path

import pytest

import gateway
from support import layers

PACKAGE = Path(gateway.__file__).parent


def test_imports_go_downwards_and_libraries_stay_at_home():
    """No module imports upwards or across its group, uses a library away from its home, or names a product."""
    assert layers.faults(PACKAGE) == []


@pytest.mark.parametrize(
    ("place", "source", "what"),
    [
        ("model/a.py", "import gateway.flows.b", "model may not import flows"),
        ("model/a.py", "from gateway import store", "model may not import store"),
        ("ocm/a.py", "from gateway.crypto import jwt", "ocm may not import crypto"),
        ("store/a.py", "def f():\n    from gateway.backends import b", "store may not import backends"),
        ("web/a.py", "if x:\n    from gateway.jobs import b", "web may not import jobs"),
        ("errors.py", "from gateway.model import address", "errors may not import model"),
        ("flows/a.py", "import aiohttp.web", "aiohttp has its home in app, backends, peers, web"),
        ("jobs/a.py", "from redis.asyncio import Redis", "redis has its home in app, store"),
        ("app/a.py", "import saq", "saq has its home in store"),
        ("flows/a.py", "from . import b", "(relative) stands in no group"),
        ("thing/a.py", "from gateway.model import b", "thing stands in no group"),
        ("flows/a.py", "is_nextcloud = 1", "nextcloud is named outside ocm/dialects"),
        ("peers/a.py", "if agent.startswith('ownCloud'): ...", "ownCloud is named outside ocm/dialects"),
        ("model/a.py", "class OcisPeer: ...", "Ocis is named outside ocm/dialects"),
    ],
)
def test_a_violation_is_found(tmp_path, place, source, what):
    """Each kind of violation is told with its place."""
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    (fault,) = layers.faults(tmp_path)
    assert fault.startswith(f"{place}:")
    assert fault.endswith(what)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("flows/a.py", "from gateway.flows import b\nfrom gateway.peers.client import c\nfrom gateway.errors import d"),
        ("app.py", "import aiohttp\nfrom gateway.cli import main\nfrom gateway import __version__"),
        ("metrics.py", "from gateway.log import get_logger"),
        ("ocm/dialects/a.py", "CRAWLER = 'Nextcloud Server Crawler'"),
        ("model/a.py", "def prevail(): return 'precise'"),
        ("model/a.py", "'''Tolerates what Nextcloud sends.'''\nX = 1  # as ownCloud does"),
    ],
)
def test_what_is_allowed_is_not_told(tmp_path, place, source):
    """Imports downwards, and products in dialects, comments and docstrings, are as they should be."""
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    assert layers.faults(tmp_path) == []
