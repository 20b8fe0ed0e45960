"""The self-test as a command: what it prints, for people and programs, and with which status it ends."""

import asyncio
import json
import re
import sys

import pytest

from gateway.app.doctor import CHECKS, parse_place
from gateway.errors import GatewayError
from support.doctorproxy import FaultyProxy
from support.pair import folder_storage, side


@pytest.fixture
async def doctor(tmp_path):
    """Run a gateway, and return what runs the command on it through a proxy, and the proxy."""
    async with (
        side(tmp_path, "alice", "alice", folder_storage(tmp_path / "files", "alice")) as gateway,
        FaultyProxy.running(gateway.config.http.port) as proxy,
    ):

        async def run(*words):
            through = ("-c", str(tmp_path / "alice.yaml"), "--user", "alice", "--via", f"127.0.0.1:{proxy.port}")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "doctor", *through, *words),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
            return process.returncode, out.decode(), err.decode()

        yield run, proxy


async def test_text(doctor):
    """People read a line for each finding, in the order of the page, and a verdict; nothing else is printed."""
    run, _proxy = doctor
    status, out, err = await run()
    assert (status, err) == (0, "")
    *lines, empty, verdict = out.splitlines()
    assert empty == ""
    assert re.fullmatch(r"alice\.localhost:\d+ works, with 1 thing to look at\.", verdict)
    heads = [found for line in lines if (found := re.match(r"(ok|info|warning|failed) +([a-z-]+) +\S", line))]
    order = [check.name for check in CHECKS]
    names = [found[2] for found in heads]
    assert names == sorted(names, key=order.index)
    assert set(names) == {name for name in order if not name.startswith("peer")}
    warning = r"^warning  tls +The public URL is plain http\.\n +\S.+\n +To do: .+ \(docs/doctor\.md#tls\)$"
    assert re.search(warning, out, re.MULTILINE)


async def test_json_and_status(doctor):
    """Programs get the same as JSON; a fault ends with 1, and a warning with 7 for those who are strict."""
    run, proxy = doctor
    status, out, _ = await run("--json", "--strict")
    document = json.loads(out)
    assert (status, document["is_good"]) == (7, True)
    proxy.blocked = {"PROPFIND"}
    status, out, _ = await run("--json", "--strict")
    document = json.loads(out)
    (failed,) = [one for one in document["findings"] if one["state"] == "failed"]
    assert (status, document["is_good"], failed["check"]) == (1, False, "methods")
    assert {"found", "means", "todo", "more"} <= failed.keys()


def test_place_that_is_none():
    """What is no address with a port is refused."""
    for text in ("127.0.0.1", ":80", "127.0.0.1:http"):
        with pytest.raises(GatewayError):
            parse_place(text)
    assert parse_place("[::1]:8443").address == "::1"
