"""A start may jump onto a certified end of an epoch with everybody's state, and nowhere else."""

from dataclasses import replace

import msgspec.structs
import pytest

from p2pnode.lab.real.promises import judge
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.checks import Check, Result
from tests.p2pnode.lab.real.scribe import written, written_of

NODE = 0
WRONG = "ee" * 32


def with_epochs(name):
    """A scenario of the catalogue whose epochs take a few seconds."""
    drawn = SCENARIOS[name](1)
    terms = msgspec.structs.replace(drawn.parameters, epoch_rounds=24, epoch_rounds_min=8)
    return replace(drawn, parameters=terms)


def checks(left):
    return {one.name: one for one in judge(left)}


def broken(left):
    return {name: one.reason for name, one in checks(left).items() if one.result is Result.BROKEN}


def commits(left, node=NODE):
    rows = (row for row in left.steps if row["node"] == node)
    return [row for row in rows if row.get("fact") == "commit_applied"]


def state_after(left, index):
    return next(row["state_digest"] for row in commits(left, 1) if row["index"] == index)


def end_of(left, epoch):
    return next(
        row["index"]
        for row in left.steps
        if row.get("fact") == "epoch_closed" and row["epoch"] == epoch
    )


def starting(left, onto, *, missing=(), **changes):
    """The run in which node 0 makes no commits up to one known, but goes on from there.

    Args:
        onto: The commit of the snapshot, which is all that the start holds unless changes say more.
        missing: Later commits that it does not make known, either.
        changes: Of what it wrote about its start.
    """
    out_of = [row for row in commits(left) if row["index"] <= onto or row["index"] in missing]
    state_digest = state_after(left, onto)
    start = {
        "time_ns": out_of[onto - 1]["time_ns"],
        "node": NODE,
        "step": "restored",
        "snapshot_index": onto,
        "snapshot_state_digest": state_digest,
        "index": onto,
        "state_digest": state_digest,
    }
    place = left.steps.index(out_of[onto - 1])
    steps = [*left.steps[:place], start | changes, *left.steps[place:]]
    return replace(left, steps=[row for row in steps if row not in out_of])


@pytest.fixture(scope="module")
def run():
    left, outcome = written_of(with_epochs("calm"))
    assert {one.name for one in outcome.checks if one.result is Result.BROKEN} == set()
    assert broken(left) == {}
    return left


def test_restarts_from_own_snapshots_are_judged_as_the_simulator_judges_them():
    left, outcome = written_of(with_epochs("crashes"))
    starts = [row for row in left.steps if row.get("step") == "restored"]
    assert any(row["snapshot_index"] > 0 for row in starts), "no start had a snapshot"
    assert any(row["index"] > row["snapshot_index"] > 0 for row in starts), "no blocks behind it"
    assert judge(left) == outcome.checks


def test_a_jump_onto_a_certified_end_with_the_state_of_all_others_passes(run):
    for epoch in (0, 1):
        jumped = starting(run, end_of(run, epoch))
        assert commits(jumped)[0]["index"] == end_of(run, epoch) + 1 > 1
        found = checks(jumped)
        assert found["agreement"] == Check("agreement", Result.HOLDS, "")
        assert found["convergence"] == Check("convergence", Result.HOLDS, "")


def test_a_jump_to_a_different_state_is_broken(run):
    end = end_of(run, 0)
    told = f"began with another state after commit {end} at node 0"
    wrong = starting(run, end, snapshot_state_digest=WRONG, state_digest=WRONG)
    assert broken(wrong) == {"convergence": told}


def test_a_jump_onto_a_commit_that_is_no_certified_end_is_broken(run):
    end = end_of(run, 0)
    told = f"began at commit {end - 1}, which is no certified end of an epoch at node 0"
    assert broken(starting(run, end - 1)) == {"agreement": told}
    told = f"began at commit {end}, which is no certified end of an epoch at node 0"
    jumped = starting(run, end)
    steps = [row for row in jumped.steps if row.get("fact") != "epoch_certified"]
    assert broken(replace(jumped, steps=steps)) == {"agreement": told}


def test_a_jump_beyond_what_the_start_held_is_broken(run):
    end = end_of(run, 0)
    told = f"commit {end + 2} without those before at node 0"
    assert broken(starting(run, end, missing=(end + 1,))) == {"agreement": told}


def test_blocks_behind_the_snapshot_count_as_held_with_the_state_that_they_lead_to(run):
    end = end_of(run, 0)
    held = {"index": end + 1, "state_digest": state_after(run, end + 1)}
    assert broken(starting(run, end, missing=(end + 1,), **held)) == {}
    other = held | {"state_digest": WRONG}
    told = f"began with another state after commit {end + 1} at node 0"
    found = broken(starting(run, end, missing=(end + 1,), **other))
    assert found == {"convergence": told}


def test_commits_that_a_crash_kept_but_did_not_make_known_are_no_gap():
    left, _ = written("calm")
    lost = [row for row in commits(left) if row["index"] in (41, 42)]
    without = replace(left, steps=[row for row in left.steps if row not in lost])
    assert broken(without) == {"agreement": "commit 43 without those before at node 0"}
    place = left.steps.index(lost[0])
    start = {
        "time_ns": lost[0]["time_ns"],
        "node": NODE,
        "step": "restored",
        "snapshot_index": 0,
        "snapshot_state_digest": "",
        "index": 42,
        "state_digest": lost[1]["state_digest"],
    }
    steps = [*without.steps[:place], start, *without.steps[place:]]
    assert broken(replace(left, steps=steps)) == {}
