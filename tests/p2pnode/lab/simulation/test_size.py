import os
from dataclasses import replace

import pytest

from p2pnode.lab.simulation.library import parse_scenario, shipped_scenarios
from p2pnode.lab.simulation.schema import Misread
from p2pnode.lab.simulation.size import check_size
from protocol.simulator.scenario import Workload
from protocol.units import SECOND
from tests.p2pnode.lab.simulation.builders import text

SCENARIO = parse_scenario(text()).scenario
HOUR = 3_600 * SECOND


def gibibytes(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    sizes = {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": count * 2**18}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)


def test_what_is_too_large_for_the_memory_is_refused_with_the_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gibibytes(monkeypatch, 8)
    many = replace(SCENARIO, workload=Workload(1, 4_000_000, SECOND))
    with pytest.raises(Misread) as refusal:
        check_size(many)
    said = "the run needs at least 9 GiB of memory, and this machine has 8"
    assert (refusal.value.path, str(refusal.value)) == (("workload",), said)
    wide = replace(SCENARIO, stakes=(1,) * 1_000, observers=90_000)
    with pytest.raises(Misread) as refusal:
        check_size(wide)
    said = "the run needs at least 16 GiB of memory, and this machine has 8"
    assert (refusal.value.path, str(refusal.value)) == (("nodes",), said)
    gibibytes(monkeypatch, 16)
    check_size(many)


def test_what_would_take_months_is_refused_with_the_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gibibytes(monkeypatch, 2**20)
    long = replace(SCENARIO, stakes=(1,) * 50, safety_ns=20_000 * HOUR)
    with pytest.raises(Misread) as refusal:
        check_size(long)
    said = "the run takes at least 41 days, and 30 are the most"
    assert (refusal.value.path, str(refusal.value)) == (("stop", "safety"), said)
    check_size(replace(long, safety_ns=10_000 * HOUR))


def test_everything_that_is_shipped_fits_into_little(monkeypatch: pytest.MonkeyPatch) -> None:
    gibibytes(monkeypatch, 1)
    for described in shipped_scenarios():
        check_size(described.scenario)
