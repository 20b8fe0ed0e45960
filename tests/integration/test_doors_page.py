"""The page of doors is the table of doors of a running gateway's code."""

import asyncio
from pathlib import Path

from gateway.web.doors import Lock
from support import doorspage

PAGE = Path(__file__).parents[2] / "docs" / "doors.md"


def test_page_of_doors_is_printed_from_the_table():
    """`docs/doors.md` is the output of `make docs`, and has a row for each door and a meaning for each lock."""
    page = doorspage.page()
    assert PAGE.read_text("utf-8") == page
    table = asyncio.run(doorspage.all_doors())
    assert {door.lock for door in table} == set(Lock)
    assert all(door.about and f"| `{door.path}` |" in page for door in table)
