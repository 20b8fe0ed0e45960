"""Writes the pages that are printed from the code: `make docs`. Tests keep each of them true."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from interop import compatibility  # noqa: E402 - the path comes first.

from gateway.config import reference_schema, reference_table, reference_yaml  # noqa: E402 - as above.
from support import conformance, doorspage  # noqa: E402 - the path comes first.

CHART_SCHEMA = "deploy/helm/ocm-gateway/values.schema.json"


def chart_schema() -> str:
    """Return the chart's schema with the options of the gateway put into it; the rest is written by hand."""
    schema = json.loads((ROOT / CHART_SCHEMA).read_text("utf-8"))
    schema["properties"]["config"] = reference_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


PAGES = {
    "config/gateway.yaml": reference_yaml,
    "docs/configuration.md": reference_table,
    CHART_SCHEMA: chart_schema,
    "docs/compatibility.md": compatibility.page,
    "docs/conformance.md": lambda: conformance.page(conformance.proofs()),
    "docs/doors.md": doorspage.page,
}

if __name__ == "__main__":
    for name, text in PAGES.items():
        (ROOT / name).write_text(text(), "utf-8")
