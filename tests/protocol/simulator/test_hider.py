import pytest

from protocol.job.record import Fault, Status
from protocol.simulator.catalogue import working_badly
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import Behaviour
from protocol.simulator.world import World
from protocol.units import SECOND

pytestmark = pytest.mark.slow

HIDERS = (1, 5)


def test_a_hider_commits_never_reveals_and_is_slashed_for_it() -> None:
    scenario = working_badly(1, Behaviour.HIDING)
    world = World(scenario)
    forfeit_ns = scenario.parameters.forfeit_window_ms * 10**6
    world.engine.run(scenario.safety_ns + 20 * SECOND + forfeit_ns)
    core = world.nodes[0].core
    assert core is not None
    accounts = [world.accounts[node] for node in HIDERS]
    found = [
        executor
        for job in core.state.jobs.values()
        for executor in job.executors
        if executor.account in accounts
    ]
    committed = [one for one in found if one.commitment is not None]
    assert len(committed) >= 4
    assert [one.reveal for one in committed] == [None] * len(committed)
    assert any(one.fingerprint is not None for one in committed)
    assert {one.status for one in committed} <= {
        Status.COMMITTED,
        Status.UNOPENED,
        Status.FORFEITED,
    }
    slashes = [slash for job in core.state.jobs.values() for slash in job.slashes]
    assert {slash.reason for slash in slashes} == {Fault.UNOPENED_COMMITMENT}
    assert {slash.account for slash in slashes} <= set(accounts)


def test_jobs_end_and_nobody_honest_loses_beside_hiders() -> None:
    outcome = play(working_badly(2, Behaviour.HIDING))
    assert outcome.verdict is Verdict.PASS, (outcome.violations[:3], outcome.bites)
    assert min(bite.count for bite in outcome.bites) > 0
