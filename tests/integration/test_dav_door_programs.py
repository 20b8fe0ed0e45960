"""The WebDAV door as programs of others use it: litmus, rclone, cadaver."""

import re

import pytest

from support.davdoor import READ_ONLY, dav_door, run_program

# What needs properties of the client's own to be stored; when they are, these sets become empty.
NEED_STORED_PROPERTIES = {
    "basic": set(),
    "copymove": set(),
    "http": set(),
    "locks": {"owner_modify"},
    "props": {"propset", "propmanyns", "propget"},
}


@pytest.fixture
async def door(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    async with dav_door(folder) as served:
        yield served


@pytest.mark.parametrize("suite", NEED_STORED_PROPERTIES)
async def test_litmus_suite_passes(door, tmp_path, suite):
    """Every litmus test passes but those that need stored properties, and nobody writes past a lock."""
    environment = {"TESTS": suite, "PATH": "/usr/local/bin:/usr/bin:/bin"}

    _, output = await run_program("litmus", "-k", door.url, cwd=tmp_path, env=environment)

    assert "summary for" in output, output
    assert set(re.findall(r"(\w+)\.* FAIL", output)) == NEED_STORED_PROPERTIES[suite], output
    assert "not 423" not in output, output


def rclone(door, *arguments, vendor="owncloud"):
    return run_program(
        "rclone",
        "--config=/dev/null",
        *arguments,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "RCLONE_CONFIG_DOOR_TYPE": "webdav",
            "RCLONE_CONFIG_DOOR_URL": door.url,
            "RCLONE_CONFIG_DOOR_VENDOR": vendor,
        },
    )


@pytest.mark.parametrize("vendor", ["owncloud", "other"])
async def test_rclone_sends_and_fetches_a_tree(door, tmp_path, vendor):
    """A tree with awkward names and an empty file comes back as it went; where rclone sets times, they are kept."""
    source, back = tmp_path / "source", tmp_path / "back"
    contents = {"a b.txt": b"one", "ü/#%41;=.bin": bytes(range(256)) * 500, "deep/er/empty": b""}
    for name, content in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)

    sent = await rclone(door, "copy", str(source), "door:tree", vendor=vendor)
    fetched = await rclone(door, "copy", "door:tree", str(back), vendor=vendor)

    assert sent[0] == fetched[0] == 0, sent[1] + fetched[1]
    assert {str(p.relative_to(back)): p.read_bytes() for p in back.rglob("*") if p.is_file()} == contents
    if vendor == "owncloud":
        old, new = (source / "a b.txt").stat().st_mtime, (door.folder / "tree/a b.txt").stat().st_mtime
        assert int(old) == int(new)


async def test_rclone_moves_and_purges(door):
    """Renaming on the server and removing a whole tree work."""
    (door.folder / "d").mkdir()
    (door.folder / "d" / "f").write_bytes(b"x")

    moved = await rclone(door, "moveto", "door:d/f", "door:d/g")
    purged = await rclone(door, "purge", "door:d")

    assert moved[0] == purged[0] == 0, moved[1] + purged[1]
    assert list(door.folder.iterdir()) == []


async def test_cadaver_works_a_session(door, tmp_path):
    """An interactive client lists, puts, locks, moves and gets within one session."""
    (tmp_path / "up.txt").write_bytes(b"from cadaver")
    script = (
        b"mkcol made\ncd made\nput up.txt\nlock up.txt\nunlock up.txt\nmove up.txt down.txt\nget down.txt\nls\nquit\n"
    )

    _, output = await run_program("cadaver", door.url, stdin=script, cwd=tmp_path, env={"HOME": str(tmp_path)})

    assert "failed" not in output.lower(), output
    assert (tmp_path / "down.txt").read_bytes() == b"from cadaver"
    assert (door.folder / "made" / "down.txt").read_bytes() == b"from cadaver"


@pytest.mark.req("ACC-6")
async def test_rclone_cannot_write_to_a_share_that_may_only_be_read(door, tmp_path):
    """A client is refused cleanly, and nothing is left behind."""
    door.allow(READ_ONLY)
    (tmp_path / "f").write_bytes(b"x")

    code, output = await rclone(door, "copyto", str(tmp_path / "f"), "door:f", "--retries=1", "--low-level-retries=1")

    assert code != 0
    assert "403" in output
    assert list(door.folder.iterdir()) == []
