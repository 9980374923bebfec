import pytest

from protocol.encoding import content_digest
from protocol.simulator.catalogue import calm, misbehaving
from protocol.simulator.quality import (
    Quality,
    is_less_likely,
    quality_of,
    result_quality,
)
from protocol.simulator.scenario import Behaviour, Scenario
from protocol.simulator.world import World
from protocol.units import SECOND


def settled(scenario: Scenario) -> World:
    world = World(scenario)
    world.engine.run(25 * SECOND)
    return world


def test_the_chance_of_so_many_hits_is_exact() -> None:
    half, tenth = 500_000, 100_000
    assert not is_less_likely(2, (half, half), 250_000)
    assert is_less_likely(2, (half, half), 250_001)
    assert is_less_likely(1, (tenth, half), 550_001)
    assert not is_less_likely(1, (tenth, half), 550_000)
    assert not is_less_likely(0, (tenth,), 1_000_000)
    assert is_less_likely(2, (tenth,), 1)


@pytest.mark.slow
def test_right_results_are_told_from_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled(calm(1))
    right = quality_of(world)
    assert len(right.tolerated_ppm) == 2
    assert (right.wrong, result_quality(world)) == (0, [])
    lie = content_digest(b"another")
    monkeypatch.setattr("protocol.simulator.quality.right_result", lambda _: lie)
    assert quality_of(world) == Quality(right.tolerated_ppm, 2)
    (violation,) = result_quality(world)
    assert violation.detail == "2 wrong of 2 accepted results", "nobody lies, so none may be wrong"


@pytest.mark.slow
def test_wrong_results_beyond_the_bound_break_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled(misbehaving(1, Behaviour.LYING))
    lie = content_digest(b"another")
    monkeypatch.setattr("protocol.simulator.quality.right_result", lambda _: lie)
    assert quality_of(world).wrong > 0
    assert result_quality(world) == []
