from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from protocol.simulator.engine import Engine
from protocol.simulator.overlay.gossipsub import MeshRouter
from protocol.simulator.overlay.message import Control, Message, new_message
from protocol.simulator.overlay.parameters import (
    MeshParameters,
    ScoreParameters,
    gossipsub_attacked_april,
)
from protocol.simulator.overlay.scoring import ScoreBook
from protocol.units import SECOND

Told = tuple[int, int, Control]
PEERS = 20
SMALL = MeshParameters(degree=4, low=3, high=6, lazy=2, lazy_ppm=0, outward=0, best=0)


@dataclass
class Ear:
    """A carrier that delivers nothing and keeps everything."""

    told: list[Told] = field(default_factory=list)
    copies: list[tuple[int, int]] = field(default_factory=list)
    named: list[tuple[Message, ...]] = field(default_factory=list)

    def spread(self, message: Message, source: int, targets: Sequence[int], relay: int) -> None:
        self.copies += [(source, target) for target in targets if target != relay]

    def tell(
        self, source: int, target: int, control: Control, named: tuple[Message, ...] = ()
    ) -> None:
        self.told.append((source, target, control))
        self.named.append(named)

    def take(self, control: Control) -> list[int]:
        """Whom node 0 told this; forgets all."""
        found = [target for _, target, kind in self.told if kind is control]
        self.told.clear()
        return found


class Town:
    """Node 0 with many neighbours that only listen."""

    def __init__(
        self,
        parameters: MeshParameters = SMALL,
        dialled: frozenset[int] = frozenset(),
        scores: ScoreParameters | None = None,
    ) -> None:
        self.engine, self.ear = Engine(), Ear()
        self.book = ScoreBook(scores, tuple(range(PEERS + 1))) if scores else None
        sides = (dialled, *(frozenset[int](),) * PEERS)
        self.router = MeshRouter(self.engine, self.ear, parameters, sides, 1, self.book)
        for peer in range(1, PEERS + 1):
            self.router.link(0, peer)
        self.router.start(0)

    def graft(self, *peers: int) -> None:
        for peer in peers:
            self.router.hear(0, peer, Control.GRAFT, ())

    def message(self, source: int = 1) -> Message:
        made = new_message(0, source, self.engine.now, PEERS + 1)
        made.arrivals[0] = self.engine.now
        return made


def test_a_heartbeat_fills_a_mesh_that_is_too_small() -> None:
    town = Town()
    town.engine.run(SECOND)
    assert sorted(town.ear.take(Control.GRAFT)) == sorted(town.router.mesh(0))
    assert len(town.router.mesh(0)) == 4


def test_a_heartbeat_prunes_a_mesh_that_is_too_large() -> None:
    town = Town(replace(SMALL, refuses_when_full=False))
    town.graft(*range(1, 12))
    assert len(town.router.mesh(0)) == 11
    town.engine.run(SECOND)
    assert len(town.ear.take(Control.PRUNE)) == 7
    assert len(town.router.mesh(0)) == 4


def test_a_full_mesh_refuses_whoever_the_node_did_not_dial() -> None:
    town = Town(dialled=frozenset({9}))
    town.graft(1, 2, 3, 4, 5, 6, 7, 9)
    assert town.ear.take(Control.PRUNE) == [7]
    assert town.router.mesh(0) == (1, 2, 3, 4, 5, 6, 9)


def test_a_full_mesh_of_april_2020_takes_everybody_in_until_the_next_heartbeat() -> None:
    town = Town(gossipsub_attacked_april().mesh, scores=gossipsub_attacked_april().mesh.scores)
    town.graft(*range(1, 17))
    assert town.ear.take(Control.PRUNE) == []
    assert len(town.router.mesh(0)) == 16
    town.engine.run(SECOND)
    assert len(town.router.mesh(0)) == 8
    town.router.hear(0, 1, Control.PRUNE, ())
    town.graft(1)
    assert town.book is not None
    assert town.book.beat(0, SECOND)[1] == 0, "grafting too early cost points"


