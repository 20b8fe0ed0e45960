"""The house rules that a machine can see: sizes, docstrings of tests, reasons behind suppressions, no leftovers."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted((ROOT / "gateway").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MODULE_MAX_LINES = 340
FUNCTION_MAX_LINES = 45
USUAL_FUNCTION_LINES = 25
MEDIAN_FUNCTION_LINES = 6

SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|shellcheck disable)\b(.*)")
EXPLAINED = re.compile(r"(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[a-z-]+(?:,\s*[a-z-]+)*\]|=SC\d+)\s*(?:-|#)\s*\S+")
LEFTOVER = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")


def functions(path):
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function):
    """Return the lines of a function without its docstring and decorators, as a reader counts them."""
    has_docstring = ast.get_docstring(function) is not None and len(function.body) > 1
    first = function.body[1].lineno if has_docstring else function.lineno
    return function.end_lineno - first + 1


def unexplained(text):
    """Return the suppressions without a reason, which stands behind the code after a dash or a second hash."""
    found = (match for line in text.splitlines() if (match := SUPPRESSION.search(line)))
    return [match[0] for match in found if not EXPLAINED.match(match[2])]


def test_modules_are_short():
    """A module has one idea: where it grows beyond 300 lines or so, the second one moves out."""
    sizes = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in CODE}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_MAX_LINES} == {}


def test_functions_are_short():
    """Half of the functions fit in 6 lines, nine in ten in 25, and none is long."""
    sizes = sorted((length(function), f"{path.name}:{function.name}") for path in CODE for function in functions(path))
    assert sizes[len(sizes) // 2][0] <= MEDIAN_FUNCTION_LINES
    assert sizes[len(sizes) * 9 // 10][0] <= USUAL_FUNCTION_LINES
    assert [where for lines, where in sizes if lines > FUNCTION_MAX_LINES] == []


def test_every_test_tells_its_fact():
    """Each test says in its docstring, in one full sentence, what it proves."""
    silent = [
        f"{path.relative_to(ROOT)}::{function.name}"
        for path in TESTS
        if path.name.startswith("test_")
        for function in functions(path)
        if function.name.startswith("test_") and not (ast.get_docstring(function) or "").endswith((".", "?"))
    ]
    assert silent == []


def test_suppressions_have_reasons():
    """Whoever silences a tool says why, on the same line."""
    found = {str(path.relative_to(ROOT)): unexplained(path.read_text("utf-8")) for path in CODE + TESTS}
    assert {name: lines for name, lines in found.items() if lines and name != "tests/unit/test_house.py"} == {}


@pytest.mark.parametrize(
    ("line", "is_explained"),
    [
        ("x = 1  # noqa: S105 - it is a name, not a secret", True),
        ("x = 1  # noqa: S105, E501 - two of them", True),
        ("x = 1  # type: ignore[misc] # the stubs lag behind", True),
        ("x = 1  # noqa: S105", False),
        ("x = 1  # noqa", False),
        ("x = 1  # type: ignore[misc]", False),
    ],
)
def test_a_suppression_without_a_reason_is_found(line, is_explained):
    """The reader tells suppressions with a reason from those without."""
    assert (unexplained(line) == []) == is_explained


def test_nothing_is_left_for_later_in_comments():
    """What is to be done stands in an issue, not in a comment."""
    places = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in CODE + TESTS
        for line in path.read_text("utf-8").splitlines()
        if LEFTOVER.search(line)
    ]
    assert places == []
