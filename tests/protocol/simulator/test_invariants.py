from dataclasses import dataclass, field, replace

import pytest

from protocol import effects as fx
from protocol.balances import Pledge
from protocol.errors import Reason
from protocol.facts import Settled, Slashed
from protocol.job.record import Fault, Slash
from protocol.simulator import invariants
from protocol.simulator.catalogue import calm
from protocol.simulator.invariants import SAFETY, liveness, newest_index
from protocol.simulator.log import Log, Violation
from protocol.simulator.scenario import Behaviour
from protocol.simulator.world import World
from protocol.units import SECOND, AccountId, CommitIndex, Credits, Digest, JobId, Round

JOB = JobId(b"j" * 32)
ACCOUNTS = tuple(AccountId(bytes([number]) * 32) for number in range(5))


@dataclass
class Sheet:
    """A log of a network whose third node is dishonest."""

    log: Log = field(
        default_factory=lambda: Log(replace(calm(1), behaviours=((3, Behaviour.LYING),)))
    )

    def __post_init__(self) -> None:
        self.log.know(ACCOUNTS)

    def note(self, node: int, effect: fx.Effect) -> None:
        self.log.effect(1, node, effect)

    def broken(self) -> list[tuple[str, int]]:
        return [(one.invariant, one.node) for one in self.log.found]


def commit(index: int, digest: bytes = b"d" * 32, state: bytes = b"s" * 32) -> fx.PersistCommit:
    return fx.PersistCommit(CommitIndex(index), Digest(digest), Digest(state))


def proposed(number: int, digest: bytes) -> fx.Report:
    return fx.Report(fx.BlockProposed(0, Round(number), Digest(digest), 0))


def run(seconds: int = 8) -> tuple[World, Log]:
    scenario = calm(2)
    log = Log(scenario)
    world = World(scenario, (log,))
    log.know(world.accounts)
    world.engine.run(seconds * SECOND)
    return world, log


def test_another_commit_at_one_index_breaks_agreement() -> None:
    sheet = Sheet()
    sheet.note(0, commit(1))
    sheet.note(1, commit(1))
    assert sheet.broken() == []
    sheet.note(2, commit(1, b"x" * 32))
    assert sheet.broken() == [("agreement", 2)]


def test_a_gap_breaks_agreement() -> None:
    sheet = Sheet()
    sheet.note(0, commit(1))
    sheet.note(0, commit(3))
    assert sheet.broken() == [("agreement", 0)]


def test_another_state_breaks_convergence() -> None:
    sheet = Sheet()
    sheet.note(0, commit(1))
    sheet.note(1, commit(1, state=b"t" * 32))
    assert sheet.broken() == [("convergence", 1)]


def test_two_blocks_in_one_round_break_the_own_slot() -> None:
    sheet = Sheet()
    sheet.note(0, proposed(4, b"a" * 32))
    sheet.note(0, proposed(4, b"a" * 32))
    sheet.note(1, proposed(4, b"b" * 32))
    assert sheet.broken() == []
    sheet.note(0, proposed(4, b"c" * 32))
    assert sheet.broken() == [("own_slot", 0)]


def test_only_the_honest_are_never_slashed() -> None:
    sheet = Sheet()
    sheet.note(0, fx.Report(Slashed(ACCOUNTS[3], Credits(5), Fault.WRONG_RESULT, JOB)))
    assert sheet.broken() == []
    sheet.note(0, fx.Report(Slashed(ACCOUNTS[4], Credits(5), Fault.WRONG_RESULT, JOB)))
    assert sheet.broken() == [("honest_never_slashed", 0)]


def test_a_second_settlement_is_noticed() -> None:
    sheet = Sheet()
    sheet.note(0, fx.Report(Settled(JOB)))
    sheet.note(1, fx.Report(Settled(JOB)))
    assert sheet.broken() == []
    sheet.note(1, fx.Report(Settled(JOB)))
    assert sheet.broken() == [("exactly_once", 1)]


def test_a_halt_and_a_lost_memory_are_noticed() -> None:
    sheet = Sheet()
    sheet.note(0, fx.Report(fx.Halted("why")))
    sheet.note(1, fx.Report(fx.SittingOut(1, 2)))
    assert sheet.broken() == [("agreement", 0), ("own_slot", 1)]


def test_what_a_dishonest_node_says_does_not_count() -> None:
    sheet = Sheet()
    sheet.note(3, commit(7))
    sheet.note(3, fx.Report(fx.Halted("a lie")))
    sheet.note(0, fx.Report(fx.PeerRefused(ACCOUNTS[3], Reason.MALFORMED, "")))
    assert sheet.broken() == []


def test_a_calm_run_keeps_every_promise() -> None:
    world, log = run()
    assert newest_index(world) > 5
    assert [check(world, log) for check in SAFETY] == [[] for _ in SAFETY]


