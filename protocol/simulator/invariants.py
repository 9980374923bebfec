"""What must hold at any time: one checker for each promise of the protocol.

Each looks at what the nodes did and at the simulated nodes themselves, and returns what it found
broken.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from protocol.accounts import Accounts
from protocol.core import Core
from protocol.encoding import digest_of
from protocol.job.delivery import waiting
from protocol.job.lottery import score
from protocol.job.record import Duty, Fault, Job, Phase, Status
from protocol.job.transcript import Draw
from protocol.parameters import Parameters
from protocol.simulator.adversary import right_result
from protocol.simulator.disputes import wrong_disputes
from protocol.simulator.log import Log, Violation
from protocol.simulator.world import World
from protocol.state import State
from protocol.units import AccountId, CommitIndex, Digest, JobId

PROGRESS_COMMITS: Final = 3
"""Commits beyond the newest one at the heal that every live node must reach."""


class Copy(Protocol):
    """A state and its terms: a core has both, and whoever replays the blocks of a real network."""

    @property
    def state(self) -> State:
        """Jobs and balances as of the last commit."""

    @property
    def parameters(self) -> Parameters:
        """The network's terms."""


Copies = Iterable[tuple[int, Copy]]
"""Copies of the ledger's state, each with the node that has it."""


def agreement(world: World, log: Log) -> list[Violation]:
    """Final sequences are prefixes of one another, also across restarts."""
    found = [one for one in log.found if one.invariant == "agreement"]
    for number, core in _cores(world):
        last = core.ledger.last_commit
        index = last.index if last is not None else 0
        if last is not None and log.commits.get(last.index, (last.digest,))[0] != last.digest:
            found.append(Violation("agreement", number, f"another commit at index {index}"))
        if index < max(world.nodes[number].disk.commits, default=0):
            found.append(Violation("agreement", number, f"finality went back to {index}"))
    return found


def convergence(world: World, log: Log) -> list[Violation]:
    """Equal commits leave equal states."""
    found = [one for one in log.found if one.invariant == "convergence"]
    for number, core in _cores(world):
        known = log.commits.get(core.state.index)
        if known is not None and known[1] != core.state.digest:
            found.append(Violation("convergence", number, f"at index {core.state.index}"))
    return found


def conservation(world: World, _: Log) -> list[Violation]:
    """Every credit is somewhere, and no balance is negative."""
    return wrong_balances(_cores(world))


def wrong_balances(copies: Copies) -> list[Violation]:
    """Recounts all credits of each copy, but for those that equal one that was sound."""
    found: list[Violation] = []
    sound: dict[Digest, Accounts] = {}
    for number, core in copies:
        accounts, digest = core.state.accounts, core.state.digest
        if digest in sound and accounts.equals(sound[digest]):
            continue  # nearly always, and a large network has many nodes with many accounts each
        wrong = _wrong_sums(number, accounts)
        found += wrong
        if not wrong:
            sound[digest] = accounts
    return found


def _wrong_sums(number: int, accounts: Accounts) -> list[Violation]:
    found = []
    if not accounts.conserved() or accounts.recount() != accounts.totals:
        found.append(Violation("conservation", number, str(accounts.totals)))
    for account in accounts:
        owned = accounts.of(account)
        if min(owned.available, owned.staked, owned.escrow, owned.free_stake) < 0:
            found.append(Violation("conservation", number, f"{account.hex()} is in debt"))
    return found


def exactly_once(world: World, log: Log) -> list[Violation]:
    """A job is settled once, pays out no more than it locked, and frees the stake pledged to it."""
    reported = [one for one in log.found if one.invariant == "exactly_once"]
    return reported + wrong_settlements(_cores(world))


def wrong_settlements(copies: Copies) -> list[Violation]:
    """Compares what jobs paid with what they locked, and looks for stake that they still bind."""
    found: list[Violation] = []
    for number, core in copies:
        for identifier, job in core.state.jobs.items():
            spent = sum(payout.amount for payout in job.payouts) + job.fee + job.refund
            left = core.state.accounts.escrow_of(identifier) - waiting(job)
            if spent > job.offer.budget or (job.terminal and spent + left != job.offer.budget):
                detail = f"{identifier.hex()}: {spent} + {left} of {job.offer.budget}"
                found.append(Violation("exactly_once", number, detail))
            bound = _still_bound(core, job)
            found += [
                Violation("exactly_once", number, f"{identifier.hex()} still binds {worker.hex()}")
                for worker in bound
            ]
    return found


