"""The rules of tests/conftest.py hold: closed network, nothing skipped under CI."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SUITE = "import pytest\n@pytest.mark.skip(reason='no server')\ndef test_x(): ...\ndef test_y(): ...\n"


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "169.254.169.254"])
def test_nothing_outside_can_be_reached(address):
    """A connection or a datagram to another machine ends in an error that is not taken for a network fault."""
    with socket.socket() as stream, pytest.raises(RuntimeError, match="no test may connect"):
        stream.connect((address, 80))
    with socket.socket(type=socket.SOCK_DGRAM) as datagram, pytest.raises(RuntimeError, match="no test may connect"):
        datagram.sendto(b"x", (address, 53))


def test_no_name_is_looked_up():
    """A name outside this machine is not looked up."""
    with pytest.raises(RuntimeError, match="no test may look up"):
        socket.getaddrinfo("cloud.example.org", 443)


def test_this_machine_can_be_reached():
    """A server on this machine can be reached by address and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            with socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
                assert client.getpeername()[0] == "127.0.0.1"


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
@pytest.mark.parametrize("suite", [SUITE, "import pytest\npytest.skip('no tool', allow_module_level=True)\n"])
def test_nothing_is_skipped_under_ci(tmp_path, suite, ci, status):
    """A skipped test, or a skipped module, fails under CI and only there."""
    (tmp_path / "test_it.py").write_text(suite + "def test_z(): ...\n")
    (tmp_path / "test_other.py").write_text("def test_o(): ...\n")
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "."]
    done = subprocess.run(
        command, cwd=tmp_path, env={"CI": ci, "PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == bool(status), done.stdout
    assert ("CI skips nothing" in done.stdout) == bool(status)
