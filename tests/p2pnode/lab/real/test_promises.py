"""Promises judged by what nodes wrote, against the simulator's own verdict on the same run."""

from dataclasses import replace

import pytest

from p2pnode.lab.real.promises import judge
from protocol.simulator.checks import GAPS, Check, Result
from protocol.simulator.log import Violation
from tests.p2pnode.lab.real.scribe import written

HONEST = 0


def checks(left):
    return {one.name: one for one in judge(left)}


def base(name="calm"):
    return written(name)[0]


def first(left, kind, node=HONEST):
    return next(
        row
        for row in left.steps
        if row["node"] == node and kind in (row.get("fact"), row.get("step"))
    )


def with_row(left, row, **changes):
    """The run with one more line behind the one given."""
    place = left.steps.index(row) + 1
    steps = [*left.steps[:place], row | changes, *left.steps[place:]]
    return replace(left, steps=steps)


def broken(left, name):
    found = checks(left)
    others = {one.name for one in found.values() if one.result is Result.BROKEN} - {name}
    assert others == set()
    assert found[name].result is Result.BROKEN
    return found[name].reason


@pytest.mark.parametrize("name", ["calm", "split-3-2", "crashes", "lying", "old-disk"])
def test_the_verdict_on_every_promise_is_the_simulators_own(name):
    left, outcome = written(name)
    assert judge(left) == outcome.checks
    assert len(outcome.checks) == len(GAPS) == 17


def test_a_core_that_raised_an_error_breaks_a_promise():
    left = base()
    opened = first(left, "opened")
    raised = with_row(left, opened, step="raised", detail="KeyError: 3")
    assert broken(raised, "no_crash") == "KeyError: 3 at node 0"


def test_a_core_that_spins_breaks_a_promise():
    left = base()
    assert "node 0" in broken(with_row(left, first(left, "opened"), step="spin"), "no_spin")


def test_a_size_beyond_its_cap_breaks_a_promise():
    left = base()
    gauge = first(left, "gauge")
    wide = with_row(left, gauge, size=gauge["cap"] + 1)
    assert broken(wide, "bounds").startswith(f"{gauge['cap'] + 1} {gauge['name']}, at most")


def test_two_blocks_of_one_node_in_one_round_break_a_promise():
    left = base()
    twice = with_row(left, first(left, "block_proposed"), digest="dd" * 32)
    assert broken(twice, "own_slot") == "two blocks in round 1 at node 0"


def test_a_process_settles_a_job_once_and_may_say_so_again_after_a_crash():
    left = base()
    settled = first(left, "settled")
    again = with_row(left, settled)
    assert "settled again at node 0" in broken(again, "exactly_once")
    behind = with_row(left, settled, step="opened", fact="")
    restarted = behind.steps[: left.steps.index(settled) + 2]
    rest = behind.steps[len(restarted) :]
    repeated = replace(left, steps=[*restarted, settled, *rest])
    assert checks(repeated)["exactly_once"].result is Result.HOLDS


def test_an_honest_node_that_lost_stake_breaks_a_promise():
    left = base()
    account = left.setup.accounts[1].hex()
    slash = {"fact": "slashed", "account": account, "amount": 3, "reason": "equivocation"}
    row = first(left, "commit_applied") | slash | {"job": None}
    hurt = with_row(left, first(left, "commit_applied"), **row)
    found = checks(hurt)
    assert found["honest_never_slashed"] == Check(
        "honest_never_slashed", Result.BROKEN, f"{account} at node 0"
    )
    assert "1 times for 0 contradictions" in found["accountability"].reason


def test_an_operation_that_is_neither_final_nor_kept_breaks_a_promise():
    left = base()
    lost = "ee" * 32
    seen = with_row(left, first(left, "operation_seen", _asked(left)), identifier=lost)
    assert broken(seen, "durability").startswith(f"operation {lost} is neither final nor waiting")
    node = _asked(left)
    kept = replace(seen, waiting={node: {lost: 10_000}})
    assert checks(kept)["durability"].result is Result.HOLDS
    stale = replace(seen, waiting={node: {lost: 0}})
    assert broken(stale, "durability").startswith(f"operation {lost}")


def _asked(left):
    return next(row["node"] for row in left.steps if row.get("fact") == "operation_seen")


def test_an_accepted_result_that_no_honest_node_computed_breaks_a_promise():
    left = base()
    steps = [
        row | {"output": "aa" * 32} if row.get("step") == "execution_ended" else row
        for row in left.steps
    ]
    assert "wrong of" in broken(replace(left, steps=steps), "result_quality")
    silent = [row for row in left.steps if row.get("step") != "execution_ended"]
    found = checks(replace(left, steps=silent))["result_quality"]
    assert found.result is Result.UNKNOWN
    assert "no honest node ran it to its end" in found.reason


def test_another_order_of_leaders_breaks_the_lottery():
    left = base()
    steps = [
        row | {"leader_round": row["leader_round"] + 40}
        if row.get("fact") == "commit_applied"
        else row
        for row in left.steps
    ]
    assert "drawn by commit" in broken(replace(left, steps=steps), "lottery")


def test_an_operation_that_waits_too_many_rounds_breaks_a_promise():
    left = base()
    steps = [
        row | {"round": row["round"] * 30} if row.get("step") == "block" else row
        for row in left.steps
    ]
    assert "was final after" in broken(replace(left, steps=steps), "promptness")


def test_a_side_without_a_quorum_may_finish_what_had_crossed_and_nothing_else():
    left = base("split-3-2")
    (cut,) = left.scenario.faults
    ended = [
        row
        for row in left.steps
        if row.get("fact") == "commit_applied" and row["time_ns"] < cut.start_ns
    ]
    last, inside = ended[-1], cut.start_ns + 1_000
    place = next(n for n, row in enumerate(left.steps) if row["time_ns"] > inside)
    for rounds, result in ((0, Result.HOLDS), (30, Result.BROKEN)):
        late = last | {"node": 4, "time_ns": inside, "leader_round": last["leader_round"] + rounds}
        steps = [*left.steps[:place], late, *left.steps[place:]]
        assert checks(replace(left, steps=steps))["honest_labels"].result is result


def test_what_was_found_from_outside_counts_and_what_nobody_could_see_is_unknown_with_the_reason():
    left = base()
    late = Violation("liveness", -1, "not everything was final in time")
    assert broken(replace(left, found=[late]), "liveness") == late.detail
    found = checks(replace(left, gaps={"convergence": "node 2 has no whole ledger"}))
    assert found["convergence"] == Check(
        "convergence", Result.UNKNOWN, "node 2 has no whole ledger"
    )


def test_a_node_that_wrote_nothing_leaves_the_promises_of_cores_open():
    left = base()
    steps = [row for row in left.steps if row["node"] != 3]
    found = checks(replace(left, steps=steps))
    reason = "nodes [3] wrote nothing about their cores"
    for name in ("no_crash", "no_spin", "bounds", "own_slot"):
        assert found[name] == Check(name, Result.UNKNOWN, reason)
