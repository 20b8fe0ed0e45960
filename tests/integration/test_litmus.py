"""The WebDAV test suite litmus at the door of a running gateway, before each kind of storage."""

import asyncio
import re

import pytest

from support.apache import apache
from support.davgateway import local_storage, sftp_storage, site, webdav_storage
from support.davserver import program
from support.sshd import sshd
from support.wsgi import wsgidav

SUITES = 5


@pytest.fixture
async def door(request, tmp_path):
    """A running gateway before a storage that has the folder `alice/shared`."""
    if request.param == "local":
        (tmp_path / "storage/alice/shared").mkdir(parents=True)
        async with site(tmp_path, local_storage(tmp_path / "storage")) as running:
            yield running
        return
    if request.param == "sftp":
        with sshd() as server:
            (server.files / "alice/shared").mkdir(parents=True)
            async with site(tmp_path, sftp_storage(tmp_path, server)) as running:
                yield running
        return
    kind, _, relayed = request.param.partition(" ")
    with apache() if kind == "mod_dav" else wsgidav() as server:
        server.fresh("alice/shared")
        async with site(tmp_path, webdav_storage(server, relay="always" if relayed else "never")) as running:
            yield running


async def litmus(url, share, folder):
    """Run all suites and return what they print."""
    process = await asyncio.create_subprocess_exec(
        program("litmus"), "-k", url, share.secret, "anything", stdout=-1, stderr=-2, cwd=folder
    )
    return (await process.communicate())[0].decode(errors="replace")


@pytest.mark.parametrize(
    ("door", "form"),
    [
        ("mod_dav relayed", "with the share's id"),
        ("mod_dav relayed", "bare"),
        ("wsgidav relayed", "bare"),
        ("mod_dav", "bare"),
        ("wsgidav", "with the share's id"),
        ("local", "with the share's id"),
        ("local", "bare"),
        ("sftp", "with the share's id"),
    ],
    indirect=["door"],
)
@pytest.mark.req("ACC-2")
@pytest.mark.req("ACC-6")
async def test_litmus_passes(door, form, tmp_path):
    """A read-write share as its root passes all of litmus, by our own door and through the relay."""
    share = await door.share("shared")

    output = await litmus(share.root if form == "bare" else share.url, share, tmp_path)

    assert len(re.findall(r"summary for", output)) == SUITES, output
    assert set(re.findall(r"(\w+)\.* FAIL", output)) == set(), output
