"""What holds for every test: how Hypothesis draws, who runs what, and what could not run."""

import os

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.support.sharing import ByFile, number_of_workers, place_of, usable_cores
from tests.support.tools import skipped_for_tools

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_xdist_auto_num_workers() -> int:
    return number_of_workers(usable_cores())


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # the order of the collection, below, is the queue
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # a process of pytest-xdist
        items.sort(key=lambda item: place_of(item.nodeid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = skipped_for_tools(terminalreporter.getreports("skipped"))
    if not missing:
        return
    terminalreporter.section("not run on this machine", sep="-")
    for tool, tests in missing.items():
        terminalreporter.line(f"for want of {tool}:")
        for test in tests:
            terminalreporter.line(f"  {test}")
