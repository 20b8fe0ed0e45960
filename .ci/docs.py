"""Writes the pages that are printed from the code: `make docs`. Tests keep each of them true."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from gateway.config import reference_table, reference_yaml  # noqa: E402 - as above.
from support import conformance  # noqa: E402 - the path comes first.

PAGES = {
    "config/gateway.yaml": reference_yaml,
    "docs/configuration.md": reference_table,
    "docs/conformance.md": lambda: conformance.page(conformance.proofs()),
}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (ROOT / name).write_text(text(), "utf-8")
