from dataclasses import replace

from protocol.simulator.chance import MILLION
from protocol.simulator.overlay.parameters import ScoreParameters
from protocol.simulator.overlay.scoring import ScoreBook
from protocol.units import SECOND

PLAIN = ScoreParameters(
    topic_weight=MILLION,
    time_weight=MILLION,
    first_weight=2 * MILLION,
    first_decay=500_000,
    mesh_weight=-MILLION,
    failure_weight=-MILLION,
    invalid_weight=-10 * MILLION,
    behaviour_weight=-3 * MILLION,
)


def book(parameters: ScoreParameters = PLAIN, addresses: tuple[int, ...] = (0, 1, 2)) -> ScoreBook:
    found = ScoreBook(parameters, addresses)
    for peer in range(1, len(addresses)):
        found.link(0, peer)
    return found


def test_first_deliveries_count_and_fade() -> None:
    judged = book()
    for _ in range(4):
        judged.deliver(0, 1, is_first=True)
    assert judged.beat(0, SECOND)[1] == 4 * MILLION
    assert judged.beat(0, 2 * SECOND)[1] == 2 * MILLION
    for beat in range(3, 20):
        judged.beat(0, beat * SECOND)
    assert judged.score(0, 1) == 0


def test_a_mesh_neighbour_that_brings_too_little_costs_the_square_of_what_is_missing() -> None:
    judged = book(replace(PLAIN, time_weight=0, mesh_decay=MILLION))
    judged.graft(0, 1, 0)
    judged.deliver(0, 1, is_first=False)
    assert judged.beat(0, 60 * SECOND)[1] == 0
    assert judged.beat(0, 61 * SECOND)[1] == -(9**2) * MILLION
    judged.prune(0, 1, 61 * SECOND)
    assert judged.beat(0, 62 * SECOND)[1] == -81 * 997_000


def test_time_in_the_mesh_counts_up_to_a_limit() -> None:
    judged = book(replace(PLAIN, time_cap=3, mesh_threshold=0))
    judged.graft(0, 1, 0)
    assert judged.beat(0, 2 * SECOND)[1] == 2 * MILLION
    assert judged.beat(0, 9 * SECOND)[1] == 3 * MILLION


def test_invalid_messages_and_breaches_cost_their_squares() -> None:
    judged = book(replace(PLAIN, invalid_decay=MILLION, behaviour_decay=MILLION))
    for _ in range(2):
        judged.blame_invalid(0, 1)
        judged.blame_breach(0, 2)
    assert judged.beat(0, SECOND) == {1: -40 * MILLION, 2: -12 * MILLION}
    assert judged.is_below(0, 1, -39)
    assert not judged.is_below(0, 1, -40)


def test_neighbours_at_one_address_pay_for_each_other() -> None:
    crowd = book(replace(PLAIN, colocation_weight=-5 * MILLION), (0, 1, 2, 2, 2))
    assert crowd.beat(0, SECOND) == {
        1: 0,
        2: -20 * MILLION,
        3: -20 * MILLION,
        4: -20 * MILLION,
    }
    crowd.unlink(0, 4)
    assert crowd.beat(0, SECOND)[2] == -5 * MILLION


def test_whoever_falls_below_the_graylist_threshold_is_ignored() -> None:
    judged = book(replace(PLAIN, graylist_threshold=-30))
    for _ in range(2):
        judged.blame_invalid(0, 1)
    judged.beat(0, SECOND)
    assert list(judged.ignored[0]) == [1]
