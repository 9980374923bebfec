"""Tests of what is said about skipped tests."""

from typing import Literal

import pytest

from tests.support.tools import needs_tool, skipped_for_tools


def report(name: str, reason: str, outcome: Literal["passed", "skipped"]) -> pytest.TestReport:
    place = ("tests/test_some.py", 1, reason) if reason else None
    return pytest.TestReport(name, ("", None, ""), {}, outcome, place, "call")


def test_skips_are_grouped_by_the_missing_tool() -> None:
    reports = [
        report("b", "Skipped: needs node", "skipped"),
        report("a", "Skipped: needs node", "skipped"),
        report("c", "Skipped: needs a GPU", "skipped"),
        report("d", "Skipped: not on this system", "skipped"),
        report("e", "", "passed"),
    ]
    assert skipped_for_tools(reports) == {"a GPU": ["c"], "node": ["a", "b"]}


def test_only_a_missing_tool_skips() -> None:
    missing, present = needs_tool("no-such-tool-anywhere").mark, needs_tool("sh").mark
    assert (missing.args, missing.kwargs) == ((True,), {"reason": "needs no-such-tool-anywhere"})
    assert present.args == (False,)