def test_each_checker_sees_what_it_is_for() -> None:
    world, log = run()
    core = world.nodes[0].core
    assert core is not None
    log.commits[core.state.index] = (Digest(b"x" * 32), Digest(b"x" * 32))
    assert invariants.convergence(world, log)[0].node == 0
    world.nodes[1].disk.commits[CommitIndex(10**6)] = commit(10**6)
    other = world.nodes[1].core
    assert other is not None
    assert Violation("agreement", 1, f"finality went back to {other.state.index}") in (
        invariants.agreement(world, log)
    )
    core.state.accounts.minted = Credits(1)
    assert [one.node for one in invariants.conservation(world, log)] == [0]
    last = world.nodes[4].core
    assert last is not None
    assert last.state.digest in [node.core.state.digest for node in world.nodes[1:4] if node.core]
    last.state.accounts.minted = Credits(1)
    assert [one.node for one in invariants.conservation(world, log)] == [0, 4]
    world.nodes[2].disk.contradictions.append((0, 9))
    assert invariants.own_slot(world, log) == [Violation("own_slot", 2, "round 9 kept twice")]
    world.nodes[3].spins = 2
    assert invariants.no_spin(world, log) == [Violation("no_spin", 3, "2 times")]


def test_more_slashes_than_contradictions_are_noticed() -> None:
    sheet = Sheet()
    slash = fx.Report(Slashed(ACCOUNTS[3], Credits(5), Fault.EQUIVOCATION, None))
    world = World(calm(1))
    sheet.note(0, fx.Report(fx.EquivocationSeen(ACCOUNTS[3], Round(4))))
    sheet.note(1, slash)
    assert invariants.accountability(world, sheet.log) == []
    sheet.note(1, slash)
    assert invariants.accountability(world, sheet.log) == [
        Violation("accountability", 1, f"{ACCOUNTS[3].hex()} slashed 2 times for 1 contradictions")
    ]


def test_a_contradiction_counts_whoever_finds_it() -> None:
    scenario = replace(calm(1), behaviours=((2, Behaviour.SPAMMING),))
    log = Log(scenario)
    log.know(ACCOUNTS)
    log.effect(0, 2, fx.Report(fx.EquivocationSeen(ACCOUNTS[3], Round(4))))
    log.effect(1, 0, fx.Report(Slashed(ACCOUNTS[3], Credits(5), Fault.EQUIVOCATION, None)))
    assert log.equivocations == {}
    assert log.slashes == {(0, ACCOUNTS[3]): 1}
    assert invariants.accountability(World(scenario), log) == []


@pytest.mark.slow
def test_a_draw_is_retraced_from_its_seed_and_from_the_order_of_leaders() -> None:
    world, log = run(25)
    assert len(log.retraced) == 0
    assert invariants.lottery(world, log) == []
    assert len(log.retraced) == 2
    log.retraced.clear()
    log.leader_rounds = {index: Round(number - 1) for index, number in log.leader_rounds.items()}
    early = invariants.lottery(world, log)
    assert ["drawn by commit" in one.detail for one in early] == [True] * 2
    log.retraced.clear()
    for node in world.nodes:
        assert node.core is not None
        jobs = node.core.state._register._jobs
        for identifier, job in jobs.items():
            assert job.draw is not None
            draw = replace(job.draw, order=job.draw.order[::-1])
            jobs[identifier] = replace(job, draw=draw)
    wrong = invariants.lottery(world, log)
    assert [one.detail.split(": ")[1] for one in wrong] == [
        "another order than its seed and weights give"
    ] * 2


@pytest.mark.slow
def test_liars_however_many_slash_nobody_where_the_right_result_is_accepted() -> None:
    world, log = run(25)
    core = world.nodes[1].core
    assert core is not None
    jobs = core.state._register._jobs
    identifier, job = next(iter(jobs.items()))
    assert job.accepted is not None
    worker = job.executors[0].account
    convicted = replace(job, slashes=(Slash(worker, Credits(5), Fault.WRONG_RESULT),))
    jobs[identifier] = convicted
    assert invariants.honest_never_slashed(world, log) == [
        Violation("honest_never_slashed", 1, f"{worker.hex()} for a right result")
    ]
    lie = replace(job.accepted, output=Digest(b"l" * 32))
    jobs[identifier] = replace(convicted, groups=(lie, *job.groups[1:]))
    assert invariants.honest_never_slashed(world, log) == []


@pytest.mark.slow
def test_stake_that_stays_bound_to_an_ended_job_is_noticed() -> None:
    world, log = run(25)
    assert invariants.exactly_once(world, log) == []
    core = world.nodes[1].core
    assert core is not None
    identifier, job = next(iter(core.state.jobs.items()))
    worker = job.executors[0].account
    core.state.accounts.apply((Pledge(worker, identifier, Credits(5)),))
    assert invariants.exactly_once(world, log) == [
        Violation("exactly_once", 1, f"{identifier.hex()} still binds {worker.hex()}")
    ]


@pytest.mark.slow
def test_liveness_wants_progress_and_nothing_left_to_do() -> None:
    world, _ = run()
    reached = newest_index(world)
    assert any("commit" in one.detail for one in liveness(world, reached))
    world.engine.run(30 * SECOND)
    assert liveness(world, reached) == []
    world.crash(2, keeps_last_batch=True)
    assert liveness(world, reached) == [Violation("liveness", 2, "the node is down")]
