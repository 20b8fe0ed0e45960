"""Prints the declarations: `config/gateway.yaml`, and the table of `docs/configuration.md`.

The YAML loads as it stands: required options show an example, the others their default; what has no default is
commented out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from gateway.config.options import Option, options, sections

_WIDTH = 110

_YAML_HEAD = """\
# Every option of the gateway, with its default. Options without a default are commented out.
#
# An option's environment variable is OCM_GATEWAY_ and its name in capitals, with two underscores for the dot:
# storage.url is OCM_GATEWAY_STORAGE__URL. A flag beats the environment, the environment beats this file. A secret
# may stand in a file of its own: storage.credentials_file, or OCM_GATEWAY_STORAGE__CREDENTIALS_FILE.
#
# This page is printed from the code by `make docs`.
"""

_TABLE_HEAD = """\
# Configuration

Three options are enough: `public_url`, `storage.url` and `storage.credentials`. All others have a safe default.

- A value comes from a flag, else from the environment, else from the file given with `-c`, else it is the default.
- The environment variable of `storage.url` is `OCM_GATEWAY_STORAGE__URL`: the prefix, the name in capitals, two
  underscores for the dot. An empty variable counts as not set; an unknown one is an error.
- A secret may be read from a file: `storage.credentials_file: /run/secrets/storage` in the file, or
  `OCM_GATEWAY_STORAGE__CREDENTIALS_FILE` in the environment. One line end after it is left out.
- Lists are written in the environment with commas: `OCM_GATEWAY_PEERS__ALLOW=a.example,b.example`.
- Durations are `90s`, `10m`, `12h`, `7d`, plain numbers are seconds; sizes are `64KiB`, `1MiB`, plain numbers bytes.
- Paths that are relative start at the folder in which the gateway is started.

`ocm-gateway check-config` reports all faults at once. `config/gateway.yaml` holds all options with their defaults,
`config/examples/` has files for the usual storages. This page is printed from the code by `make docs`.
"""


def reference_yaml() -> str:
    """Return the commented file with every option."""
    lines = [_YAML_HEAD]
    begun = {""}
    is_inside = False
    for option in options().values():
        section, _, _ = option.path.rpartition(".")
        indent = "  " * option.path.count(".")
        if section not in begun:
            begun.add(section)
            name = section.rpartition(".")[2]
            lines += [*([] if indent[2:] else [""]), f"{indent[2:]}# {sections()[section]}", f"{indent[2:]}{name}:"]
        elif is_inside and not section:
            lines.append("")
        is_inside = bool(section)
        lines += _yaml_lines(option, indent)
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def reference_table() -> str:
    """Return the options' page: one table for each section."""
    lines = [_TABLE_HEAD, "## General", *_rows(_top())]
    for section, meaning in sections().items():
        inside = [option for option in options().values() if option.path.rpartition(".")[0] == section]
        lines += ["", f"## {section}", "", meaning, *_rows(inside)]
    return "\n".join(lines) + "\n"


def reference_schema() -> dict[str, object]:
    """Return the JSON schema of the names of all options, for the chart; what values may be, `load` says."""
    tree: dict[str, object] = {option.path: _described(option.path) for option in _top()}
    for section in sections():
        if "." not in section:
            tree[section] = _section_schema(section)
    tree["storages"] = {"type": "object", "description": options()["storages"].help} | {
        "additionalProperties": _section_schema("storage")
    }
    return _object(tree)


def _section_schema(section: str) -> dict[str, object]:
    inner = [path.rpartition(".")[2] for path in options() if path.rpartition(".")[0] == section]
    inner += [f"{name}_file" for name in inner if options()[f"{section}.{name}"].is_secret]
    names: dict[str, object] = {name: _described(f"{section}.{name}") for name in inner}
    below = [name for name in sections() if name.rpartition(".")[0] == section]
    names |= {name.rpartition(".")[2]: _section_schema(name) for name in below}
    return _object(names) | {"description": sections()[section]}


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _described(path: str) -> object:
    option = options().get(path) or options()[path.removesuffix("_file")]
    return {"description": option.help}


def _top() -> list[Option]:
    return [option for option in options().values() if "." not in option.path]


def _yaml_lines(option: Option, indent: str) -> Iterator[str]:
    name = option.path.rpartition(".")[2]
    remark = f"{option.help} ({option.unit})"
    yield from (f"{indent}# {line}" for line in textwrap.wrap(remark, _WIDTH))
    if option.default is not None:
        yield f"{indent}{name}: {_quoted(option.default)}"
    else:
        yield f"{indent}{'' if option.is_required else '# '}{name}: {_quoted(option.example or '')}"


def _quoted(text: str) -> str:
    """Quote what YAML would read as a mapping; nothing else that we print needs it, and examples of lists do not."""
    is_open = ("{" in text or "::" in text) and text[0] not in "[{"
    return f'"{text}"' if is_open else text


def _rows(shown: list[Option]) -> Iterator[str]:
    yield from ("", "| option | value | default | meaning |", "|---|---|---|---|")
    for option in shown:
        default = "required" if option.is_required else f"`{option.default}`" if option.default else ""
        unit = option.unit.replace("|", "\\|")
        yield f"| `{option.path}` | {unit} | {default} | {option.help} |"
