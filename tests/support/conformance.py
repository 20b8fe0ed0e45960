"""Prints docs/conformance.md: each requirement, the tests that prove it, and what is not built yet.

The tests are read, not run: a mark `@pytest.mark.req("SIG-4")` on a function, a class or a whole module
(`pytestmark`) counts. A marked test that fails fails the suite, so the page needs no results.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.requirements import LEVELS, REQUIREMENTS, Requirement

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/conformance.md"

_HEAD = """\
# Conformance

What Open Cloud Mesh asks of a provider, and the tests that prove that the gateway does it. The requirements are those
of draft-ietf-ocm-open-cloud-mesh-07 and draft-ietf-ocm-integration-protocol-00 in our own short words; *ours* are
promises that the drafts do not ask for. *Built* means that at least one test fails when it is broken; it does not mean
that every word of the draft is tested. This page is printed from the tests by `make docs`.
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """A test that names a requirement, and the fact that it tells."""

    test: str
    fact: str


def proofs(folder: Path = ROOT / "tests") -> dict[str, list[Proof]]:
    """Return the tests below `folder` that name each requirement."""
    found: dict[str, list[Proof]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for proof, requirement in _marks(ast.parse(path.read_text("utf-8"))):
            test = f"{path.relative_to(folder)}::{proof.test}"
            found.setdefault(requirement, []).append(Proof(test, proof.fact))
    return found


def page(found: dict[str, list[Proof]]) -> str:
    """Return the page: one row for each requirement, then the facts that the tests tell of each."""
    built = [requirement for requirement in REQUIREMENTS if requirement.id in found]
    lines = [_HEAD, f"{len(built)} of {len(REQUIREMENTS)} requirements have a test.", ""]
    lines += ["| id | level | requirement | state | tests |", "|---|---|---|---|---|"]
    lines += [_row(requirement, len(found.get(requirement.id, []))) for requirement in REQUIREMENTS]
    for requirement in built:
        lines += ["", f"## {requirement.id}", "", f"{requirement.title}.", ""]
        lines += [f"- {proof.fact} (`{proof.test}`)" for proof in found[requirement.id]]
    return "\n".join(lines) + "\n"


def _row(requirement: Requirement, tests: int) -> str:
    name = f"[{requirement.id}](#{requirement.id.lower()})" if tests else requirement.id
    state = f"built | {tests}" if tests else "not built yet | 0"
    return f"| {name} | {LEVELS[requirement.level]} | {requirement.title} | {state} |"


def _marks(module: ast.Module) -> Iterator[tuple[Proof, str]]:
    """Yield each test of a module with each requirement that marks it, its class or its module."""
    of_module = [
        name
        for node in module.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
        for name in _named(node.value)
    ]
    yield from _in_body(module.body, "", of_module)


def _in_body(body: list[ast.stmt], prefix: str, outer: list[str]) -> Iterator[tuple[Proof, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            inner = [name for mark in node.decorator_list for name in _named(mark)]
            yield from _in_body(node.body, f"{prefix}{node.name}::", outer + inner)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            own = [name for mark in node.decorator_list for name in _named(mark)]
            for name in dict.fromkeys(outer + own):
                yield Proof(f"{prefix}{node.name}", _fact(node)), name


def _fact(test: ast.AST) -> str:
    """Return the first sentence of a test's docstring, on one line."""
    return " ".join((ast.get_docstring(test) or "").partition("\n\n")[0].split())


def _named(tree: ast.AST) -> Iterator[str]:
    """Yield what every `….req("…")` inside a mark names: also in lists of marks and in parameters of a test."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "req":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))
