from dataclasses import replace

import pytest

from protocol.core import Core
from protocol.messages import Genesis
from protocol.signing import Identity, Scheme
from protocol.simulator.catalogue import BEGIN_NS, END_NS, SCENARIOS, calm, crashes
from protocol.simulator.checks import Check, Result
from protocol.simulator.run import Outcome, Verdict, play, verdict_of
from protocol.simulator.scenario import Crash, Partition
from protocol.simulator.scheme import CACHED
from protocol.snapshot import Snapshot
from protocol.units import SECOND

pytestmark = pytest.mark.slow


def shown(outcome: Outcome) -> str:
    return f"{outcome.verdict.name} {outcome.violations[:3]}"


def test_a_calm_network_passes_and_settles_its_jobs() -> None:
    outcome = play(calm(1))
    assert outcome.verdict is Verdict.PASS, shown(outcome)
    assert outcome.counts.jobs == 2
    assert outcome.counts.commits > 10
    assert outcome.bites == ()


def test_a_run_repeats_itself_and_another_seed_differs() -> None:
    assert play(crashes(3)) == play(crashes(3))
    assert play(calm(3)).trace != play(calm(4)).trace


def test_real_signatures_lead_to_the_same_verdict() -> None:
    outcome = play(calm(1, members=4), CACHED)
    assert outcome.verdict is Verdict.PASS, shown(outcome)


def test_crashed_nodes_come_back_with_everything() -> None:
    outcome = play(crashes(1))
    assert outcome.verdict is Verdict.PASS, shown(outcome)
    assert [bite.count for bite in outcome.bites] == [1] * 6


def test_a_fault_that_never_bites_makes_a_run_unknown() -> None:
    twice = (Crash(3 * SECOND, 6 * SECOND, 1), Crash(4 * SECOND, 5 * SECOND, 1))
    outcome = play(replace(calm(1), faults=twice))
    assert outcome.verdict is Verdict.UNKNOWN, shown(outcome)
    assert [bite.count for bite in outcome.bites] == [1, 0]


def test_a_whole_run_judges_every_promise() -> None:
    outcome = play(SCENARIOS["split-4-1"](3))
    unknown = {one.name: one.reason for one in outcome.checks if one.result is Result.UNKNOWN}
    assert unknown == {
        "accountability": "nobody was convicted",
        "promptness": "no bound is promised where links or nodes fail",
    }
    assert {one.result for one in outcome.checks} == {Result.HOLDS, Result.UNKNOWN}
    assert (outcome.counts.accepted, outcome.counts.wrong) == (2, 0)


@pytest.mark.parametrize(
    ("broken", "verdict"),
    [
        (("agreement", "liveness", "no_crash"), Verdict.CRASH),
        (("agreement", "liveness"), Verdict.SAFETY),
        (("promptness",), Verdict.LIVENESS),
        ((), Verdict.PASS),
    ],
)
def test_the_gravest_broken_promise_counts(broken: tuple[str, ...], verdict: Verdict) -> None:
    names = ("agreement", "promptness", "liveness", "no_crash", "bites")
    results = [Result.BROKEN if name in broken else Result.HOLDS for name in names]
    checks = [Check(name, result) for name, result in zip(names, results, strict=True)]
    assert verdict_of(checks) is verdict
    checks[-1] = Check("bites", Result.UNKNOWN, "never bit: Crash")
    assert verdict_of(checks) is (Verdict.UNKNOWN if verdict is Verdict.PASS else verdict)


def test_a_partition_without_heal_is_a_failure_of_liveness() -> None:
    for_ever = Partition(3 * SECOND, 10**15, ((0, 1), (2, 3, 4)))
    outcome = play(replace(calm(1), faults=(for_ever,), liveness_ns=10 * SECOND))
    assert outcome.verdict is Verdict.LIVENESS, shown(outcome)


def test_a_core_that_raises_is_a_crash_and_says_where() -> None:
    def make(
        genesis: Genesis, identity: Identity, scheme: Scheme, *, snapshot: Snapshot | None = None
    ) -> Core:
        core = Core(genesis, identity, scheme, snapshot=snapshot)
        core.ledger = None  # type: ignore[assignment]  # what breaks it
        return core

    outcome = play(calm(1), make_core=make)
    assert outcome.verdict is Verdict.CRASH, shown(outcome)
    assert "line" in outcome.violations[0].detail


def test_a_run_tells_its_faults_its_links_and_its_progress() -> None:
    watched: list[int] = []
    outcome = play(SCENARIOS["split-4-1"](3), progress=watched.append)
    (record,) = outcome.faults
    assert (record.kind, record.nodes) == ("Partition", (0, 1, 2, 3, 4))
    assert (record.begin_ns, record.end_ns) == (BEGIN_NS, END_NS)
    assert record.count == outcome.traffic.cut > 0
    assert sum(link.cut for link in outcome.links.values()) == outcome.traffic.cut
    assert watched == sorted(watched)
    assert watched[-1] == outcome.counts.ended_ns
