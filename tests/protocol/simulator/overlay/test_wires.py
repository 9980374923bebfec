from dataclasses import dataclass, field

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.overlay.message import Control, Message, Tally, new_message
from protocol.simulator.overlay.parameters import ScoreParameters
from protocol.simulator.overlay.scoring import ScoreBook
from protocol.simulator.overlay.topology import draw_topology
from protocol.simulator.overlay.wires import Draws, WireConditions, Wires


@dataclass
class Watch:
    """A router that only notes what arrives."""

    engine: Engine
    copies: list[tuple[int, int, int]] = field(default_factory=list)
    controls: list[tuple[int, int, int, Control]] = field(default_factory=list)

    def link(self, node: int, peer: int) -> None: ...

    def unlink(self, node: int, peer: int) -> None: ...

    def publish(self, node: int, message: Message) -> None: ...

    def arrive(self, node: int, source: int, message: Message) -> bool:
        self.copies.append((self.engine.now, node, source))
        is_new = not message.seen[node]
        message.seen[node] = 1
        return is_new

    def hear(self, node: int, source: int, control: Control, named: tuple[Message, ...]) -> None:
        self.controls.append((self.engine.now, node, source, control))


class Town:
    """Five nodes, each linked to all others."""

    def __init__(self, conditions: WireConditions) -> None:
        self.engine, self.tally = Engine(), Tally()
        self.watch = Watch(self.engine)
        topology = draw_topology(5, 4, 4, Stream(1, "topology"))
        assert len(topology.pairs) == 10
        self.wires = Wires(self.engine, topology, conditions, 1, self.tally)
        self.wires.router = self.watch
        self.message = new_message(0, 0, 0, 5)


def steady(delay_ns: int, loss_ppm: int = 0) -> WireConditions:
    return WireConditions(Conditions(Delay(Law.CONSTANT, delay_ns, delay_ns), loss_ppm))


def test_a_copy_goes_to_all_targets_but_its_relay_and_its_origin() -> None:
    town = Town(steady(10))
    town.wires.spread(town.message, 1, (0, 2, 3, 4), 2)
    town.engine.run(100)
    assert town.watch.copies == [(10, 3, 1), (10, 4, 1)]
    assert (town.tally.copies, town.tally.delivered, town.tally.useless) == (2, 2, 0)


def test_a_copy_that_comes_too_late_is_counted_and_never_seen() -> None:
    town = Town(steady(10))
    town.wires.spread(town.message, 1, (3,), 1)
    town.engine.run(5)
    town.wires.spread(town.message, 2, (3,), 2)
    town.engine.run(100)
    assert town.watch.copies == [(10, 3, 1)]
    assert (town.tally.copies, town.tally.delivered, town.tally.useless) == (2, 1, 1)


def test_a_judge_sees_copies_that_come_soon_after_the_first() -> None:
    town = Town(steady(10))
    town.wires.book = ScoreBook(ScoreParameters(mesh_window_ns=5), tuple(range(5)))
    for time in (0, 5, 6):
        town.engine.run(time)
        town.wires.spread(town.message, 1, (3,), 1)
    town.engine.run(100)
    assert [time for time, _, _ in town.watch.copies] == [10, 15]
    assert (town.tally.delivered, town.tally.useless) == (1, 2)


def test_whoever_is_ignored_reaches_nobody() -> None:
    town = Town(steady(10))
    town.wires.book = ScoreBook(ScoreParameters(), tuple(range(5)))
    town.wires.book.ignored[3][1] = None
    town.wires.spread(town.message, 1, (3, 4), 1)
    town.engine.run(100)
    assert town.watch.copies == [(10, 4, 1)]


def test_each_link_has_one_distance_in_both_directions_and_some_jitter() -> None:
    distance = Delay(Law.UNIFORM, 1_000, 9_000)
    town = Town(WireConditions(distance=distance))
    for source, target in ((1, 2), (2, 1), (1, 3), (3, 1)):
        town.wires.tell(source, target, Control.GRAFT)
    town.engine.run(10_000)
    times = {(source, target): time for time, target, source, _ in town.watch.controls}
    assert times[1, 2] == times[2, 1] != times[1, 3] == times[3, 1]
    shaken = Town(WireConditions(distance=Delay(Law.CONSTANT, 1_000, 1_000), jitter_ppm=100_000))
    for _ in range(50):
        shaken.wires.spread(new_message(0, 0, 0, 5), 1, (2, 3, 4), 1)
    shaken.engine.run(2_000)
    found = [time for time, _, _ in shaken.watch.copies]
    assert (min(found) >= 1_000, max(found) <= 1_100, len(set(found)) > 20) == (True, True, True)


def test_some_copies_and_controls_are_lost() -> None:
    town = Town(steady(10, loss_ppm=500_000))
    for _ in range(100):
        town.wires.spread(new_message(0, 0, 0, 5), 1, (2,), 1)
        town.wires.tell(1, 2, Control.PRUNE)
    town.engine.run(100)
    assert 30 < len(town.watch.copies) == town.tally.copies < 70
    assert 30 < len(town.watch.controls) == town.tally.controls[Control.PRUNE] < 70
    assert town.tally.events == town.tally.copies + town.tally.controls[Control.PRUNE]


def test_draws_of_many_are_like_draws_of_one() -> None:
    uniform = Draws(Delay(Law.UNIFORM, 5, 8), Stream(1, "x"))
    assert {uniform.delay() for _ in range(200)} == {5, 6, 7, 8}
    assert {uniform.below(3) for _ in range(200)} == {0, 1, 2}
    tailed = Draws(Delay(Law.LONG_TAILED, 100, 200), Stream(1, "x"))
    found = [tailed.delay() for _ in range(2_000)]
    assert min(found) >= 100
    assert 190 <= sum(found) // len(found) <= 210
