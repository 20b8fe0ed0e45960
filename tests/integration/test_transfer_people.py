"""People copy what they received: by commands, with exit codes for scripts, and on pages without scripts (ACC-5)."""

import asyncio
import json
import os
import re
import sys

import aiohttp
import pytest
from integration.test_two_gateways import pair

from gateway.cli.progress import bar, progress_words
from support.davdoor import run_program
from support.pair import PASSWORD
from support.transferrig import files_below, offered, slowly, transfer, until, until_over


def command(side):
    """Return what runs a command as a side's user; it gives the exit code and the output."""

    async def run(*arguments):
        settings = {
            "OCM_GATEWAY_URL": f"{side.local}/ocm",
            "OCM_GATEWAY_USER": side.user,
            "OCM_GATEWAY_PASSWORD": PASSWORD,
        }
        return await run_program(sys.executable, "-m", "gateway", *arguments, env=os.environ | settings)

    return run


@pytest.mark.req("ACC-5")
async def test_commands_copy_wait_and_tell_by_their_exit_codes(tmp_path):
    """A script copies, waits and learns from the exit code whether all, some or none of it came."""
    async with pair(tmp_path) as (alice, bob):
        ocm, share = command(bob), await offered(alice, bob)
        status, output = await ocm("received", "copy", share, "--name", "Copy", "--wait", "--timeout", "30s")
        assert (status, "done" in output, "1 files, 5 B" in output) == (0, True, True)
        assert files_below(tmp_path / "b/bob/Copy") == {"hello.txt": b"hello"}
        (tmp_path / "b/bob/Taken/hello.txt").mkdir(parents=True)
        status, output = await ocm("received", "copy", share, "--name", "Taken", "--wait", "--json")
        assert (status, json.loads(output)["faults"]) == (6, 1)
        listed = (await ocm("transfers", "list"))[1]
        assert ("partly-done" in listed, "done  " in listed) == (True, True)
        shown = (await ocm("transfers", "show", json.loads(output)["id"]))[1]
        assert "/hello.txt: In your storage: a folder has this name." in shown
        assert (await ocm("transfers", "show", "unknown"))[0] == 3
        assert (await ocm("received", "copy", share, "--to", "nowhere"))[0] == 3


@pytest.mark.req("ACC-5")
async def test_a_wait_that_ends_too_early_ends_nothing(tmp_path, monkeypatch):
    """Waiting has an end of its own with an exit code of its own; the transfer goes on, until it is stopped."""
    slowly(monkeypatch, "hello.txt", after=0)
    async with pair(tmp_path) as (alice, bob):
        ocm, share = command(bob), await offered(alice, bob)
        started = await transfer(bob, share, name="Copy")
        await until(bob, started["id"], lambda shown: shown["is_planned"])
        status, output = await ocm("transfers", "wait", started["id"], "--timeout", "0s")
        assert (status, "0%, 0 B/5 B" in output) == (8, True)
        assert (await ocm("transfers", "cancel", started["id"]))[0] == 0
        assert (await ocm("transfers", "wait", started["id"], "--timeout", "30s"))[0] == 1


def test_the_bar_shows_bytes_rate_time_left_and_files():
    """The line beside the bar says what people ask: how much, how fast, how long still."""
    shown = {
        "state": "running",
        "problem": "",
        "is_planned": True,
        "is_over": False,
        "bytes": 4 * 1024 * 1024,
        "bytes_done": 1024 * 1024,
        "bytes_per_second": 2048,
        "seconds_left": 3700,
        "files": 9,
        "files_done": 2,
        "files_skipped": 1,
        "faults": 1,
    }
    assert bar(shown) == "[######------------------]"
    assert progress_words(shown) == " 25%, 1.0 MiB/4.0 MiB, 2.0 KiB/s, ETA 1:01:40, 3/9 files, 1 failed"


@pytest.mark.req("ACC-5")
async def test_pages_start_show_and_stop_a_transfer(tmp_path, monkeypatch):
    """A browser without scripts starts a transfer, sees it move by itself, and stops it."""
    reading = slowly(monkeypatch, "hello.txt", after=0)
    async with pair(tmp_path) as (alice, bob):
        share = await offered(alice, bob)
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(f"{bob.local}/ocm/ui/", cookie_jar=jar) as browser:
            await browser.post("log-in", data={"user": "bob", "password": PASSWORD})
            assert f"/received/{share}/copy" in await text(browser.get("shared-with-me"))
            form = await text(browser.get(f"received/{share}/copy"))
            csrf = re.search(r'name="csrf" value="([^"]+)"', form)[1]
            wrong = await text(browser.post(f"received/{share}/copy", data={"csrf": csrf, "to": "nowhere"}))
            assert "no such folder" in wrong
            fields = {"csrf": csrf, "name": "Copy", "conflict": "rename"}
            async with browser.post(f"received/{share}/copy", data=fields) as answer:
                page, shown = str(answer.url), await answer.text()
            assert 'http-equiv="refresh"' in shown
            await asyncio.wait_for(reading.stands.wait(), 30)
            assert "<progress" in await text(browser.get(page))
            stopped = await text(browser.post(f"{page}/cancel", data={"csrf": csrf}))
            assert "Stopped." in stopped
            reading.go.set()
            await until_over(bob, page.rpartition("/")[2])
            shown = await text(browser.get(page))
            assert ("Cancelled" in shown, "refresh" in shown) == (True, False)
            assert "Cancelled" in await text(browser.get("transfers"))


async def text(request):
    """Return the text of an answer."""
    async with request as answer:
        return await answer.text()
