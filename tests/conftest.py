"""What holds for every test: how Hypothesis draws, and a last word on what could not run."""

import os

import pytest
from hypothesis import settings

from tests.support.tools import skipped_for_tools

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = skipped_for_tools(terminalreporter.getreports("skipped"))
    if not missing:
        return
    terminalreporter.section("not run on this machine", sep="-")
    for tool, tests in missing.items():
        terminalreporter.line(f"for want of {tool}:")
        for test in tests:
            terminalreporter.line(f"  {test}")
