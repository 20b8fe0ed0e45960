"""Programs that people mount with, run for real at a user's mount: rclone, cadaver, gio, davfs2, curl."""

import asyncio
import os
import re
import shutil
import stat
from contextlib import asynccontextmanager

import pytest

from support.davdoor import run_program
from support.mounted import mounted

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# An older rclone takes a vendor that it does not know for `other`; only for the first are times sure to be kept.
VENDORS = ("owncloud", "nextcloud", "rclone", "other")
MODIFIED = 1_600_000_000


@pytest.fixture
async def here(tmp_path):
    """Bob's mount, and an app password for his programs."""
    async with mounted(tmp_path / "gateways") as here:
        status, made = await here.bob.rest("POST", "app-passwords", json={"name": "Programs"})
        assert status == 201
        here.password = made["password"]
        yield here


@pytest.fixture(autouse=True)
def _folders(tmp_path):
    for name in ("gateways", "home", "source"):
        (tmp_path / name).mkdir()


def needs(*programs):
    """Skip where a program is missing, but never in CI."""
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{program} is not installed")
            pytest.skip(f"{program} is not installed")


async def rclone_environment(here, vendor):
    """Configure rclone by its environment, as the page tells users to."""
    code, hidden = await run_program("rclone", "obscure", here.password)
    assert code == 0
    return {
        "PATH": PATH,
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_BOX_TYPE": "webdav",
        "RCLONE_CONFIG_BOX_URL": here.url,
        "RCLONE_CONFIG_BOX_VENDOR": vendor,
        "RCLONE_CONFIG_BOX_USER": "bob",
        "RCLONE_CONFIG_BOX_PASS": hidden.strip(),
    }


async def test_rclone_works_with_a_tree(here, tmp_path):
    """As every vendor that it knows, rclone lists, sends a tree with awkward names, checks, moves and removes it."""
    needs("rclone")
    source = tmp_path / "source"
    contents = {"a b.txt": b"one", "ü/#%41;=.bin": bytes(range(256)) * 500, "deep/er/empty": b""}
    for name, content in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
        os.utime(source / name, (MODIFIED, MODIFIED))
    await asyncio.gather(*(play(here, source, vendor) for vendor in VENDORS))


async def play(here, source, vendor):
    """Let rclone work in a tree of its own."""
    environment = await rclone_environment(here, vendor)

    async def rclone(*arguments):
        code, output = await run_program("rclone", *arguments, "--retries=1", env=environment)
        assert code == 0, output
        return output

    tree = f"box:Project/{vendor}"
    assert {line.split()[-1] for line in (await rclone("lsd", "box:")).splitlines()} >= {"Project", "Library"}
    await rclone("copy", str(source), tree)
    await rclone("check", str(source), tree)
    await rclone("moveto", f"{tree}/a b.txt", f"{tree}/deep/moved.txt")
    assert await rclone("cat", f"{tree}/deep/moved.txt") == "one"
    kept = here.files / "Project" / vendor / "deep" / "moved.txt"
    if vendor == "owncloud":
        assert int(kept.stat().st_mtime) == MODIFIED
    await rclone("purge", tree)
    assert not (here.files / "Project" / vendor).exists()
    code, output = await run_program("rclone", "touch", f"box:Library/{vendor}", "--retries=1", env=environment)
    assert code != 0
    assert "403" in output


async def test_rclone_mounts(here, tmp_path):
    """Mounted as a file system, the shares are folders: listed, read, written, renamed and removed."""
    needs("rclone", "fusermount3")
    environment = await rclone_environment(here, "owncloud")
    point = tmp_path / "point"
    point.mkdir()
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "rclone", "mount", "box:", str(point), "--vfs-cache-mode=writes", f"--cache-dir={tmp_path}/cache",
            "--vfs-write-back=0s", "-vv", env=environment, stderr=log,
        )  # fmt: skip
    try:
        await until(lambda: os.path.ismount(point))
        await asyncio.to_thread(_use_folder, point)
        await until((here.files / "Project" / "first.txt").exists)
    except TimeoutError:
        pytest.fail((tmp_path / "log").read_text()[-8000:])
    finally:
        process.terminate()
        await process.wait()
    assert (here.files / "Project" / "first.txt").read_text() == "written by a mount"
    assert (here.files / "Project" / "second.txt").read_text() == "hello"
    assert sorted(path.name for path in (here.files / "Project").iterdir()) == ["first.txt", "second.txt"]


def _use_folder(point):
    # What is renamed is nothing that was just written: rclone itself may lose a file that it is still sending.
    assert {"Project", "Library", "Report.txt"} <= {path.name for path in point.iterdir()}
    assert (point / "Library" / "book.txt").read_text() == "a book"
    (point / "Project" / "hello.txt").rename(point / "Project" / "second.txt")
    (point / "Project" / "sub").rmdir()
    (point / "Project" / "first.txt").write_text("written by a mount")


async def until(check):
    """Wait until `check` is true, looking in a thread, since it may wait for what this process serves."""
    async with asyncio.timeout(40):
        while True:
            if await asyncio.to_thread(check):
                return
            await asyncio.sleep(0.05)


