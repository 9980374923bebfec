from protocol.simulator.connections import REDIAL_NS, RESET_NS, SILENCE_NS, Connections
from protocol.simulator.engine import Engine


class Town:
    """Two nodes and what they were told."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.open = True
        self.told: list[tuple[int, int, int, bool]] = []
        self.connections = Connections(self.engine, 2, lambda a, b: self.open, self._tell)

    def _tell(self, node: int, peer: int, joined: bool) -> None:
        self.told.append((self.engine.now, node, peer, joined))

    def run(self, until: int) -> list[tuple[int, int, int, bool]]:
        self.engine.run(until)
        told, self.told = self.told, []
        return told


def connected() -> Town:
    town = Town()
    town.connections.review()
    assert town.run(REDIAL_NS) == [(REDIAL_NS, 0, 1, True), (REDIAL_NS, 1, 0, True)]
    return town


def test_a_short_cut_goes_unnoticed() -> None:
    town = connected()
    town.open = False
    town.connections.review()
    town.engine.run(REDIAL_NS + SILENCE_NS // 2)
    town.open = True
    town.connections.review()
    assert town.run(4 * SILENCE_NS) == []


def test_a_long_cut_is_noticed_on_both_sides_and_healed() -> None:
    town = connected()
    town.open = False
    town.connections.review()
    left = REDIAL_NS + SILENCE_NS
    assert town.run(left) == [(left, 0, 1, False), (left, 1, 0, False)]
    town.open = True
    town.connections.review()
    assert [joined for _, _, _, joined in town.run(2 * left)] == [True, True]


def test_a_crash_is_noticed_by_the_side_that_lives() -> None:
    town = connected()
    town.open = False
    town.connections.reset(0)
    noticed = REDIAL_NS + RESET_NS
    assert town.run(noticed) == [(noticed, 1, 0, False)]


def test_only_named_pairs_are_connected_and_one_node_can_be_reviewed_alone() -> None:
    engine, told = Engine(), []
    connections = Connections(
        engine,
        4,
        lambda a, b: True,
        lambda node, peer, joined: told.append((node, peer, joined)),
        pairs=((0, 1), (2, 3)),
    )
    connections.review(0)
    engine.run(REDIAL_NS)
    assert told == [(0, 1, True), (1, 0, True)]
    connections.review()
    engine.run(3 * REDIAL_NS)
    assert told[2:] == [(2, 3, True), (3, 2, True)]
