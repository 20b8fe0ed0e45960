"""The types that options have: durations, sizes, hosts, networks, secrets, and how their values are written.

Each is an annotated type whose `Unit` tells the reader of the reference what to write. Values from the environment
are always text, so every parser takes text as well as what YAML makes of it. No message repeats the value: it may
be a secret in the wrong place.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.errors import GatewayError
from gateway.model.address import Host, authority_of, parse_host
from gateway.model.secret import Secret

USER_SLOT = "{user}"
DURATION_MAX_SECONDS = 10 * 365 * 86400

_DURATIONS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_PREFIX = re.compile(r"(/[A-Za-z0-9_-]+)+")
_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is written for a value of this type, as the reference tells it; `show` writes a default that way."""

    text: str
    show: Callable[[float], str] | None = None


def parse_duration(value: object) -> float:
    """Return the seconds in `90s`, `10m`, `12h`, `7d`, `250ms` or a plain number."""
    seconds = _amount(value, _DURATIONS, "write a duration as 90s, 10m, 12h or 7d")
    if seconds > DURATION_MAX_SECONDS:
        message = "longer than ten years"
        raise ValueError(message)
    return seconds


def parse_size(value: object) -> int:
    """Return the bytes in `512`, `64KiB`, `1MiB`, `2GiB`."""
    amount = _amount(value, _SIZES, "write a size as bytes, or as 64KiB, 1MiB or 2GiB")
    if amount != int(amount):
        message = "not a whole number of bytes"
        raise ValueError(message)
    return int(amount)


def show_duration(seconds: float) -> str:
    """Write seconds in the largest unit that keeps them whole."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _DURATIONS[unit] == 0:
            return f"{seconds / _DURATIONS[unit]:.0f}{unit}"
    return f"{seconds:.15g}s" if seconds else "0"


def show_size(size: float) -> str:
    """Write bytes in the largest unit that keeps them whole."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZES[unit] == 0:
            return f"{size / _SIZES[unit]:.0f}{unit}"
    return f"{size:.0f}"


