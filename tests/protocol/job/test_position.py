"""Ledger time, and the commits after a gap in which nothing expires."""

from protocol.job.position import Position, following, origin
from protocol.parameters import minimal
from protocol.units import Digest, Round

TERMS = minimal()
BEACON = Digest(bytes(32))


def after(before: Position, elapsed_ms: int) -> Position:
    return following(
        before, Round(before.leader_round + 1), before.time_ms + elapsed_ms, BEACON, TERMS
    )


def test_ledger_time_follows_the_commits() -> None:
    place = after(after(origin(BEACON), 400), 600)
    assert (place.index, place.time_ms, place.ledger_ms, place.judges) == (2, 1_000, 1_000, True)


def test_a_gap_counts_only_up_to_a_bound() -> None:
    place = after(origin(BEACON), 10**9)
    assert place.time_ms == 10**9
    assert place.ledger_ms == TERMS.ledger_step_max_ms


def test_after_a_gap_deadlines_wait_for_some_commits() -> None:
    place = after(origin(BEACON), TERMS.ledger_step_max_ms + 1)
    judged = [place.judges]
    for _ in range(TERMS.ledger_gap_commits):
        place = after(place, 1_000)
        judged.append(place.judges)
    assert judged == [*[False] * TERMS.ledger_gap_commits, True]


def test_the_longest_step_is_no_gap() -> None:
    assert after(origin(BEACON), TERMS.ledger_step_max_ms).judges
