from dataclasses import dataclass, field

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.overlay.message import Control, Message, new_message
from protocol.simulator.overlay.spreading import Flooding
from protocol.simulator.overlay.sybils import REGRAFT_NS, REGRAFT_SPREAD_NS, Infiltrated


@dataclass
class Ear:
    """A carrier that delivers nothing and keeps what was sent."""

    copies: list[tuple[int, int]] = field(default_factory=list)
    told: list[tuple[int, int, Control]] = field(default_factory=list)

    def spread(self, message: Message, source: int, targets: tuple[int, ...], relay: int) -> None:
        self.copies += [(source, target) for target in targets if target != relay]

    def tell(
        self, source: int, target: int, control: Control, named: tuple[Message, ...] = ()
    ) -> None:
        self.told.append((source, target, control))


class Town:
    """Honest nodes 0 to 2, and node 3 which is false and linked to them."""

    def __init__(self) -> None:
        self.engine, self.ear = Engine(), Ear()
        self.router = Infiltrated(
            self.engine, self.ear, Flooding(self.ear, 3), 3, Stream(1, "sybils")
        )
        for peer in (0, 1, 2):
            self.router.link(3, peer)
            self.router.link(peer, 3)
        self.engine.run(0)


def test_a_false_node_grafts_whoever_it_is_linked_to() -> None:
    assert Town().ear.told == [(3, peer, Control.GRAFT) for peer in (0, 1, 2)]


def test_a_false_node_swallows_what_it_gets_while_it_attacks() -> None:
    town = Town()
    message = new_message(0, 0, 0, 4)
    assert town.router.arrive(3, 0, message)
    assert not town.router.arrive(3, 1, message)
    assert (town.router.swallowed, town.ear.copies) == (1, [])
    town.router.is_attacking = False
    town.router.arrive(3, 0, new_message(1, 0, 0, 4))
    assert (town.router.swallowed, town.ear.copies) == (1, [(3, 1), (3, 2)])


def test_a_pruned_false_node_grafts_again_when_the_backoff_is_over() -> None:
    town = Town()
    town.ear.told.clear()
    town.router.hear(3, 1, Control.PRUNE, ())
    town.router.hear(3, 0, Control.IHAVE, ())
    town.engine.run(REGRAFT_NS - 1)
    assert town.ear.told == []
    town.engine.run(REGRAFT_NS + REGRAFT_SPREAD_NS)
    assert town.ear.told == [(3, 1, Control.GRAFT)]


def test_honest_nodes_do_as_their_own_router_says() -> None:
    town = Town()
    assert town.router.arrive(1, 0, new_message(0, 0, 0, 4))
    assert town.ear.copies == [(1, 3)]
    town.router.publish(0, new_message(1, 0, 0, 4))
    town.router.unlink(0, 3)
    town.router.publish(0, new_message(2, 0, 0, 4))
    assert town.ear.copies == [(1, 3), (0, 3)]
    town.router.unlink(3, 2)
    town.router.hear(3, 2, Control.GRAFT, ())
    town.router.hear(0, 3, Control.GRAFT, ())
    town.router.is_attacking = False
    town.router.arrive(3, 0, new_message(3, 0, 0, 4))
    assert town.ear.copies[2:] == [(3, 1), (3, 2)]