def _amount(value: object, units: dict[str, float] | dict[str, int], advice: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(advice)  # noqa: TRY004 - pydantic collects ValueError, a TypeError would escape it.
    found = _AMOUNT.fullmatch(str(value).strip())
    if isinstance(value, str) and found and found[2] in units:
        return float(found[1]) * units[found[2]]
    if isinstance(value, str) or not math.isfinite(value) or value < 0:
        raise ValueError(advice)
    return float(value)


def _split_text(value: object) -> object:
    """Split what the environment gives for a list at its commas."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _read_json(value: object) -> object:
    """Read what the environment gives for a list of mappings, which has to be JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        message = "in the environment this is written as JSON"
        raise ValueError(message) from error


def _host(value: object) -> Host:
    return Host(_in_our_words(parse_host, value))


def _origin(value: object) -> str:
    text = str(value)
    authority = _in_our_words(authority_of, text)
    return f"{urlsplit(text).scheme}://{authority}"


def _in_our_words(parse: Callable[[str], str], value: object) -> str:
    try:
        return parse(str(value))
    except GatewayError as error:
        raise ValueError(error.public) from error


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = "write it as http(s)://host[:port][/path]"
        raise ValueError(message)
    if "@" in parts.netloc or parts.query or parts.fragment:
        message = "user names, queries and fragments do not belong into this URL"
        raise ValueError(message)
    return value


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError as error:
        message = "write a network as 10.0.0.0/8 or fd00::/8, without host bits"
        raise ValueError(message) from error


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        message = "write the secret as text, in quotes"
        raise ValueError(message)
    return Secret(str(value))


def _storage_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("webdav+http", "webdav+https", "sftp", "file"):
        _refuse("write it as webdav+https://host/path/, sftp://user@host/path or file:///path")
    if "@" in parts.netloc and (parts.scheme != "sftp" or parts.password is not None or not parts.username):
        _refuse("log-in names and pass words do not belong into a URL: use storage.credentials")
    if parts.query or parts.fragment:
        _refuse("a query or fragment has no meaning here")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        _refuse("a local folder is written with three slashes: file:///path")
    if parts.scheme != "file" and not (parts.hostname and _is_port(parts)):
        _refuse("the host is missing, or its port is no number")
    _check_slot(value, parts.path)
    return value


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _check_slot(url: str, path: str) -> None:
    """Refuse `{user}` where a name put there could reach further than its own folder.

    On a file system nothing may follow it: the user could replace what does by a link to somewhere else.
    """
    if USER_SLOT not in url:
        return
    steps = path.split("/")
    if url.count(USER_SLOT) > 1 or USER_SLOT not in steps:
        _refuse("{user} has to be a whole part of the path, and only one")
    if not url.startswith("webdav+") and path.rstrip("/").rpartition("/")[2] != USER_SLOT:
        _refuse("{user} has to be the last part of the path: users could replace what comes after it by a link")


def _store_url(value: str) -> str:
    parts = urlsplit(value)
    if value != "embedded" and parts.scheme not in ("redis", "rediss", "unix"):
        _refuse("write `embedded`, redis://host:port/0, rediss://host:port/0 or unix:///path")
    if "@" in parts.netloc or "password" in parts.query:
        _refuse("log-in names and pass words do not belong into a URL: use store.username and store.password")
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        _refuse("write it as /ocm: it begins with a slash and ends without one")
    return value


def _credentials(value: Secret) -> Secret:
    if not value.reveal().partition(":")[0] or ":" not in value.reveal():
        _refuse("write it as user:password")
    return value


def _command(value: str) -> str:
    try:
        is_usable = bool(shlex.split(value))
    except ValueError:
        is_usable = False
    if not is_usable:
        _refuse("write a program and its arguments, with quotes in pairs")
    return value


def _refuse(advice: str) -> NoReturn:
    raise ValueError(advice)


def _path(value: Path) -> Path:
    return value.expanduser()


split_at_commas = BeforeValidator(_split_text)
read_json = BeforeValidator(_read_json)

_DURATION = Unit("duration, such as 90s, 10m, 12h, 7d", show_duration)

Seconds = Annotated[float, Field(gt=0), BeforeValidator(parse_duration), _DURATION]
WholeSeconds = Annotated[int, Field(gt=0), BeforeValidator(parse_duration), _DURATION]
SecondsOrNever = Annotated[float, BeforeValidator(parse_duration), Unit(f"{_DURATION.text}; 0 = never", show_duration)]
Size = Annotated[int, Field(gt=0), BeforeValidator(parse_size), Unit("bytes, or 64KiB, 1MiB, 2GiB", show_size)]
Count = Annotated[int, Field(gt=0), Unit("number")]
Port = Annotated[int, Field(ge=0, le=65535), Unit("port; 0 = any free one")]
FilePath = Annotated[Path, AfterValidator(_path), Unit("path")]
Origin = Annotated[str, BeforeValidator(_origin), Unit("https://host[:port]")]
HttpUrl = Annotated[str, AfterValidator(_http_url), Unit("http(s)://host[:port][/path]")]
HiddenText = Annotated[Secret, BeforeValidator(_secret), Unit("secret; also `…_file`")]
Names = Annotated[tuple[str, ...], split_at_commas, Unit("list of names")]
Hosts = Annotated[tuple[Annotated[Host, BeforeValidator(_host)], ...], split_at_commas, Unit("list of hosts")]
Networks = Annotated[
    tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...],
    split_at_commas,
    Unit("list of networks, such as 10.0.0.0/8"),
]
Credentials = Annotated[HiddenText, AfterValidator(_credentials)]
CommandLine = Annotated[str, AfterValidator(_command), Unit("program and arguments")]
StorageUrl = Annotated[str, AfterValidator(_storage_url), Unit("webdav+http(s)://…, sftp://… or file:///…")]
StoreUrl = Annotated[str, AfterValidator(_store_url), Unit("embedded, redis://…, rediss://…, unix://…")]
UrlPrefix = Annotated[str, AfterValidator(_prefix), Unit("path")]
