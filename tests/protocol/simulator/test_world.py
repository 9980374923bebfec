from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.catalogue import calm
from protocol.simulator.scenario import START_NS
from protocol.simulator.world import START_SPREAD_NS, World
from protocol.units import SECOND


class Diary:
    """Counts kinds of events and effects by node."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, str], int] = {}

    def event(self, time: int, node: int, event: ev.Event) -> None:
        self._count(node, type(event).__name__)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        kind = effect.fact if isinstance(effect, fx.Report) else effect
        self._count(node, type(kind).__name__)

    def _count(self, node: int, kind: str) -> None:
        self.seen[node, kind] = self.seen.get((node, kind), 0) + 1


def test_all_nodes_start_and_find_one_another() -> None:
    world = World(calm(1))
    world.engine.run(START_NS + START_SPREAD_NS + SECOND)
    assert all(len(node.core.peers) == 4 for node in world.live_honest if node.core)
    assert len(world.live_honest) == 5


def test_jobs_are_run_and_answered() -> None:
    diary = Diary()
    world = World(calm(1), (diary,))
    world.engine.run(25 * SECOND)
    executed = sum(count for (_, kind), count in diary.seen.items() if kind == "Execute")
    ended = sum(
        count
        for (_, kind), count in diary.seen.items()
        if kind in ("ExecutionEnded", "ExecutionImpossible")
    )
    assert executed == ended > 0


def test_a_crashed_node_restores_its_blocks_and_rejoins() -> None:
    diary = Diary()
    world = World(calm(1), (diary,))
    world.engine.run(6 * SECOND)
    before = world.nodes[2].core
    assert before is not None
    reached = before.state.index
    world.crash(2, keeps_last_batch=True)
    world.engine.run(7 * SECOND)
    world.boot(2)
    world.engine.run(7 * SECOND)
    after = world.nodes[2].core
    assert after is not None
    assert after.state.index >= reached > 0
    world.engine.run(10 * SECOND)
    assert after.state.index > reached
    assert diary.seen[2, "BlocksRestored"] >= 1
    assert diary.seen[0, "PeerLeft"] == 1


def test_a_request_to_a_node_that_is_down_is_counted() -> None:
    world = World(calm(1))
    world.engine.run(2 * SECOND)
    for number in range(5):
        world.crash(number, keeps_last_batch=False)
    world.engine.run(12 * SECOND)
    assert world.unheard > 0