async def test_cadaver_works_a_session(here, tmp_path):
    """Cadaver logs in by its netrc, lists, puts, locks, moves between folders and gets."""
    needs("cadaver")
    home = tmp_path / "home"
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login bob password {here.password}\n")
    netrc.chmod(stat.S_IRUSR | stat.S_IWUSR)
    (home / "up.txt").write_bytes(b"from cadaver")
    script = (
        b"ls\ncd Project\nmkcol made\nput up.txt\nlock up.txt\nunlock up.txt\nmove up.txt made/down.txt\n"
        b"get made/down.txt down.txt\nls made\ncd ../Library\nget book.txt\nquit\n"
    )
    _, output = await run_program("cadaver", here.url, stdin=script, cwd=home, env={"HOME": str(home), "PATH": PATH})
    assert "failed" not in output.lower(), output
    assert "Library" in output
    assert (home / "down.txt").read_bytes() == b"from cadaver"
    assert (home / "book.txt").read_bytes() == b"a book"
    assert (here.files / "Project" / "made" / "down.txt").read_bytes() == b"from cadaver"


async def test_litmus_finds_a_full_server(here, tmp_path):
    """Inside a share the mount passes litmus whole, though two gateways and another server's rules lie between."""
    needs("litmus")
    environment = {"PATH": PATH, "HOME": str(tmp_path / "home")}
    _, output = await run_program(
        "litmus", "-k", f"{here.url}Project/", "bob", here.password, cwd=tmp_path, env=environment, seconds=120
    )
    assert output.count("summary for") == 5, output
    assert re.findall(r"(\w+)\.* FAIL", output) == [], output


async def test_curl_lists_and_sends(here, tmp_path):
    """Curl gets a page of links for a folder and sends a file of some size after it was let in (Expect)."""
    needs("curl")
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(3 * 1024 * 1024))
    login = ("-s", "-f", "-u", f"bob:{here.password}")
    code, page = await run_program("curl", *login, here.url)
    assert (code, "Project" in page) == (0, True)
    code, output = await run_program(
        "curl", *login, "-H", "Expect: 100-continue", "-T", str(large), f"{here.url}Project/"
    )
    assert code == 0, output
    assert (here.files / "Project" / "large.bin").read_bytes() == large.read_bytes()


GIO = """
set -e
printf '%s\\n' "$WORD" | gio mount "$URL"
gio list "$URL"
gio cat "${URL}Library/book.txt"
gio copy "$HOME/up.txt" "${URL}Project/up.txt"
gio mkdir "${URL}Project/made"
gio move "${URL}Project/up.txt" "${URL}Project/made/down.txt"
gio cat "${URL}Project/made/down.txt"
gio remove "${URL}Project/hello.txt"
gio mount -u "$URL"
"""


async def test_gio_mounts(here, tmp_path):
    """What GNOME's Files is made of mounts with the app password, lists, reads, copies, moves and removes."""
    needs("gio", "dbus-run-session", "/usr/libexec/gvfsd-dav")
    home = tmp_path / "home"
    (home / "up.txt").write_text("from gio")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    url = here.url.replace("http://", "dav://bob@")
    environment = {"HOME": str(home), "PATH": PATH, "XDG_RUNTIME_DIR": str(runtime), "URL": url, "WORD": here.password}
    code, output = await run_program("dbus-run-session", "--", "bash", "-c", GIO, env=environment)
    assert code == 0, output
    assert {"Project", "Library", "Report.txt"} <= set(output.split())
    assert "a book" in output
    assert (here.files / "Project" / "made" / "down.txt").read_text() == "from gio"
    assert not (here.files / "Project" / "hello.txt").exists()


async def test_davfs2_mounts(here, tmp_path):
    """davfs2 reads and writes files by name, with locks; its listings fail on some kernels whatever the server is."""
    needs("mount.davfs")
    async with davfs(here, tmp_path) as point:
        assert await asyncio.to_thread((point / "Library" / "book.txt").read_text) == "a book"
        await asyncio.to_thread((point / "Project" / "new.txt").write_text, "from davfs2")
    assert (here.files / "Project" / "new.txt").read_text() == "from davfs2"


@asynccontextmanager
async def davfs(here, folder):
    """Mount with davfs2; when it is unmounted, everything has been written."""
    point = folder / "point"
    point.mkdir()
    secrets = folder / "secrets"
    secrets.write_text(f"{here.url} bob {here.password}\n")
    secrets.chmod(0o600)
    settings = folder / "davfs2.conf"
    settings.write_text(f"secrets {secrets}\nuse_locks 1\nask_auth 0\ndelay_upload 0\n")
    settings.chmod(0o600)
    code, output = await run_program("mount.davfs", "-o", f"conf={settings}", here.url, str(point), env={"PATH": PATH})
    assert code == 0, output
    try:
        yield point
    finally:
        code, output = await run_program("umount", str(point), env={"PATH": PATH})
    assert code == 0, output
