"""Reads the configuration: flags over the environment over the file over the defaults.

Each layer becomes a flat table from dotted names to values, so that unknown names, secrets in files and precedence
are treated alike wherever a value comes from. All faults of all layers are reported in one `ConfigError`. No
message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from gateway.config.checks import check
from gateway.config.options import (
    ENVIRONMENT_PREFIX,
    as_declared,
    declared,
    is_section,
    nearest,
    options,
    secret_of_file,
)
from gateway.config.sections import Config
from gateway.errors import Fault, GatewayError, Kind

CONFIG_FILE_VARIABLE = "OCM_GATEWAY_CONFIG"
SECRET_FILE_MAX_BYTES = 64 * 1024

_SERVICE_LINK = re.compile(r"OCM_GATEWAY_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|OCM_GATEWAY_(\w+_)?PORT(_\d+_\w+)?")


class ConfigError(GatewayError):
    """Everything that is wrong with the configuration, each fault under its dotted name."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(Kind.CONFIGURATION, "The configuration cannot be used.", faults=tuple(faults))


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Return the configuration, read whole and checked whole.

    Args:
        path: the YAML file, if there is one.
        environ: the environment; only names that begin with `OCM_GATEWAY_` count.
        overrides: what flags say, by dotted name.

    Raises:
        ConfigError: with all faults.
    """
    layers = _Layers()
    layers.add_file(path)
    layers.add_environment(environ or {})
    layers.add_flags(overrides or {})
    values = _with_derived(layers.values)
    config, faults = _validated(values)
    told = {fault.name for fault in faults + layers.faults}
    faults += [fault for fault in check(config) if fault.name not in told] if config else []
    if faults := layers.faults + [layers.with_origin(fault) for fault in faults]:
        raise ConfigError(faults)
    assert config
    return config


class _Entry(NamedTuple):
    """One value of a layer; the origin is told with its faults, nothing stands for the file."""

    name: str
    value: object
    origin: str = ""


@dataclass(slots=True)
class _Layers:
    """The values so far, where each came from, and what was wrong on the way."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add_file(self, path: Path | None) -> None:
        if path is None:
            return
        try:
            document = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader.
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(Fault(str(path), f"cannot be read: {_reason(error)}"))
        except (yaml.YAMLError, RecursionError) as error:
            self.faults.append(Fault(str(path), _yaml_sentence(error)))
        else:
            self._add_document(path, document)

    def _add_document(self, path: Path, document: object) -> None:
        if document is not None and not isinstance(document, Mapping):
            self.faults.append(Fault(str(path), "the file has to hold options, as `name: value`"))
        elif document:
            self.add(self._flat(document))

    def _flat(self, document: Mapping[Any, object], prefix: str = "", origin: str = "") -> Iterator[_Entry]:
        for key, value in document.items():
            name = f"{prefix}{key}"
            if not is_section(name):
                yield _Entry(name, value, origin)
            elif isinstance(value, Mapping):
                yield from self._flat(value, f"{name}.", origin)
            elif value is not None:
                self.faults.append(Fault(name, "this is a section: write its options indented below it"))

    def add_environment(self, environ: Mapping[str, str]) -> None:
        self.add(
            _Entry(variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", "."), value, variable)
            for variable, value in environ.items()
            if variable.startswith(ENVIRONMENT_PREFIX) and value and not _is_foreign(variable, value)
        )

    def add_flags(self, overrides: Mapping[str, object]) -> None:
        several = overrides.get("storages")
        flat = self._flat({"storages": several}, "", "a flag") if isinstance(several, Mapping) else ()
        rest = (_Entry(name, value, "a flag") for name, value in overrides.items() if not flat or name != "storages")
        self.add((*flat, *rest))

    def add(self, layer: Iterable[_Entry]) -> None:
        """Lay a layer over those so far."""
        entries = [entry for entry in layer if entry.value is not None]
        names = {entry.name for entry in entries}
        for entry in entries:
            if declared(entry.name) and not is_section(entry.name):
                self._put(entry.name, entry.value, entry.origin)
            elif secret := secret_of_file(entry.name):
                self._put_from_file(secret, entry, is_double=secret in names)
            else:
                self._unknown(entry)

    def _put(self, name: str, value: object, origin: str) -> None:
        self.values[name] = value
        self.origins[name] = origin

    def _put_from_file(self, name: str, entry: _Entry, *, is_double: bool) -> None:
        if is_double:
            self.faults.append(Fault(entry.name, f"{name} is given as well: say it once"))
            return
        try:
            self._put(name, _read_secret(Path(str(entry.value))), entry.origin)
        except (OSError, ValueError) as error:
            self.faults.append(Fault(entry.name, f"the file cannot be read: {_reason(error)}"))

    def _unknown(self, entry: _Entry) -> None:
        if entry.origin.startswith(ENVIRONMENT_PREFIX):
            name, known = entry.origin, [option.environment for option in options().values()]
        else:
            name, known = entry.name, _names_like(entry.name)
        self.faults.append(Fault(name, f"unknown option{nearest(name, known)}"))

    def with_origin(self, fault: Fault) -> Fault:
        origin = self.origins.get(fault.name)
        return Fault(fault.name, f"{fault.message} (set by {origin})") if origin else fault


class _Loader(yaml.SafeLoader):
    """Refuses keys that stand twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature is PyYAML's.
        keys = [self.construct_object(key) for key, _ in node.value]
        for position, (key, _) in enumerate(node.value):
            if keys[position] in keys[:position]:
                raise yaml.constructor.ConstructorError(problem="a key stands twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def _names_like(name: str) -> list[str]:
    """Return the names of options among which a mistyped one is looked for, below the same storage."""
    if not name.startswith("storages."):
        return list(options())
    one = name.removesuffix(as_declared(name).removeprefix("storage"))
    return [path.replace("storage", one, 1) for path in options() if path.startswith("storage.")]


def _is_foreign(variable: str, value: str) -> bool:
    """Tell what is no option of ours: the file's name, and what Kubernetes adds for a Service `ocm-gateway`."""
    if variable == CONFIG_FILE_VARIABLE:
        return True
    is_port = "SERVICE_" not in variable
    return bool(_SERVICE_LINK.fullmatch(variable)) and (not is_port or "://" in value or variable.count("_TCP") > 0)


def _yaml_sentence(error: Exception) -> str:
    """Say where the file is wrong; PyYAML's own sentence may repeat the text, which may be a secret."""
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    is_double = getattr(error, "problem", None) == "a key stands twice"
    return f"{'a key stands twice' if is_double else 'this is not valid YAML'}{place}"


def _read_secret(path: Path) -> str:
    """Read one secret; the line's end that editors and `echo` leave behind is not part of it."""
    data = path.expanduser().read_bytes()
    if len(data) > SECRET_FILE_MAX_BYTES:
        message = "it is too large for a secret"
        raise ValueError(message)
    return data.decode("utf-8").rstrip("\r\n")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return getattr(error, "strerror", None) or str(error)


def _with_derived(values: dict[str, object]) -> dict[str, object]:
    """Fill in the one default that follows from another section: a local folder has no log-in to try."""
    urls = [str(value) for name, value in values.items() if as_declared(name) == "storage.url"]
    if urls and all(url.startswith("file:") for url in urls):
        return {"identity.providers": ["file"], **values}
    return values


def _validated(values: dict[str, object]) -> tuple[Config | None, list[Fault]]:
    """Return the configuration and the faults of single options.

    Options at fault are left out for a second try, so that the rules between the others are asked as well.
    """
    try:
        return Config.model_validate(_nested(values)), []
    except ValidationError as error:
        faults = list(_faults(error))
        sound = {name: value for name, value in values.items() if not any(_concerns(fault, name) for fault in faults)}
        try:
            return Config.model_validate(_nested(sound)), faults
        except ValidationError:
            return None, faults


def _concerns(fault: Fault, name: str) -> bool:
    return fault.name == name or fault.name.startswith(f"{name}.")


def _nested(values: dict[str, object]) -> dict[str, object]:
    # The one storage is asked for where there is no other.
    tree: dict[str, Any] = {} if any(name.startswith("storages") for name in values) else {"storage": {}}
    for name, value in values.items():
        *parents, option = name.split(".")
        section = tree
        for parent in parents:
            section = section.setdefault(parent, {})
        section[option] = value
    return tree


def _faults(error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in one["loc"])
        match one["type"]:
            case "default_factory_not_called":
                continue  # It follows from an option that is told already.
            case "missing":
                known = declared(name)
                yield Fault(name, f"required: {known.help}" if known else "required")
            case "value_error":
                yield Fault(name, str(one["ctx"]["error"]))
            case _:
                yield Fault(name, one["msg"].removeprefix("Input ").replace("should be", "has to be"))
