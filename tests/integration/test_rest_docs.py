"""The example in docs/rest.md works as it stands."""

import os
import re
import shutil
from pathlib import Path

import pytest

from support.davdoor import run_program
from support.redisserver import make_store, private_server, server_program
from support.webapp import PASSWORD, user_app

PAGE = Path(__file__).parents[2] / "docs" / "rest.md"


async def test_the_example_works(tmp_path):
    """Every command of the page's example succeeds, and the file and the share are there."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (script,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with private_server(server_program("embedded")) as url:
        async with make_store(url) as store, user_app(store, tmp_path) as app:
            environment = os.environ | {"OCM_URL": f"{app.url}/ocm", "OCM_LOGIN": f"alice:{PASSWORD}"}
            status, output = await run_program("bash", "-euo", "pipefail", "-c", script, env=environment)
            assert status == 0, output
            assert (tmp_path / "alice" / "Beam time" / "run1.csv").read_text() == "1;2;3\n"
            assert (await app.api.sent.get("s1")).expires_at == 4_102_444_799
