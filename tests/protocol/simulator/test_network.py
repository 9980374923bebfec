from protocol import events as ev
from protocol.simulator.cuts import between_groups
from protocol.simulator.engine import Engine
from protocol.simulator.network import Conditions, Delay, Law, Network, Pair, Parcel
from protocol.units import AccountId

Arrival = tuple[int, int, ev.Event]
STEADY = Delay(Law.CONSTANT, 10, 10)
CALM = Conditions(STEADY)


def network(
    conditions: Conditions = CALM, count: int = 4, seed: int = 1
) -> tuple[Engine, Network, list[Arrival]]:
    engine, arrived = Engine(), []
    found = Network(
        engine,
        count,
        conditions,
        seed,
        lambda target, event: arrived.append((engine.now, target, event)),
    )
    return engine, found, arrived


def handed_over_by(relay: int) -> ev.Event:
    return ev.PeerJoined(AccountId(b"%d" % relay))


def parcel() -> Parcel:
    return Parcel(handed_over_by, 100)


def targets(arrived: list[Arrival]) -> list[int]:
    return sorted(target for _, target, _ in arrived)


def test_a_message_takes_the_delay_of_its_link() -> None:
    slow: Pair = (0, 2)
    conditions = Conditions(STEADY, slow=((slow, Delay(Law.CONSTANT, 50, 50)),))
    engine, links, arrived = network(conditions)
    links.send(0, 1, parcel())
    links.send(0, 2, parcel())
    engine.run(100)
    assert [(time, target) for time, target, _ in arrived] == [(10, 1), (50, 2)]
    assert links.traffic.messages == 2
    assert links.traffic.size_bytes == 200


def test_uniform_delays_fill_their_range() -> None:
    engine, links, arrived = network(Conditions(Delay(Law.UNIFORM, 5, 8)))
    for _ in range(100):
        links.send(0, 1, parcel())
    engine.run(10)
    assert {time for time, _, _ in arrived} == {5, 6, 7, 8}


def test_gossip_reaches_everybody_else() -> None:
    engine, links, arrived = network()
    links.gossip(1, range(4), parcel())
    engine.run(10)
    assert targets(arrived) == [0, 2, 3]


def test_a_cut_stops_one_direction_only() -> None:
    engine, links, arrived = network()
    links.cut([(0, 1)])
    links.send(0, 1, parcel())
    links.send(1, 0, parcel())
    engine.run(10)
    assert targets(arrived) == [0]
    assert links.traffic.cut == 1


def test_gossip_goes_round_a_cut_through_the_last_relay() -> None:
    engine, links, arrived = network(count=3)
    links.cut([(0, 1), (1, 0)])
    links.gossip(0, range(3), parcel())
    engine.run(100)
    assert [(time, target, event) for time, target, event in arrived if target == 1] == [
        (20, 1, handed_over_by(2))
    ]
    assert links.traffic.cut == 1


def test_gossip_does_not_cross_a_partition_until_it_heals() -> None:
    engine, links, arrived = network()
    cut = between_groups([(0, 1), (2, 3)])
    links.cut(cut)
    links.gossip(0, range(4), parcel())
    engine.run(10)
    assert targets(arrived) == [1]
    assert links.traffic.cut == 2
    links.heal(cut)
    links.gossip(0, range(4), parcel())
    engine.run(20)
    assert targets(arrived) == [1, 1, 2, 3]


def test_a_link_cut_twice_needs_healing_twice() -> None:
    _, links, _ = network()
    links.cut([(0, 1)])
    links.cut([(0, 1)])
    links.heal([(0, 1)])
    assert links.is_cut(0, 1)
    links.heal([(0, 1)])
    assert not links.is_cut(0, 1)


def test_loss_and_duplication_are_counted() -> None:
    engine, links, arrived = network(Conditions(STEADY, loss_ppm=300_000, duplicate_ppm=300_000))
    for _ in range(1_000):
        links.send(0, 1, parcel())
    engine.run(100)
    traffic = links.traffic
    assert 200 < traffic.lost < 400
    assert 100 < traffic.duplicated < 320
    assert len(arrived) == 1_000 - traffic.lost + traffic.duplicated


def test_adding_loss_does_not_shift_the_delays() -> None:
    uniform = Delay(Law.UNIFORM, 5, 500)
    calm_engine, calm, calm_arrived = network(Conditions(uniform))
    engine, links, arrived = network(Conditions(uniform, duplicate_ppm=1_000_000))
    calm.send(0, 1, parcel())
    links.send(0, 1, parcel())
    calm_engine.run(2_000)
    engine.run(2_000)
    assert calm_arrived[0] in arrived
    assert len(arrived) == 2
