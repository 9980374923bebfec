"""One copy of the ledger: valid blocks and operations in, final states out.

Everything that any copy computes alike, whoever holds it: a node, a simulated node, an auditor
that reads an export. What a node does about it is decided in `protocol.core`.
"""

from collections.abc import Iterator
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.facts import OperationApplied, OperationFailed, StateFact
from protocol.ledger.admission import Admission
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.ledger.ledger import Ledger
from protocol.ledger.ordering import Commit, CommitSummary
from protocol.ledger.pool import OperationPool
from protocol.messages import Genesis, VerifiedOperation, network_of
from protocol.signing import Scheme
from protocol.snapshot import Snapshot
from protocol.state import State
from protocol.struct import Struct
from protocol.units import AccountId, Digest, Nonce
from protocol.wire import OperationBatch

GOSSIPED_OPERATIONS_MAX: Final = 2_048
"""Operations in one gossiped batch: more than a node's own batch of 256 KiB ever holds."""

OTHER_EPOCH: Final = (Reason.PAST_EPOCH, Reason.COMING_EPOCH, Reason.WRONG_EPOCH)
"""Refusals of blocks that are valid at another time."""

FAULTLESS: Final = (Reason.BEHIND_HORIZON, *OTHER_EPOCH)
"""Refusals of blocks that are no fault of who sent them: honest answers overshoot, too."""


class Applied(Struct, frozen=True):
    """A final commit and what it changed."""

    commit: Commit
    state_digest: Digest
    operations: int
    facts: tuple[StateFact, ...]


class Taken(Struct, frozen=True):
    """What one block led to.

    Attributes:
        accepted: Blocks that joined the graph, ancestors first.
        missing: Ancestors that somebody has to send.
        equivocations: Pairs of contradicting blocks seen for the first time.
        applied: Commits that became final, in order.
    """

    accepted: tuple[VerifiedBlock, ...]
    missing: tuple[Digest, ...]
    equivocations: tuple[tuple[VerifiedBlock, VerifiedBlock], ...]
    applied: tuple[Applied, ...]


