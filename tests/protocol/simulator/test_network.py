from protocol import events as ev
from protocol.simulator.cuts import between_groups
from protocol.simulator.engine import Engine
from protocol.simulator.network import Conditions, Delay, Law, Network, Pair, Parcel
from protocol.simulator.queue import Capacity, Queue
from protocol.simulator.traffic import Traffic
from protocol.units import SECOND, AccountId

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


def test_what_is_spread_meets_the_links_and_is_handed_over_by_the_caller() -> None:
    slow: Pair = (0, 2)
    conditions = Conditions(STEADY, slow=((slow, Delay(Law.CONSTANT, 50, 50)),))
    engine, links, arrived = network(conditions)
    engine.run(1_000)
    links.cut([(0, 3)])
    assert list(links.spread(0, (1, 2, 3), 100)) == [(1, 1_010), (2, 1_050)]
    links.duplicate_ppm = 1_000_000
    assert list(links.spread(0, (1,), 100)) == [(1, 1_010), (1, 1_020)]
    links.loss_ppm = 1_000_000
    assert list(links.spread(0, (1,), 100)) == []
    engine.run(2_000)
    assert arrived == []
    assert links.traffic == Traffic(4, 400, lost=1, duplicated=1, cut=1)


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


def test_normal_delays_keep_their_bounds_and_lognormal_ones_their_tail() -> None:
    drawn = {}
    for law in (Law.NORMAL, Law.LOGNORMAL):
        engine, links, arrived = network(Conditions(Delay(law, 1_000, 2_000)))
        for _ in range(2_000):
            links.send(0, 1, parcel())
        engine.run(SECOND)
        drawn[law] = [time for time, _, _ in arrived]
    assert (min(drawn[Law.NORMAL]), max(drawn[Law.NORMAL])) == (1_000, 2_000)
    assert (min(drawn[Law.LOGNORMAL]), max(drawn[Law.LOGNORMAL])) == (1_043, 9_769)


def test_regions_add_their_matrix_to_each_direction_and_to_ways_round() -> None:
    conditions = Conditions(STEADY, regions=(0, 1, 1), region_delays_ns=((0, 100), (300, 5)))
    engine, links, arrived = network(conditions)
    for pair in ((0, 1), (1, 0), (1, 2), (0, 3)):
        links.send(*pair, parcel())
    engine.run(1_000)
    assert [(time, target) for time, target, _ in arrived] == [(10, 3), (15, 2), (110, 1), (310, 0)]
    links.cut([(3, 0), (3, 2)])
    links.gossip(3, (2,), parcel())
    engine.run(2_000)
    assert arrived[-1][:2] == (1_000 + 10 + 100 + 10 + 5, 2), "by way of 1, the first that leads on"


def test_an_uplink_is_shared_by_all_that_a_node_sends() -> None:
    engine, links, arrived = network(Conditions(STEADY, uplink=Capacity(8 * 10**9)))
    links.gossip(0, range(4), parcel())
    links.send(1, 0, parcel())
    engine.run(1_000)
    assert [(time, target) for time, target, _ in arrived] == [
        (110, 1),
        (110, 0),
        (210, 2),
        (310, 3),
    ]


def test_a_full_queue_drops_and_counts() -> None:
    narrow = Capacity(8 * 10**9, queue_bytes=150)
    engine, links, arrived = network(Conditions(STEADY, narrow=(((0, 1), narrow),)))
    for _ in range(3):
        links.send(0, 1, parcel())
        links.send(0, 2, parcel())
    engine.run(1_000)
    assert [(time, target) for time, target, _ in arrived] == [(10, 2)] * 3 + [(110, 1)]
    assert links.links[0, 1] == Traffic(messages=3, size_bytes=300, queued_drop=2)


def test_a_node_can_have_an_uplink_of_its_own() -> None:
    slow = ((1, Capacity(4 * 10**9)),)
    engine, links, arrived = network(Conditions(STEADY, uplink=Capacity(8 * 10**9), uplinks=slow))
    links.send(0, 3, parcel())
    links.send(1, 3, parcel())
    engine.run(1_000)
    assert [time for time, _, _ in arrived] == [110, 210]


def test_a_relay_sends_over_its_own_uplink_when_the_message_has_come() -> None:
    slow = ((2, Capacity(8 * 10**9)),)
    engine, links, arrived = network(Conditions(STEADY, uplinks=slow), count=3)
    links.cut([(0, 1)])
    links.gossip(0, (1,), parcel())
    engine.run(1_000)
    assert arrived == [(10 + 100 + 10, 1, handed_over_by(2))]


def test_a_share_of_the_messages_is_overtaken() -> None:
    conditions = Conditions(STEADY, reorder_ppm=300_000, reorder_ns=40)
    engine, links, arrived = network(conditions)
    for _ in range(1_000):
        links.send(0, 1, parcel())
    engine.run(100)
    late = [time for time, _, _ in arrived if time > 10]
    assert 250 < len(late) == links.traffic.reordered < 350
    assert (min(late), max(late)) == (11, 50)


def test_single_links_can_lose_more_than_the_others() -> None:
    engine, links, arrived = network(Conditions(STEADY, lossy=(((0, 1), 1_000_000),)))
    links.send(0, 1, parcel())
    links.send(0, 2, parcel())
    engine.run(100)
    assert targets(arrived) == [2]
    assert links.links[0, 1].lost == 1


def test_slowed_links_share_one_more_queue_until_they_are_fast_again() -> None:
    engine, links, arrived = network()
    pairs, queue = ((0, 1), (2, 1)), Queue(Capacity(8 * 10**9))
    links.slow_down(pairs, 7, queue)
    links.send(0, 1, parcel())
    links.send(2, 1, parcel())
    links.speed_up(pairs, 7, queue)
    links.send(0, 1, parcel())
    engine.run(1_000)
    assert [time for time, _, _ in arrived] == [10, 117, 217]


def test_a_clogged_link_holds_what_it_gets_and_lets_go_in_order() -> None:
    engine, links, arrived = network()
    links.send(0, 1, parcel())
    links.hold([(0, 1)], 500)
    for _ in range(2):
        links.send(0, 1, parcel())
    links.send(1, 0, parcel())
    engine.run(1_000)
    assert [(time, target) for time, target, _ in arrived] == [(10, 1), (10, 0), (500, 1), (500, 1)]
    assert links.traffic.held == 2