def _still_bound(core: Copy, job: Job) -> tuple[AccountId, ...]:
    """Names whose stake answers for an ended job, but for those who may still open a commitment."""
    if not job.terminal:
        return ()
    return tuple(
        one.account
        for one in job.executors
        if one.status is not Status.UNOPENED
        and core.state.accounts.of(one.account).pledge_for(job.identifier)
    )


def honest_never_slashed(world: World, log: Log) -> list[Violation]:
    """No node that kept every rule loses stake, and never for what every honest run yields.

    However many liars there are, they slash a worker only with a wrong result that was accepted.
    """
    found = [one for one in log.found if one.invariant == "honest_never_slashed"]
    honest = frozenset(world.accounts[number] for number in world.scenario.honest)
    for number, core in _cores(world):
        found += [
            Violation("honest_never_slashed", number, f"{slash.account.hex()} for a right result")
            for job in core.state.jobs.values()
            for slash in job.slashes
            if slash.reason is Fault.WRONG_RESULT
            and slash.account in honest
            and job.accepted is not None
            and job.accepted.output == right_result(job.offer)
        ]
        found += [
            Violation("honest_never_slashed", number, f"{identifier.hex()} without its jury")
            for identifier, job in core.state.jobs.items()
            if _lacks_its_jury(job, core.parameters)
        ]
    return found


def _lacks_its_jury(job: Job, parameters: Parameters) -> bool:
    """Whether a job convicted somebody, though too few jurors found what it accepted."""
    if job.disputes:
        return job.terminal and bool(wrong_disputes(job, parameters))
    if not any(slash.reason is Fault.WRONG_RESULT for slash in job.slashes):
        return False
    members = job.groups[0].members
    agreeing = sum(one.duty is Duty.JUROR for one in job.executors if one.account in members)
    return 3 * agreeing <= 2 * parameters.jury_size and parameters.jury_size > 0


def accountability(_: World, log: Log) -> list[Violation]:
    """One contradiction costs its author stake once, and one job costs an executor once."""
    return wrong_convictions(log)


def wrong_convictions(log: Log) -> list[Violation]:
    """Holds what nodes saw punished against what was proven."""
    found = [one for one in log.found if one.invariant == "accountability"]
    for (node, account), count in log.slashes.items():
        seen = len(log.proofs.get(account, ()))
        if count > seen:
            detail = f"{account.hex()} slashed {count} times for {seen} contradictions"
            found.append(Violation("accountability", node, detail))
    return found


def own_slot(world: World, log: Log) -> list[Violation]:
    """An honest member signs one block in a round, whatever it has forgotten."""
    found = [one for one in log.found if one.invariant == "own_slot"]
    for number in world.scenario.honest:
        for _, slot_round in world.nodes[number].disk.contradictions:
            found.append(Violation("own_slot", number, f"round {slot_round} kept twice"))
    return found


def lottery(world: World, log: Log) -> list[Violation]:
    """All nodes derive the same executors, from a beacon that nobody knew, never the requester."""
    return wrong_draws(_cores(world), log)


def wrong_draws(copies: Copies, log: Log) -> list[Violation]:
    """Draws the executors of each job again."""
    found = []
    drawn: dict[tuple[JobId, int], tuple[AccountId, ...]] = {}
    for number, core in copies:
        for identifier, job in core.state.jobs.items():
            executors = tuple(executor.account for executor in job.executors)
            known = drawn.setdefault((identifier, core.state.index), executors)
            if known != executors or job.requester in executors:
                found.append(Violation("lottery", number, identifier.hex()))
            fault = _fault_in_draws(job, log, core.parameters)
            if fault:
                found.append(Violation("lottery", number, f"{identifier.hex()}: {fault}"))
    return found


