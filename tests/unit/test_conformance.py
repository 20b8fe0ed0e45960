"""The page of requirements is true: every mark names a requirement, and the page is what the tests say."""

import ast

from support import conformance
from support.requirements import LEVELS, REQUIREMENTS


def test_the_page_is_what_the_tests_say():
    """docs/conformance.md is the output of `make docs`."""
    assert conformance.PAGE.read_text() == conformance.page(conformance.proofs())


def test_every_mark_names_a_requirement():
    """No test claims to prove a requirement that does not exist."""
    known = {requirement.id for requirement in REQUIREMENTS}
    unknown = {name: tests for name, tests in conformance.proofs().items() if name not in known}
    assert unknown == {}


def test_requirements_are_numbered_and_told_once():
    """Each requirement has an id of its own, a level, and a title."""
    assert len({requirement.id for requirement in REQUIREMENTS}) == len(REQUIREMENTS)
    assert all(requirement.level in LEVELS and requirement.title for requirement in REQUIREMENTS)


def test_marks_are_found_wherever_they_stand(tmp_path):
    """Marks on functions, classes, modules and parameters count, each once; helpers do not."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "pytestmark = [pytest.mark.req('A-1')]\n"
        "@pytest.mark.req('A-1')\n@pytest.mark.req('A-2', 'A-3')\ndef test_one(): ...\n"
        "@pytest.mark.req('A-9')\ndef helper(): ...\n"
        "@pytest.mark.req('A-4')\nclass TestIt:\n"
        "    @pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.req('A-5'))])\n"
        "    async def test_two(self, x): ...\n"
    )
    found = {name: [proof.test for proof in tests] for name, tests in conformance.proofs(tmp_path).items()}
    one, two = "test_it.py::test_one", "test_it.py::TestIt::test_two"
    assert found == {"A-1": [one, two], "A-2": [one], "A-3": [one], "A-4": [two], "A-5": [two]}


def test_what_has_no_test_is_listed_as_not_built():
    """A requirement without a test is on the page, and says so; the others show their tests' facts."""
    text = conformance.page({"SIG-4": [conformance.Proof("unit/test_a.py::test_x", "It is refused.")]})
    rows = [row for row in text.splitlines() if row.startswith("| ")]
    assert [row for row in rows if row.endswith("| built | 1 |")] == [row for row in rows if "[SIG-4](#sig-4)" in row]
    assert sum(row.endswith("| not built yet | 0 |") for row in rows) == len(REQUIREMENTS) - 1
    assert "- It is refused. (`unit/test_a.py::test_x`)" in text


def test_the_reader_is_not_fooled_by_other_calls():
    """Only marks called `req` count."""
    assert list(conformance._marks(ast.parse("@pytest.mark.other('A-1')\ndef test_x(): ..."))) == []
