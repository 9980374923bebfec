"""What must hold in every run: one checker for each promise of the protocol.

`Log` notes what the nodes did while they do it, since crashes take their memory; the checkers look
at it and at the nodes, and each returns what it found broken.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.simulator.scenario import Scenario, StaleDisk
from protocol.simulator.world import World
from protocol.state import Settled, Slashed
from protocol.units import AccountId, CommitIndex, Digest, JobId

PROGRESS_COMMITS: Final = 3
"""Commits beyond the newest one at the heal that every live node must reach."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    Attributes:
        invariant: Name of the checker.
        node: Where it shows; -1 when it is about several.
        detail: What was found.
    """

    invariant: str
    node: int
    detail: str


@dataclass(slots=True)
class Log:
    """What honest nodes were seen to do; a recorder that checks what is cheap at once.

    Attributes:
        found: What was broken so far.
        commits: First digest and state digest seen at each index.
        reached: Highest index that each node ever reported.
    """

    scenario: Scenario
    found: list[Violation] = field(default_factory=list)
    commits: dict[CommitIndex, tuple[Digest, Digest]] = field(default_factory=dict)
    reached: dict[int, CommitIndex] = field(default_factory=dict)
    executed: int = 0
    _slots: dict[tuple[int, int], Digest] = field(default_factory=dict)
    _settled: dict[tuple[int, JobId], int] = field(default_factory=dict)
    _honest: frozenset[int] = frozenset()
    _restored: frozenset[int] = frozenset()
    """Nodes that start from an old copy of their disk: they do well to sit out, and go through
    what they forgot again."""
    _honest_accounts: frozenset[AccountId] = frozenset()

    def know(self, accounts: tuple[AccountId, ...]) -> None:
        """Learns the nodes' accounts; nothing is judged before."""
        self._honest = frozenset(self.scenario.honest)
        self._restored = frozenset(
            fault.node for fault in self.scenario.faults if isinstance(fault, StaleDisk)
        )
        self._honest_accounts = frozenset(accounts[node] for node in self._honest)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events prove nothing about a node."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Checks what an honest node did against all that was done before."""
        if node not in self._honest:
            return
        match effect:
            case fx.PersistCommit(index, digest, state_digest):
                self._note_commit(node, index, digest, state_digest)
            case fx.Execute():
                self.executed += 1
            case fx.Report(fact):
                self._note_fact(node, fact)
            case _:
                pass

    def _note_commit(
        self, node: int, index: CommitIndex, digest: Digest, state_digest: Digest
    ) -> None:
        known = self.commits.setdefault(index, (digest, state_digest))
        if known[0] != digest:
            self._report("agreement", node, f"another commit at index {index}")
        elif known[1] != state_digest:
            self._report("convergence", node, f"another state after commit {index}")
        if index > self.reached.get(node, 0) + 1:
            self._report("agreement", node, f"commit {index} without those before")
        self.reached[node] = max(index, self.reached.get(node, index))

    def _note_fact(self, node: int, fact: fx.Fact) -> None:
        match fact:
            case fx.BlockProposed(slot_round, digest):
                if self._slots.setdefault((node, int(slot_round)), digest) != digest:
                    self._report("own_slot", node, f"two blocks in round {slot_round}")
            case Slashed(account=account) if account in self._honest_accounts:
                self._report("honest_never_slashed", node, account.hex())
            case fx.EquivocationSeen(account, block_round) if account in self._honest_accounts:
                self._report("own_slot", node, f"{account.hex()} in round {block_round}")
            case fx.Halted(explanation):
                self._report("agreement", node, f"halted: {explanation}")
            case fx.SittingOut(remembered, seen) if node not in self._restored:
                self._report("own_slot", node, f"forgot round {seen}, remembers {remembered}")
            case Settled(job=job) if node not in self._restored:
                self._settled[node, job] = self._settled.get((node, job), 0) + 1
                if self._settled[node, job] > 1:
                    self._report("exactly_once", node, f"{job.hex()} settled again")
            case _:
                pass

    def _report(self, invariant: str, node: int, detail: str) -> None:
        self.found.append(Violation(invariant, node, detail))


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
    found = []
    for number, core in _cores(world):
        accounts = core.state.accounts
        if not accounts.conserved() or accounts.recount() != accounts.totals:
            found.append(Violation("conservation", number, str(accounts.totals)))
        for account in accounts:
            owned = accounts.of(account)
            if min(owned.available, owned.staked, owned.escrow, owned.free_stake) < 0:
                found.append(Violation("conservation", number, f"{account.hex()} is in debt"))
    return found


def exactly_once(world: World, log: Log) -> list[Violation]:
    """A job is settled once, and pays out no more than it locked."""
    found = [one for one in log.found if one.invariant == "exactly_once"]
    for number, core in _cores(world):
        for identifier, job in core.state.jobs.items():
            spent = sum(payout.amount for payout in job.payouts) + job.fee + job.refund
            left = core.state.accounts.escrow_of(identifier)
            if spent > job.offer.budget or (job.terminal and spent + left != job.offer.budget):
                detail = f"{identifier.hex()}: {spent} + {left} of {job.offer.budget}"
                found.append(Violation("exactly_once", number, detail))
    return found


def honest_never_slashed(_: World, log: Log) -> list[Violation]:
    """No node that kept every rule loses stake."""
    return [one for one in log.found if one.invariant == "honest_never_slashed"]


def own_slot(world: World, log: Log) -> list[Violation]:
    """An honest member signs one block in a round, whatever it has forgotten."""
    found = [one for one in log.found if one.invariant == "own_slot"]
    for number in world.scenario.honest:
        for _, slot_round in world.nodes[number].disk.contradictions:
            found.append(Violation("own_slot", number, f"round {slot_round} kept twice"))
    return found


def lottery(world: World, _: Log) -> list[Violation]:
    """All nodes derive the same executors, and never the requester."""
    found = []
    drawn: dict[tuple[JobId, int], tuple[AccountId, ...]] = {}
    for number, core in _cores(world):
        for identifier, job in core.state.jobs.items():
            executors = tuple(executor.account for executor in job.executors)
            known = drawn.setdefault((identifier, core.state.index), executors)
            if known != executors or job.requester in executors:
                found.append(Violation("lottery", number, identifier.hex()))
    return found


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
