"""Payments, inequality and the run without the faults."""

from p2pnode.lab.results.reading import read_tables
from p2pnode.lab.results.rewards import (
    Rewards,
    Work,
    compare_rewards,
    counterfactual,
    earnings,
    gini_of,
    work,
)
from protocol.simulator.catalogue import SCENARIOS
from tests.p2pnode.lab.results.builders import played, reading


def job(**cells: str | int | float | None) -> dict[str, str | int | float | bool | None]:
    return {"job": "aa", "phase": "settled", **cells}


def test_gini_is_known_where_it_can_be_computed_by_hand() -> None:
    assert gini_of([5, 5, 5, 5]) == 0.0
    assert gini_of([0, 0, 0, 8]) == 0.75
    assert gini_of([1, 2, 3]) == 0.222222
    assert gini_of([0, 0]) is None


def test_earnings_add_up_payments_and_name_who_got_nothing() -> None:
    jobs = [job(payouts_microcredits="1:5 7:2 1:5"), job(payouts_microcredits="")]
    assert earnings(reading(jobs=jobs)) == {0: 0, 1: 10, 7: 2}


def test_the_distance_of_shares_is_half_of_their_differences() -> None:
    found = compare_rewards({0: 30, 1: 10}, {0: 1, 2: 1})
    assert found == Rewards({0: 30, 1: 10}, {0: 1, 2: 1}, 0.5, 0.25, 0.0)
    assert compare_rewards({0: 3}, {1: 9}).distance == 1.0
    assert compare_rewards({0: 3}, {0: 0}).distance is None


def test_work_is_unknown_where_a_job_was_not_watched() -> None:
    seen = job(executions=3, double_executions=1, device_ms=1_500.0, wasted_device_ms=250.0)
    assert work(reading(jobs=[seen, seen])) == Work(6, 2, 3.0, 0.5)
    assert work(reading(jobs=[seen, job()])) == Work(None, None, None, None)
    assert work(reading()) == Work(None, None, None, None)


def test_the_counterfactual_asks_for_the_same_and_has_no_fault() -> None:
    _, _, tables = played("split-3-2")
    calm = counterfactual(SCENARIOS["split-3-2"](1))

    def asked(of: object) -> list[tuple[object, object]]:
        rows = read_tables(of).operations  # type: ignore[arg-type]
        return sorted((one.kind, one.asker) for one in rows if one.is_request)

    assert asked(calm) == asked(tables)
    assert (len(calm["faults"]["kind"]), len(tables["faults"]["kind"])) == (0, 1)
    assert earnings(read_tables(calm)) != earnings(read_tables(tables))
