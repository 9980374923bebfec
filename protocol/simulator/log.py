"""What honest nodes were seen to do, and what facts alone show to be broken.

It needs no simulated node: the reports of real nodes can be judged by it as well. What nodes did is
noted while they do it, since crashes take their memory.
"""

from dataclasses import dataclass, field
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.errors import Reason
from protocol.facts import EpochClosed, OperationApplied, OperationFailed, Settled, Slashed
from protocol.job.record import Fault
from protocol.simulator.scenario import Behaviour, Scenario, StaleDisk
from protocol.simulator.workload import OBSERVER_STAKE
from protocol.units import BASIS, CREDIT, AccountId, CommitIndex, Digest, Epoch, JobId, Round

LIARS: Final = tuple(
    behaviour
    for behaviour in Behaviour
    if behaviour.value in ("lying", "copying", "erring", "lazy")
)
"""Behaviours that reveal results which nobody computed."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    Attributes:
        invariant: Name of the checker.
        node: Where it shows; -1 when it is about several.
        detail: What was found.
        time_ns: When it was found.
    """

    invariant: str
    node: int
    detail: str
    time_ns: int = field(default=0, compare=False)


@dataclass(slots=True)
class Log:
    """What honest nodes were seen to do; a recorder that checks what is cheap at once.

    Attributes:
        found: What was broken so far.
        commits: First digest and state digest seen at each index.
        leader_rounds: Round of the leader of each commit.
        epochs: First end seen of each epoch.
        reached: Highest index that each node ever reported.
        kept: Blocks that each node has written, and their bytes together.
        blocks: Number of blocks that honest nodes proposed.
        settled: Jobs that ended.
        asked: Operations that honest nodes took on.
        unsettled: Those of them that are not final yet, and the node that took each on.
        equivocations: Rounds for which honest nodes saw two blocks of an account, and who first.
        proofs: Rounds for which any node found two blocks of an account.
        slashes: How often each node saw an account slashed for two blocks in one round.
        retraced: Jobs whose draw was computed again.
        rechecked: Ended jobs whose auditor's and jury's draws were computed again.
        outvoted: Honest accounts that lost stake where liars were too many to be outvoted.
    """

    scenario: Scenario
    found: list[Violation] = field(default_factory=list)
    commits: dict[CommitIndex, tuple[Digest, Digest]] = field(default_factory=dict)
    leader_rounds: dict[CommitIndex, Round] = field(default_factory=dict)
    epochs: dict[Epoch, EpochClosed] = field(default_factory=dict)
    reached: dict[int, CommitIndex] = field(default_factory=dict)
    kept: dict[int, tuple[int, int]] = field(default_factory=dict)
    blocks: int = 0
    settled: dict[JobId, None] = field(default_factory=dict)
    asked: int = 0
    unsettled: dict[Digest, int] = field(default_factory=dict)
    equivocations: dict[AccountId, dict[Round, int]] = field(default_factory=dict)
    proofs: dict[AccountId, dict[Round, None]] = field(default_factory=dict)
    slashes: dict[tuple[int, AccountId], int] = field(default_factory=dict)
    retraced: dict[JobId, None] = field(default_factory=dict)
    rechecked: dict[JobId, None] = field(default_factory=dict)
    outvoted: int = 0
    executed: int = 0
    _now: int = 0
    _slots: dict[tuple[int, int, int], Digest] = field(default_factory=dict)
    _settled: dict[tuple[int, JobId], int] = field(default_factory=dict)
    _convicted: dict[tuple[int, AccountId, JobId], None] = field(default_factory=dict)
    _honest: frozenset[int] = frozenset()
    _restored: frozenset[int] = frozenset()
    """Nodes that start from an old copy of their disk: they do well to sit out, and go through
    what they forgot again."""
    _honest_accounts: frozenset[AccountId] = frozenset()

    @property
    def convictions(self) -> int:
        """How often nodes saw an executor lose its pledge."""
        return len(self._convicted)

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
        match effect:
            case fx.Report(fx.EquivocationSeen(account, block_round)):
                # Two signatures prove it whoever finds them, a dishonest node, too.
                self.proofs.setdefault(account, {})[block_round] = None
            case _:
                pass
        if node not in self._honest:
            return
        self._now = time
        match effect:
            case fx.PersistBlock(raw=raw):
                count, size_bytes = self.kept.get(node, (0, 0))
                self.kept[node] = (count + 1, size_bytes + len(raw))
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
            case fx.CommitApplied(index, digest, state_digest, leader_round):
                self._note_commit(node, index, digest, state_digest)
                self.leader_rounds.setdefault(index, leader_round)
            case fx.BlockProposed(epoch, slot_round, digest):
                self.blocks += 1
                if self._slots.setdefault((node, epoch, int(slot_round)), digest) != digest:
                    self._report("own_slot", node, f"two blocks in round {slot_round}")
            case EpochClosed():
                if self.epochs.setdefault(fact.epoch, fact) != fact:
                    self._report("agreement", node, f"another end of epoch {fact.epoch}")
            case Slashed():
                self._note_slash(node, fact)
            case fx.EquivocationSeen(account, block_round):
                self._note_equivocation(node, account, block_round)
            case fx.Halted(explanation):
                self._report("agreement", node, f"halted: {explanation}")
            case _ if node not in self._restored:
                self._note_of_whole_memory(node, fact)
            case _:
                pass

    def _note_of_whole_memory(self, node: int, fact: fx.Fact) -> None:
        """Judges facts that a node restored from an old copy may well report again."""
        match fact:
            case fx.OperationSeen(identifier=identifier):
                self.asked += 1
                self.unsettled[identifier] = node
            case OperationApplied(identifier=identifier):
                self.unsettled.pop(identifier, None)
            case OperationFailed(identifier=identifier, reason=reason):
                if reason is not Reason.NONCE_GAP:
                    self.unsettled.pop(identifier, None)
            case fx.SittingOut(remembered, seen):
                self._report("own_slot", node, f"forgot round {seen}, remembers {remembered}")
            case Settled(job=job):
                self.settled[job] = None
                self._settled[node, job] = self._settled.get((node, job), 0) + 1
                if self._settled[node, job] > 1:
                    self._report("exactly_once", node, f"{job.hex()} settled again")
            case _:
                pass

    def _note_equivocation(self, node: int, account: AccountId, block_round: Round) -> None:
        if account in self._honest_accounts:
            self._report("own_slot", node, f"{account.hex()} in round {block_round}")
        else:
            self.equivocations.setdefault(account, {}).setdefault(block_round, node)

    def _note_slash(self, node: int, slash: Slashed) -> None:
        account, job = slash.account, slash.job
        if account in self._honest_accounts:
            if slash.reason is Fault.WRONG_RESULT and outvotes(self.scenario):
                self.outvoted += 1
            else:
                self._report("honest_never_slashed", node, account.hex())
        if node in self._restored:
            return
        if job is None:
            self.slashes[node, account] = self.slashes.get((node, account), 0) + 1
        elif (node, account, job) in self._convicted:
            self._report("accountability", node, f"{account.hex()} twice for {job.hex()}")
        else:
            self._convicted[node, account, job] = None

    def _report(self, invariant: str, node: int, detail: str) -> None:
        violation = Violation(invariant, node, detail, self._now)
        if violation not in self.found:
            self.found.append(violation)


def outvotes(scenario: Scenario) -> bool:
    """Whether those who lie about results have a third of the stake, so that no bound holds."""
    return 3 * lying_share_bp(scenario) >= BASIS


def lying_share_bp(scenario: Scenario) -> int:
    """The liars' part of all stake that may be drawn for work, in basis points, rounded up.

    Nodes outside the committee work, too, where their owners stake.
    """
    observer = OBSERVER_STAKE // CREDIT if scenario.workload.observer_stakes else 0
    stakes = [*scenario.stakes, *(observer for _ in range(scenario.observers))]
    lying = sum(stakes[node] for node, behaviour in scenario.behaviours if behaviour in LIARS)
    return -(-lying * BASIS // sum(stakes))
