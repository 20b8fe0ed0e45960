"""A private Apache with mod_dav: own configuration, own port, accounts with pass words, real locks."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.davserver import USERS, DavServer, program, running

MODULES = [
    "mpm_event",
    "authn_core",
    "authn_file",
    "auth_basic",
    "authz_core",
    "authz_user",
    "dav",
    "dav_fs",
    "dav_lock",
    "dir",
    "autoindex",
    "mime",
    "alias",
]
MODULE_FOLDERS = (Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules"), Path("/usr/lib/httpd/modules"))


@contextmanager
def apache(*, extra: str = "") -> Iterator[DavServer]:
    """Run an Apache mod_dav; `extra` is added to its configuration."""
    binary = program("apache2", "httpd")
    # Not below pytest's folders: those are closed to the user that Apache becomes.
    with tempfile.TemporaryDirectory(prefix="dav") as name:
        place = Path(name)
        place.chmod(0o755)
        command = lambda port: [binary, "-f", str(_configure(place, port, extra)), "-DFOREGROUND"]  # noqa: E731 - short
        with running(command, place / "output") as (process, port):
            yield DavServer(
                url=f"http://127.0.0.1:{port}/dav/",
                files=place / "files",
                users=USERS,
                process=process,
                log=place / "error.log",
                own=_own,
            )


def _configure(place: Path, port: int, extra: str) -> Path:
    modules = next(folder for folder in MODULE_FOLDERS if folder.is_dir())
    for folder in ("files", "files/alice", "files/bob", "locks", "run"):
        (place / folder).mkdir(exist_ok=True)
        _own(place / folder)
    (place / "users").write_text("".join(f"{user}:{_sha1(word)}\n" for user, word in USERS.items()))
    loads = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in MODULES)
    homes = "\n".join(
        f"<Location /dav/{user}>\n  Require user {user} service\n</Location>" for user in USERS if user != "service"
    )
    config = place / "apache.conf"
    config.write_text(
        f"""
ServerRoot {place}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {place}/run/pid
DefaultRuntimeDir {place}/run
ErrorLog {place}/error.log
LogLevel warn
{"User www-data" if os.geteuid() == 0 else ""}
{"Group www-data" if os.geteuid() == 0 else ""}
{loads}
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
KeepAlive On
MaxKeepAliveRequests 0
LimitXMLRequestBody 10485760
LimitRequestBody 0
TypesConfig /dev/null
DavLockDB {place}/locks/db
DavMinTimeout 1
Alias /dav {place}/files
<Directory {place}/files>
  Dav On
  Options Indexes
  AllowOverride None
  AuthType Basic
  AuthName storage
  AuthUserFile {place}/users
  Require valid-user
</Directory>
{homes}
{extra}
"""
    )
    return config


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "www-data", "www-data")


def _sha1(word: str) -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()