def test_whoever_was_pruned_must_wait_before_it_grafts() -> None:
    town = Town(scores=ScoreParameters())
    town.router.hear(0, 1, Control.PRUNE, ())
    town.graft(1)
    assert town.ear.take(Control.PRUNE) == [1]
    assert town.book is not None
    assert town.book.beat(0, SECOND)[1] < 0
    late = Town()
    late.router.hear(0, 1, Control.PRUNE, ())
    late.engine.run(61 * SECOND)
    late.ear.told.clear()
    late.graft(1)
    assert late.ear.take(Control.PRUNE) == []
    assert 1 in late.router.mesh(0)


def test_a_mesh_keeps_neighbours_that_the_node_dialled_itself() -> None:
    town = Town(replace(SMALL, outward=2), frozenset({18, 19, 20}))
    town.graft(1, 2, 3, 4)
    town.engine.run(SECOND)
    own = [peer for peer in town.router.mesh(0) if peer >= 18]
    assert len(own) == 2


def test_a_new_message_goes_to_the_mesh_but_its_relay_and_a_known_one_nowhere() -> None:
    town = Town()
    town.graft(1, 2, 3)
    message = town.message(source=7)
    assert town.router.arrive(0, 2, message)
    assert town.ear.copies == [(0, 1), (0, 3)]
    assert not town.router.arrive(0, 3, message)
    assert town.ear.copies == [(0, 1), (0, 3)]


def test_an_invalid_message_is_passed_on_to_nobody_and_blamed_on_its_relay() -> None:
    town = Town(scores=ScoreParameters())
    town.graft(1, 2)
    message = town.message()
    message.invalid = True
    town.router.arrive(0, 1, message)
    assert town.ear.copies == []
    assert town.book is not None
    assert town.book.beat(0, SECOND)[1] < 0


def test_own_messages_are_flooded_if_so_told() -> None:
    town = Town()
    town.router.publish(0, town.message(source=0))
    assert len(town.ear.copies) == PEERS
    shy = Town(replace(SMALL, floods_own=False))
    shy.graft(1)
    shy.router.publish(0, shy.message(source=0))
    assert shy.ear.copies == [(0, 1)]


def test_names_are_told_to_some_outside_the_mesh_for_three_heartbeats() -> None:
    town = Town()
    town.graft(1, 2, 3, 4)
    town.router.arrive(0, 1, town.message())
    told = []
    for beat in range(1, 6):
        town.engine.run(beat * SECOND)
        told.append(town.ear.take(Control.IHAVE))
    assert [len(peers) for peers in told] == [2, 2, 2, 0, 0]
    assert not {1, 2, 3, 4} & {peer for peers in told for peer in peers}


def test_what_is_named_and_unknown_is_asked_for_and_handed_out() -> None:
    town = Town()
    known, unknown = town.message(), town.message(source=2)
    town.router.arrive(0, 1, known)
    town.ear.copies.clear()
    town.router.hear(0, 5, Control.IHAVE, (known, unknown))
    assert town.ear.told == [(0, 5, Control.IWANT)]
    assert town.ear.named == [(unknown,)]
    town.router.hear(0, 6, Control.IWANT, (known, unknown))
    assert town.ear.copies == [(0, 6)]
    town.engine.run(6 * SECOND)
    town.router.hear(0, 6, Control.IWANT, (known,))
    assert town.ear.copies == [(0, 6)]


def test_a_mesh_neighbour_that_brings_nothing_is_pruned_after_a_while() -> None:
    town = Town(scores=ScoreParameters())
    town.graft(1, 2, 3)
    assert town.book is not None
    for beat in range(1, 63):
        town.engine.run(beat * SECOND)
        for _ in range(3):
            town.book.deliver(0, 1, is_first=True)
    assert {2, 3} & set(town.router.mesh(0)) == set()
    assert 1 in town.router.mesh(0)


def test_a_poor_mesh_takes_in_better_neighbours() -> None:
    scores = ScoreParameters(graft_threshold=1, graft_ticks=2)
    town = Town(scores=scores)
    town.graft(1, 2, 3, 4)
    assert town.book is not None
    for _ in range(50):
        town.book.deliver(0, 8, is_first=True)
    town.engine.run(2 * SECOND)
    assert 8 in town.router.mesh(0)


def test_a_neighbour_that_left_is_in_no_mesh() -> None:
    town = Town()
    town.graft(1, 2)
    town.router.unlink(0, 1)
    town.router.unlink(0, 1)
    assert town.router.mesh(0) == (2,)
    town.graft(1)
    assert town.router.mesh(0) == (2,)
