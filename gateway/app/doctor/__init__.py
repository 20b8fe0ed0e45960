"""The self-test of a gateway, from outside and inside. `examine` holds the list of checks."""

from __future__ import annotations

from gateway.app.doctor.examine import CHECKS, examine
from gateway.app.doctor.finding import Finding, Report, Result, State
from gateway.app.doctor.stranger import Place, parse_place

__all__ = ["CHECKS", "Finding", "Place", "Report", "Result", "State", "examine", "parse_place"]
