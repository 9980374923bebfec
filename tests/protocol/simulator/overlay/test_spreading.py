from collections.abc import Sequence
from dataclasses import dataclass, field

from protocol.simulator.chance import Stream
from protocol.simulator.engine import Engine
from protocol.simulator.overlay.message import Control, Message, new_message
from protocol.simulator.overlay.spreading import Flooding, InfectAndDie, Rumours


@dataclass
class Ear:
    """A carrier that delivers nothing and keeps what was sent."""

    copies: list[tuple[int, int]] = field(default_factory=list)

    def spread(self, message: Message, source: int, targets: Sequence[int], relay: int) -> None:
        self.copies += [(source, target) for target in targets if target != relay]

    def tell(
        self, source: int, target: int, control: Control, named: tuple[Message, ...] = ()
    ) -> None: ...


def test_flooding_tells_every_neighbour_once() -> None:
    ear = Ear()
    flood = Flooding(ear, 5)
    for peer in (1, 2, 3):
        flood.link(0, peer)
    flood.unlink(0, 3)
    message = new_message(0, 4, 0, 5)
    assert flood.arrive(0, 2, message)
    assert not flood.arrive(0, 1, message)
    assert ear.copies == [(0, 1)]
    flood.publish(0, new_message(1, 0, 0, 5))
    assert ear.copies == [(0, 1), (0, 1), (0, 2)]


def test_flooding_stops_what_is_invalid_and_ignores_control() -> None:
    ear = Ear()
    flood = Flooding(ear, 3)
    flood.link(0, 1)
    message = new_message(0, 2, 0, 3)
    message.invalid = True
    assert flood.arrive(0, 2, message)
    flood.hear(0, 1, Control.PRUNE, ())
    assert ear.copies == []
    flood.publish(0, new_message(1, 0, 0, 3))
    assert ear.copies == [(0, 1)]


def test_the_infected_tell_some_others_once() -> None:
    ear = Ear()
    links = (range(10),) * 10
    infection = InfectAndDie(ear, links, 3, Stream(1, "infections"))
    message = new_message(0, 9, 0, 10)
    assert infection.arrive(0, 9, message)
    assert not infection.arrive(0, 8, message)
    told = [target for _, target in ear.copies]
    assert len(set(told)) == 3
    assert 0 not in told


def test_those_who_know_a_rumour_tell_one_other_each_round_until_all_know() -> None:
    ear, engine = Ear(), Engine()
    links = (range(4),) * 4
    rumours = Rumours(engine, ear, links, 10, Stream(1, "rumours"))
    message = new_message(0, 0, 0, 4)
    rumours.publish(0, message)
    assert len(ear.copies) == rumours.rounds == 1
    assert rumours.arrive(2, 0, message)
    assert not rumours.arrive(2, 0, message)
    engine.run(10)
    assert [source for source, _ in ear.copies] == [0, 0, 2]
    rumours.arrive(1, 0, message)
    rumours.arrive(3, 0, message)
    engine.run(100)
    assert rumours.rounds == 2
