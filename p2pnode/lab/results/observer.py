"""A copy of the ledger that stands beside a run and takes in every block that any node took in.

Facts say that a commit happened, not what it ordered nor what a job came to. This copy computes
both as every node does, once instead of once for each node.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.errors import Misuse, Reason, Rejected
from protocol.facts import OperationApplied, OperationFailed
from protocol.job.record import Job
from protocol.ledger.block import VerifiedBlock, reopen_block
from protocol.ledger.committee import Committee
from protocol.messages import Block, Genesis, VerifiedOperation
from protocol.parameters import Parameters
from protocol.replica import Applied, Replica
from protocol.signing import Scheme
from protocol.simulator.scenario import Scenario, genesis_of, identities
from protocol.simulator.scheme import FAKE
from protocol.state import State
from protocol.units import AccountId, Digest, JobId, MemberIndex, Round

REPEATED = (Reason.NONCE_GAP, Reason.STALE_NONCE)
"""Failures of one copy of an operation, which say nothing of the operation itself."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Whom a run is about.

    Attributes:
        genesis: What the network shares.
        accounts: Of each node, by number.
        honest: Nodes that keep every rule; the tables give their views only.
        scheme: Signature functions.
    """

    genesis: Genesis
    accounts: tuple[AccountId, ...]
    honest: tuple[int, ...]
    scheme: Scheme


def setup_of(scenario: Scenario, scheme: Scheme = FAKE) -> Setup:
    """Works out whom a simulated run is about."""
    accounts = tuple(scheme.account_of(secret.seed) for secret in identities(scenario))
    return Setup(genesis_of(scenario, scheme), accounts, scenario.honest, scheme)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """An epoch's members, and the rounds of all epochs before it."""

    committee: Committee
    base_round: Round


class Observer:
    """The copy.

    Attributes:
        digests: Of each commit so far, the first at position 1.
        leader_rounds: Of each commit so far.
        index_of_block: The commit that ordered each block.
        index_of_operation: The commit that judged each operation.
        failures: Why operations became final without effect.
    """

    def __init__(self, setup: Setup) -> None:
        self._replica = replica = Replica(setup.genesis, setup.scheme)
        self._scheme = setup.scheme
        self._epochs = [_Epoch(replica.ledger.committee, Round(0))]
        self._numbers: dict[AccountId, int] = {}
        for number, account in enumerate(setup.accounts):
            self._numbers.setdefault(account, number)
        self.digests: list[Digest] = []
        self.leader_rounds: list[Round] = []
        self.leaders: list[Digest] = []
        self.index_of_block: dict[Digest, int] = {}
        self.index_of_operation: dict[Digest, int] = {}
        self.failures: dict[Digest, str] = {}

    @property
    def state(self) -> State:
        """Jobs and balances as of the last commit."""
        return self._replica.state

    @property
    def parameters(self) -> Parameters:
        """The network's terms."""
        return self._replica.parameters

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job as of the last commit, in the order of opening."""
        return tuple(self._replica.state.jobs.values())

    def job(self, identifier: JobId) -> Job | None:
        """A job as of the last commit."""
        return self._replica.state.jobs.get(identifier)

    def number_of(self, account: AccountId) -> int:
        """A node's number; -1 for an account that no node has."""
        return self._numbers.get(account, -1)

    def author_of(self, block: Block) -> int:
        """The number of the node that wrote a block."""
        return self.number_of(self._epochs[block.epoch].committee.members[block.author].account)

    def counted(self, epoch: int, block_round: int) -> int:
        """A round of an epoch, counted from genesis on."""
        return self._epochs[epoch].base_round + block_round

    def leader_of(self, slot: int) -> int:
        """The node that leads a round, which counts from genesis on."""
        epoch = next(one for one in reversed(self._epochs) if one.base_round < slot)
        leader: MemberIndex = epoch.committee.leader(Round(slot - epoch.base_round))
        return self.number_of(epoch.committee.members[leader].account)

    def take(self, raw: bytes) -> VerifiedBlock:
        """Takes in a block that a node has accepted, and so verified."""
        replica, block = self._replica, self._opened(raw)
        if block.block.epoch == replica.ledger.committee.epoch:
            for applied in replica.take(block, is_stored=True).applied:
                self._note(applied)
            if replica.begin_epoch():
                self._epochs.append(_Epoch(replica.ledger.committee, replica.ledger.base_round))
        return block

    def _opened(self, raw: bytes) -> VerifiedBlock:
        """Opens a block of this epoch, or of an earlier one in which a node still is."""
        for epoch in reversed(self._epochs):
            try:
                return reopen_block(raw, epoch.committee, self._scheme)
            except Rejected as refusal:
                if refusal.reason is not Reason.PAST_EPOCH:
                    raise
        raise Misuse("no committee of this network wrote this block")

    def open(self, raw: bytes) -> VerifiedOperation | None:
        """Opens an operation; None for bytes that do not open."""
        try:
            return self._replica.admission.operation(raw)
        except Rejected:
            return None

    def operations_of(self, block: VerifiedBlock) -> Iterator[VerifiedOperation]:
        """Opens what a block brings."""
        for raw in block.operations:
            operation = self.open(raw)
            if operation is not None:
                yield operation

    def _note(self, applied: Applied) -> None:
        commit = applied.commit
        self.digests.append(commit.digest)
        self.leader_rounds.append(commit.ledger_round)
        self.leaders.append(commit.leader)
        for block in commit.blocks:
            self.index_of_block[block.digest] = commit.index
        for fact in applied.facts:
            match fact:
                case OperationApplied(identifier=identifier):
                    self.index_of_operation.setdefault(identifier, commit.index)
                case OperationFailed(identifier=identifier, reason=reason):
                    if reason not in REPEATED and identifier not in self.index_of_operation:
                        self.index_of_operation[identifier] = commit.index
                        self.failures[identifier] = reason.name.lower()
                case _:
                    pass