class Replica:
    """A ledger, its state, and the operations that wait for their order.

    Args:
        genesis: Where the network started.
        scheme: Signature functions.
        snapshot: Where to begin: the end of an epoch. None begins at genesis.

    Raises:
        Rejected: what `State.load` and `Epochs.resume` raise for a snapshot that is not right.

    Attributes:
        network: The network's digest.
        parameters: The network's terms.
        ledger: Blocks and their order.
        state: Jobs and balances as of the last final commit.
        pool: Operations that are not final yet.
        admission: Opens what arrives.
    """

    def __init__(self, genesis: Genesis, scheme: Scheme, snapshot: Snapshot | None = None) -> None:
        self.network = network_of(genesis)
        self.parameters = genesis.parameters
        first = Committee.of_genesis(genesis)
        if snapshot is None:
            self.state, opening = State(genesis, first, scheme), None
        else:
            self.state = _state_at(snapshot, genesis, first, scheme)
            opening = _opening(snapshot, self.state)
        committee = self.state.committee
        self.ledger = Ledger(committee, self.parameters, opening)
        self.pool = OperationPool(self.parameters, self._payable_nonce)
        self.pool.begin(committee.epoch)
        self.admission = Admission(committee, self.network, self.parameters, scheme)

    def _payable_nonce(self, account: AccountId) -> Nonce | None:
        """Tells an account's next nonce, if it could pay for a failing operation."""
        return self.state.next_nonce(account) if self.state.may_send(account) else None

    def screen_block(self, raw: bytes) -> bool:
        """Whether a gossiped block may be passed on; changes nothing but caches."""
        try:
            self.admission.block(raw, horizon=self.ledger.gc_round)
        except Rejected:
            return False
        return True

    def screen_operations(self, raw: bytes) -> bool:
        """Whether gossiped operations may be passed on; changes nothing but caches.

        What is final, and what repeats itself, is useful to nobody: passing it on would let one
        stranger's bytes travel over every link again and again.
        """
        try:
            batch = self.admission.message(raw)
        except Rejected:
            return False
        if not isinstance(batch, OperationBatch):
            return False
        raws = batch.operations
        if len(raws) > GOSSIPED_OPERATIONS_MAX or len(set(raws)) != len(raws):
            return False
        return all(self._is_wanted(one) for one in raws)  # the first bad one ends the work

    def _is_wanted(self, raw: bytes) -> bool:
        operation = self._open(raw)
        if operation is None:
            return False
        body = operation.operation
        nonce = self._payable_nonce(body.account)
        is_void = body.last_epoch < self.ledger.committee.epoch
        return nonce is not None and body.nonce >= nonce and not is_void

    def take(self, block: VerifiedBlock, *, is_stored: bool = False) -> Taken:
        """Takes in a valid block and applies whatever becomes final.

        Args:
            block: The block.
            is_stored: It comes from the own store, so admission limits were kept already.

        Raises:
            Rejected: an admission limit of the ledger.
        """
        acceptance = self.ledger.accept(block, is_stored=is_stored)
        for holder in acceptance.accepted:
            for raw in holder.operations:
                self._note_in_block(raw, holder)
        applied: tuple[Applied, ...] = ()
        if acceptance.commits:
            applied = tuple([self._apply(commit) for commit in acceptance.commits])
            self.pool.prune(self.ledger.gc_round)
        return Taken(acceptance.accepted, acceptance.missing, acceptance.equivocations, applied)

    def is_busy(self) -> bool:
        """Whether anything awaits a position in the ledger."""
        return self.pool.busy or self.state.awaiting_ledger

    def take_operations(self, batch: OperationBatch) -> Iterator[Rejected]:
        """Pools a neighbour's operations; yields why it should not have sent some of them."""
        for raw in batch.operations:
            try:
                self.pool.add(self.admission.operation(raw), self.ledger.clock_round)
            except Rejected as refusal:
                if refusal.reason not in (Reason.STALE_NONCE, Reason.EXPIRED):
                    yield refusal

    def restored_block(self, raw: bytes) -> VerifiedBlock | None:
        """Opens a block from the own store; None for one of another epoch.

        Such a one follows a block that was damaged. Neighbours have what is lacking, and it too.
        """
        try:
            return self.admission.stored_block(raw)
        except Rejected as refusal:
            if refusal.reason not in OTHER_EPOCH:
                raise
            return None

    def begin_epoch(self) -> bool:
        """Begins the next epoch when the running one has ended; call it after each `take`.

        Returns:
            Whether another epoch began. None does where the state says that none may.
        """
        ledger, committee = self.ledger, self.state.committee
        if not ledger.is_closed or committee.epoch == ledger.committee.epoch:
            return False
        ledger.begin(committee)
        self.admission.begin(committee)
        self.pool.begin(committee.epoch)
        return True

    def _note_in_block(self, raw: bytes, holder: VerifiedBlock) -> None:
        operation = self._open(raw)
        if operation is None:
            return
        try:
            self.pool.add(operation, holder.block.round)
        except Rejected:
            return  # ordered all the same, and judged again when it is final
        author = holder.block.author
        self.pool.in_block(operation.identifier, holder.block.round, author)

    def _apply(self, commit: Commit) -> Applied:
        raws = [raw for block in commit.blocks for raw in block.operations]
        facts = self.state.apply(commit, [self._open(raw) for raw in raws])
        for fact in facts:
            self._settle_pool(fact)
        return Applied(commit, self.state.digest, len(raws), facts)

    def _open(self, raw: bytes) -> VerifiedOperation | None:
        try:
            return self.admission.operation(raw)
        except Rejected:
            return None

    def _settle_pool(self, fact: StateFact) -> None:
        match fact:
            case OperationFailed(identifier=identifier, reason=Reason.NONCE_GAP):
                self.pool.return_from_block(identifier)
            case OperationApplied(account=account) | OperationFailed(account=account):
                nonce = self.state.next_nonce(account)
                if nonce is not None:
                    self.pool.settle(account, nonce)
            case _:
                pass


def _state_at(snapshot: Snapshot, genesis: Genesis, first: Committee, scheme: Scheme) -> State:
    boundary = snapshot.boundary
    state = State.load(genesis, first, scheme, snapshot.pages, boundary.state_digest)
    state.epochs.resume(boundary)
    if state.index != boundary.index:
        raise Rejected(Reason.WRONG_EPOCH, "the state is not the one at this boundary")
    return state


def _opening(snapshot: Snapshot, state: State) -> CommitSummary:
    """The commit that the snapshot stands behind, as the ledger that made it would have it."""
    boundary = snapshot.boundary
    return CommitSummary(
        boundary.index,
        state.leader_round,
        boundary.commit_digest,
        state.commit_time_ms,
        boundary.beacon,
    )
