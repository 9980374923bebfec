from protocol.ledger import synchronizer as module
from protocol.ledger.synchronizer import (
    ANSWER_INTERVAL_MS,
    FAR_AHEAD_ROUNDS,
    MISSING_MAX,
    RETRY_MS,
    SUMMARY_INTERVAL_MS,
    SUMMARY_MAX_MS,
    SUMMARY_MIN_MS,
    WANTED_MAX,
    Question,
    Synchronizer,
)
from protocol.units import MILLISECOND, SECOND, AccountId, Digest

ONE, OTHER, THIRD = (AccountId(bytes([n]) * 32) for n in (1, 2, 3))


def name(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


def names(count: int) -> tuple[Digest, ...]:
    return tuple(name(number) for number in range(count))


def joined(*peers: AccountId, now: int = 0) -> Synchronizer:
    made = Synchronizer()
    for peer in peers:
        made.join(peer, now)
    return made


def test_the_sender_of_a_block_is_asked_for_its_ancestors_and_all_above() -> None:
    made = joined(ONE, OTHER)
    assert made.miss(names(2), ONE, 5) == Question(ONE, names(2), closure=True)


def test_what_was_asked_for_is_not_asked_for_again_at_once() -> None:
    made = joined(ONE, OTHER)
    made.miss(names(2), ONE, 0)
    assert made.miss(names(2), OTHER, 1) is None
    assert made.miss(names(3), ONE, 2) == Question(ONE, (name(2),), closure=False)


def test_missing_blocks_of_a_stranger_are_asked_of_a_neighbour_later() -> None:
    made = joined(ONE)
    assert made.miss(names(1), THIRD, 0) is None
    assert made.retries(RETRY_MS * MILLISECOND) == (Question(ONE, names(1), closure=True),)


def test_a_missing_block_is_asked_of_one_neighbour_after_the_other() -> None:
    made = joined(ONE, OTHER)
    made.miss(names(1), ONE, 0)
    assert made.retries(SECOND - 1) == ()
    asked = [made.retries(n * SECOND)[0].peer for n in range(1, 5)]
    assert asked == [OTHER, ONE, OTHER, ONE]


def test_a_block_that_came_is_not_asked_for_again() -> None:
    made = joined(ONE)
    made.miss(names(2), ONE, 0)
    made.found(name(0))
    assert made.retries(SECOND) == (Question(ONE, (name(1),), closure=True),)
    made.found(name(1))
    made.found(name(1))
    assert made.retries(9 * SECOND) == ()
    assert not made.is_missing


def test_a_block_that_nobody_waits_for_any_more_is_not_asked_for_again() -> None:
    made = joined(ONE)
    made.miss(names(3), ONE, 0)
    made.keep_missing((name(1), name(7)))
    assert made.retries(SECOND) == (Question(ONE, (name(1),), closure=True),)


def test_one_request_names_no_more_blocks_than_it_may() -> None:
    made = joined(ONE)
    first = made.miss(names(WANTED_MAX + 1), ONE, 0)
    assert first == Question(ONE, names(WANTED_MAX), closure=True)
    again = made.retries(SECOND)
    assert [len(question.wanted) for question in again] == [WANTED_MAX]
    assert made.next_time(SECOND) <= SECOND, "the rest is due at once"
    assert [question.wanted for question in made.retries(SECOND)] == [(name(WANTED_MAX),)]
    assert made.retries(SECOND) == ()


def test_wishes_are_bounded() -> None:
    made = joined(ONE)
    made.miss(names(MISSING_MAX + 10), ONE, 0)
    assert made.miss((name(MISSING_MAX + 20),), ONE, 0) is None


def test_nobody_is_asked_while_nobody_is_there() -> None:
    made = Synchronizer()
    assert made.miss(names(1), ONE, 0) is None
    assert made.retries(SECOND) == ()
    assert made.summary_due(SECOND) is None
    assert made.ask_closure(ONE, SECOND) is None
    assert made.next_time(SECOND) > SECOND


def test_a_closure_is_asked_for_once_until_it_is_answered() -> None:
    made = joined(ONE)
    assert made.ask_closure(ONE, 0) == Question(ONE, (), closure=True)
    assert made.ask_closure(ONE, 1) is None
    made.answered(ONE, (1,))
    assert made.ask_closure(ONE, 2) == Question(ONE, (), closure=True)
    assert made.ask_closure(ONE, 2 + RETRY_MS * MILLISECOND) is not None, "or until it is overdue"


def test_a_neighbours_lead_counts_at_once_only_in_its_first_summary() -> None:
    made = joined(ONE)
    assert made.tell(ONE, (5, 5), (4, 5), is_still=False)
    made = joined(ONE)
    assert not made.tell(ONE, (4, 5), (4, 5), is_still=False)
    assert not made.tell(ONE, (5, 5), (4, 5), is_still=False), "those may be on their way"
    assert made.tell(ONE, (6, 5), (4, 5), is_still=False), "it had the fifth one summary ago"


def test_a_great_lead_counts_at_once() -> None:
    made = joined(ONE)
    made.tell(ONE, (4,), (4,), is_still=False)
    assert not made.tell(ONE, (4 + FAR_AHEAD_ROUNDS,), (4,), is_still=False)
    made = joined(ONE)
    made.tell(ONE, (4,), (4,), is_still=False)
    assert made.tell(ONE, (5 + FAR_AHEAD_ROUNDS,), (4,), is_still=False)


def test_a_small_lead_counts_at_once_where_nothing_is_on_its_way() -> None:
    made = joined(ONE)
    made.tell(ONE, (4,), (4,), is_still=True)
    assert made.tell(ONE, (5,), (4,), is_still=True)


def test_summaries_that_became_rare_become_frequent_again() -> None:
    made = joined(ONE)
    for _ in range(5):
        made.relax()
    assert made.summary_due(0) == ONE
    assert made.next_time(0) == SUMMARY_MAX_MS * MILLISECOND
    made.stay_frequent(0)
    assert made.next_time(0) == SUMMARY_MIN_MS * MILLISECOND
    made.stay_frequent(SECOND)
    assert made.next_time(0) == SUMMARY_MIN_MS * MILLISECOND, "and is not put off"


def test_a_stranger_is_not_listened_to() -> None:
    made = joined(ONE)
    assert not made.tell(OTHER, (9,), (0,), is_still=False)
    assert not made.answered(OTHER, (0,))
    assert not made.may_answer(OTHER, 0)
    assert not made.may_compare(OTHER, 0)


def test_more_is_asked_for_while_the_neighbour_is_ahead() -> None:
    made = joined(ONE)
    made.tell(ONE, (9,), (0,), is_still=False)
    assert made.answered(ONE, (8,))
    assert not made.answered(ONE, (9,))


def test_one_neighbours_requests_are_answered_at_a_bounded_rate() -> None:
    made = joined(ONE, OTHER)
    interval = ANSWER_INTERVAL_MS * MILLISECOND
    asked = (0, 1, interval - 1, interval, 2 * interval - 1, 2 * interval)
    assert [made.may_answer(ONE, now) for now in asked] == [True, False, False, True, False, True]
    assert made.may_answer(OTHER, 1)


def test_one_neighbours_summaries_are_compared_at_a_bounded_rate() -> None:
    made = joined(ONE, OTHER)
    interval = SUMMARY_INTERVAL_MS * MILLISECOND
    heard = (0, 1, interval - 1, interval)
    assert [made.may_compare(ONE, now) for now in heard] == [True, False, False, True]
    assert made.may_compare(OTHER, 1)


def test_summaries_go_round_and_grow_rare_while_nothing_differs() -> None:
    made = joined(ONE, OTHER)
    sent: list[tuple[int, AccountId]] = []
    now = 0
    for _ in range(7):
        now = max(now, made.next_time(now))
        peer = made.summary_due(now)
        assert peer is not None
        sent.append((now // SECOND, peer))
        made.relax()
    assert [peer for _, peer in sent] == [OTHER, ONE, OTHER, ONE, OTHER, ONE, OTHER]
    assert [time for time, _ in sent] == [0, 1, 3, 7, 15, 25, 35]
    assert made.summary_due(now + SUMMARY_MAX_MS * MILLISECOND - 1) is None


def test_a_difference_makes_the_summaries_after_the_next_frequent_again() -> None:
    made = joined(ONE)
    for _ in range(5):
        made.relax()
    assert made.summary_due(0) == ONE
    made.hurry_next()
    assert made.summary_due(9 * SECOND) is None
    assert made.summary_due(10 * SECOND) == ONE
    assert made.summary_due(11 * SECOND) == ONE


def test_a_new_neighbour_makes_a_summary_due_at_once() -> None:
    made = joined(ONE)
    for _ in range(5):
        made.relax()
    made.summary_due(0)
    made.join(OTHER, SECOND)
    assert made.next_time(SECOND) == SECOND
    assert made.summary_due(SECOND) == OTHER
    assert made.peers == (ONE, OTHER)


def test_a_neighbour_that_left_is_not_asked() -> None:
    made = joined(ONE, OTHER)
    made.leave(ONE)
    made.leave(ONE)
    made.miss(names(1), ONE, 0)
    assert made.retries(SECOND)[0].peer == OTHER
    assert made.peers == (OTHER,)


def test_retries_are_worth_waking_for() -> None:
    made = joined(ONE)
    made.summary_due(0)
    made.relax()
    made.summary_due(SECOND)
    made.miss(names(1), ONE, SECOND)
    assert made.next_time(SECOND) == SECOND + module.RETRY_MS * MILLISECOND
