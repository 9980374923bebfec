import pytest

from protocol.simulator import bounds as module
from protocol.simulator.bounds import bounds, gauges
from protocol.simulator.catalogue import calm
from protocol.simulator.log import Log
from protocol.simulator.world import World
from protocol.units import SECOND

pytestmark = pytest.mark.slow


def run() -> tuple[World, Log]:
    scenario = calm(2)
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    world.engine.run(8 * SECOND)
    return world, log


def test_every_size_is_read_and_under_its_cap() -> None:
    world, log = run()
    read = list(gauges(world, log))
    assert len(read) == 6 * 5
    assert {gauge.name for _, gauge in read if gauge.size} >= {
        "blocks in memory",
        "blocks written",
        "bytes written",
    }
    assert bounds(world, log) == []


def test_a_store_that_grows_without_rounds_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    world, log = run()
    count, size_bytes = log.kept[0]
    log.kept[0] = (3 * count, size_bytes)
    monkeypatch.setattr(module, "MISSING_MAX", -1)
    found = [(one.node, one.detail.split(",")[0]) for one in bounds(world, log)]
    waiting = [(node, "0 blocks waited for") for node in range(5)]
    assert sorted(found) == sorted([(0, f"{3 * count} blocks written"), *waiting])


def test_a_node_that_was_paused_while_it_started_is_not_blamed_for_what_it_has_stored() -> None:
    world, log = run()
    node = world.nodes[1]
    assert log.kept[1][0] > 0
    world.crash(1, keeps_last_batch=True)
    node.pause()
    world.boot(1)
    assert node.core is not None
    assert max(node.core.ledger.dag.tips()) == 0
    assert bounds(world, log) == []
