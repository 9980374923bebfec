"""Tools that a test needs and a machine may lack; what was skipped for them is said at the end."""

import shutil
from collections import defaultdict
from collections.abc import Iterable

import pytest

NEEDS = "needs "
"""How the reason of every such skip begins."""


def needs_tool(name: str) -> pytest.MarkDecorator:
    """Mark a test that runs only where an executable of this name is on the path."""
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{NEEDS}{name}")


def skipped_for_tools(reports: Iterable[pytest.TestReport]) -> dict[str, list[str]]:
    """Group skipped tests by the tool that was missing, both in alphabetical order."""
    found: dict[str, set[str]] = defaultdict(set)
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        tool = reason.removeprefix("Skipped: ")
        if tool.startswith(NEEDS):
            found[tool.removeprefix(NEEDS)].add(report.nodeid)
    return {tool: sorted(found[tool]) for tool in sorted(found)}