def _fault_in_draws(job: Job, log: Log, parameters: Parameters) -> str:
    """Retraces the executors' draw of a job once, and those of its checkers once it has ended."""
    fault = ""
    if job.draw is not None and job.identifier not in log.retraced:
        log.retraced[job.identifier] = None
        fault = _wrong_draw(job, job.draw, log, parameters)
    if job.draw is not None and job.terminal and job.identifier not in log.rechecked:
        log.rechecked[job.identifier] = None
        fault = fault or _wrong_checkers(job, job.draw)
    return fault


def _wrong_draw(job: Job, draw: Draw, log: Log, parameters: Parameters) -> str:
    """Says what is wrong with a draw, as its own record and the order of leaders show it."""
    if not _is_in_order(draw):
        return "another order than its seed and weights give"
    first = CommitIndex(draw.index - parameters.seed_leaders + 1)
    is_one_ledger = not any(one.invariant == "agreement" for one in log.found)
    rounds = log.leader_rounds if is_one_ledger else {}
    if first not in rounds or CommitIndex(first - 1) not in rounds:
        return ""
    closed = next(step.leader_round for step in job.timeline if step.phase is Phase.DRAWING)
    awaited = closed + parameters.seed_delay_rounds
    is_first = rounds[CommitIndex(first - 1)] < awaited <= rounds[first]
    return "" if is_first else f"drawn by commit {draw.index}, closed in round {closed}"


def _wrong_checkers(job: Job, executors: Draw) -> str:
    """Says what is wrong with how an auditor or a jury was drawn."""
    audits = job.audit.drawn if job.audit is not None else None
    for duty, tag, draw in ((Duty.AUDITOR, b"audit", audits), (Duty.JUROR, b"jury", job.jury)):
        called = tuple(one.account for one in job.executors if one.duty is duty)
        if draw is None:
            if called:
                return f"a {duty.value} that nobody drew"
            continue
        if draw.seed != digest_of(tag, draw.beacon, job.identifier) or not _is_in_order(draw):
            return f"another order of the {duty.value}s than their seed and weights give"
        if draw.index <= executors.index or job.requester in draw.order:
            return f"a {duty.value} could be known, or is the requester"
        if called != tuple(account for account in draw.order if account in called):
            return f"a {duty.value} called out of turn"
    return ""


def _is_in_order(draw: Draw) -> bool:
    ranked = sorted((score(draw.seed, one.account, one.weight), one) for one in draw.candidates)
    order = tuple(one.account for _, one in ranked)
    return draw.order == order[: len(draw.order)]


def no_spin(world: World, _: Log) -> list[Violation]:
    """No core asks to be woken at one instant for ever."""
    return [
        Violation("no_spin", node.index, f"{node.spins} times")
        for node in world.nodes
        if node.spins
    ]


Checker = Callable[[World, Log], list[Violation]]

SAFETY: Final[tuple[Checker, ...]] = (
    agreement,
    convergence,
    conservation,
    exactly_once,
    honest_never_slashed,
    accountability,
    own_slot,
    lottery,
    no_spin,
)
"""Everything that must hold at any time."""


def liveness(world: World, quiet_index: int) -> list[Violation]:
    """Once faults have ended, finality moves everywhere and everything asked for is done.

    Args:
        world: The run.
        quiet_index: Newest commit of any honest node when the last fault ended.
    """
    found = []
    target = quiet_index + PROGRESS_COMMITS
    for number in world.scenario.honest:
        core = world.nodes[number].core
        if core is None:
            found.append(Violation("liveness", number, "the node is down"))
            continue
        if core.state.index < target:
            detail = f"commit {core.state.index} of at least {target}"
            found.append(Violation("liveness", number, detail))
        for identifier, job in core.state.jobs.items():
            if not job.terminal:
                detail = f"job {identifier.hex()} is {job.phase.value}"
                found.append(Violation("liveness", number, detail))
        waiting = len(core.pool.operations(core.account))
        if waiting:
            found.append(Violation("liveness", number, f"{waiting} own operations wait"))
    return found


def newest_index(world: World) -> int:
    """Returns the newest commit of any live honest node."""
    return max((core.state.index for _, core in _cores(world)), default=0)


def _cores(world: World) -> Iterator[tuple[int, Core]]:
    for node in world.live_honest:
        if node.core is not None:
            yield node.index, node.core
