"""Everything that a core may ask of the world, performed in the order in which it was returned.

What a node sends may depend on what it must not forget: a driver makes every slot, operation and
reveal of a batch durable, and all that was to be kept before it, before it performs any other
effect of that batch. Blocks, commits and certificates alone may be written a little later: they can
be had again.
"""

from dataclasses import dataclass

from protocol.errors import Reason
from protocol.facts import StateFact
from protocol.job.trial import Question
from protocol.messages import Offer
from protocol.snapshot import Snapshot
from protocol.struct import Struct
from protocol.units import AccountId, CommitIndex, Digest, JobId, Round

# To the store


class PersistBlock(Struct, frozen=True):
    """Keep an accepted block; blocks are restored in the order in which they were kept."""

    digest: Digest
    epoch: int
    round: Round
    author: int
    raw: bytes


class PersistSlot(Struct, frozen=True):
    """Remember that this node signed this block in this slot, and never another one."""

    epoch: int
    round: Round
    digest: Digest


class PersistOperation(Struct, frozen=True):
    """Keep an operation of this node's own account."""

    identifier: Digest
    nonce: int
    raw: bytes


class PersistReveal(Struct, frozen=True):
    """Keep what opens a commitment, before the commitment is sent."""

    job: JobId
    raw: bytes


class PersistCommit(Struct, frozen=True):
    """Remember a final commit, so that a store that contradicts it later is noticed."""

    index: CommitIndex
    digest: Digest
    state_digest: Digest


class PersistCertificate(Struct, frozen=True):
    """Keep the certificate of an epoch for ever: newcomers check the chain of them."""

    epoch: int
    raw: bytes


class PersistSnapshot(Struct, frozen=True):
    """Keep the state at an epoch's end, page by page, while everything else goes on.

    Not a record of a batch: the node that stops before it is whole starts from an earlier one.
    """

    snapshot: Snapshot
    own_nonce: int
    """The first nonce of this node's account that is not in it."""
    spent: tuple[JobId, ...] = ()
    """Jobs that have ended in it for good, so that their kept reveals open nothing any more.

    They may go once every snapshot that a start may begin at is as late as this one.
    """


# To the network


class GossipBlock(Struct, frozen=True):
    """Publish an own block to everybody."""

    raw: bytes


class GossipOperations(Struct, frozen=True):
    """Publish an encoded `OperationBatch` to everybody."""

    raw: bytes


class Send(Struct, frozen=True):
    """Send an encoded `PeerMessage` to one peer; it may be lost."""

    peer: AccountId
    raw: bytes


class SendStoredBlocks(Struct, frozen=True):
    """Send one peer kept blocks of one epoch in a `BlockBatch`.

    Those named first, then those above the rounds that it has, in the order in which they were
    accepted, within a size limit.
    """

    peer: AccountId
    wanted: tuple[Digest, ...]
    have: tuple[int, ...]
    limit_bytes: int
    epoch: int


# To the devices


class FetchContent(Struct, frozen=True):
    """Bring here what a job needs, as this node has bid for it; a failure is of no consequence."""

    job: JobId
    offer: Offer
    requester: AccountId


class StepOrder(Struct, frozen=True):
    """Run one step of a job, as a juror of a dispute about it."""

    index: int
    """From 0."""
    given: Digest | None
    """Content that the step begins with; None for the first, which begins with the inputs."""
    holders: tuple[AccountId, ...]


class Execute(Struct, frozen=True):
    """Fetch what a job needs and run it; answered by an execution event."""

    job: JobId
    offer: Offer
    requester: AccountId
    step: StepOrder | None = None
    """The one step to run; None for the whole job."""


class OpenTrace(Struct, frozen=True):
    """Open the trace of an own run by one level; answered by `TraceOpened`."""

    job: JobId
    offer: Offer
    requester: AccountId
    question: Question


class KeepStep(Struct, frozen=True):
    """Keep what an own run held before a step, for the jury that is to run it."""

    job: JobId
    offer: Offer
    requester: AccountId
    index: int


class StopExecution(Struct, frozen=True):
    """The job no longer wants a result."""

    job: JobId


class FetchOutput(Struct, frozen=True):
    """Bring an accepted output here; answered by `ExecutionImpossible` where that fails."""

    job: JobId
    output: Digest
    holders: tuple[AccountId, ...]


# To the clock and to people


class WakeAt(Struct, frozen=True):
    """Send a `Tick` at this time (nanoseconds since genesis); replaces the time asked before."""

    time: int


@dataclass(frozen=True, slots=True)
class OperationSeen:
    """A request was signed and is on its way."""

    ticket: int
    identifier: Digest


@dataclass(frozen=True, slots=True)
class OperationRefused:
    """A request cannot be done as things stand."""

    ticket: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class BlockProposed:
    """This node signed a block."""

    epoch: int
    round: Round
    """Counted from genesis on; the last rounds of an epoch and the first of the next overlap."""
    digest: Digest
    operations: int


@dataclass(frozen=True, slots=True)
class CommitApplied:
    """A leader commit is final and applied."""

    index: CommitIndex
    digest: Digest
    state_digest: Digest
    leader_round: Round
    """Counted from genesis on, as in all facts; blocks count anew in each epoch."""
    operations: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class PeerRefused:
    """A peer sent something that breaks a rule."""

    peer: AccountId
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class EquivocationSeen:
    """A member signed two blocks in one round."""

    author: AccountId
    round: Round


@dataclass(frozen=True, slots=True)
class NotBidding:
    """Why this node does not bid for a job."""

    job: JobId
    explanation: str


@dataclass(frozen=True, slots=True)
class SittingOut:
    """This node proposes no blocks in this epoch, because its store has forgotten some of them."""

    remembered_round: int
    seen_round: int


@dataclass(frozen=True, slots=True)
class KeySeenElsewhere:
    """Somebody else signs with this node's key now: a block of it was made while this node ran."""

    round: Round


@dataclass(frozen=True, slots=True)
class Halted:
    """The ledger must not go on: a proof that more than the tolerated weight is faulty."""

    explanation: str


Fact = (
    StateFact
    | OperationSeen
    | OperationRefused
    | BlockProposed
    | CommitApplied
    | PeerRefused
    | EquivocationSeen
    | NotBidding
    | SittingOut
    | KeySeenElsewhere
    | Halted
)


class Report(Struct, frozen=True):
    """Something happened that people or programs may want to know."""

    fact: Fact


Persist = (
    PersistBlock
    | PersistSlot
    | PersistOperation
    | PersistReveal
    | PersistCommit
    | PersistCertificate
)

Computing = FetchContent | Execute | OpenTrace | KeepStep | StopExecution

Effect = (
    Persist
    | PersistSnapshot
    | GossipBlock
    | GossipOperations
    | Send
    | SendStoredBlocks
    | Computing
    | FetchOutput
    | WakeAt
    | Report
)
