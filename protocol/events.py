"""Everything that can happen to a node; a driver turns the world into these and nothing else."""

from typing import Final

from protocol.messages import Payload
from protocol.step_messages import StepPair
from protocol.struct import Struct
from protocol.units import AccountId, CommitIndex, Digest, Epoch, JobId

FIRST_EPOCH: Final = Epoch(0)
NO_COMMIT: Final = CommitIndex(0)

ANY_AMOUNT: Final = 2**63 - 1
"""More than any offer can ask for."""


class BlocksRestored(Struct, frozen=True):
    """Blocks from the node's own store, in the order in which they were accepted."""

    blocks: tuple[bytes, ...]


class Restored(Struct, frozen=True):
    """The end of a start: what this identity had signed and prepared before it stopped."""

    last_round: int
    """Highest round in which this node signed a block of `epoch`; 0 for none."""
    operations: tuple[bytes, ...]
    """Own signed operations, which the world may not have seen yet."""
    reveals: tuple[bytes, ...]
    """Encoded `Reveal` messages whose commitments were or were about to be sent."""
    epoch: Epoch = FIRST_EPOCH
    """The newest epoch in which this node signed a block."""
    final_index: CommitIndex = NO_COMMIT
    """The last commit that was final before; 0 for none."""


class Terms(Struct, frozen=True):
    """On which terms the operator takes one kind of task, and whether at all now."""

    kind: str
    price: int
    """Millionths of a credit per second."""
    time_ms_max: int = ANY_AMOUNT
    memory_bytes_max: int = ANY_AMOUNT
    output_bytes_max: int = ANY_AMOUNT
    """The highest limits of offers that are taken."""
    refusal: str = ""
    """Why none is taken now, in words for people; empty while some are."""


class WorkerOffered(Struct, frozen=True):
    """What the operator lets this node work on; replaces what was said before."""

    kinds: frozenset[str]
    devices: frozenset[str]
    """Where kinds of task run that are not in `classes`: on each of `cpu` or `cuda`."""
    price: int
    """Millionths of a credit per second."""
    allowed: frozenset[Digest] | None
    """Artefacts that may run; None when everything may."""
    parallel: int
    """Jobs bid for and run at the same time; 0 when the node does not work."""
    sandbox_level: int
    classes: tuple[tuple[str, str], ...] = ()
    """For a kind of task, the device class that it runs on here: `cpu` or `cuda`, and behind a
    slash what makes float results comparable."""
    denied: frozenset[Digest] = frozenset()
    """Artefacts that may not run, whatever `allowed` says."""
    requesters: frozenset[AccountId] | None = None
    """Accounts whose jobs are taken; None when everybody's are."""
    denied_requesters: frozenset[AccountId] = frozenset()
    """Accounts whose jobs are not taken, whatever `requesters` says."""
    terms: tuple[Terms, ...] = ()
    """Of the kinds that have their own; the others have `price` and no bounds."""


class Tick(Struct, frozen=True):
    """The time that the core asked to be woken at has come."""


class PeerJoined(Struct, frozen=True):
    """A peer can be sent messages."""

    peer: AccountId


class PeerLeft(Struct, frozen=True):
    """A peer can no longer be reached."""

    peer: AccountId


class BlockReceived(Struct, frozen=True):
    """A signed block arrived by gossip."""

    peer: AccountId
    raw: bytes


class MessageReceived(Struct, frozen=True):
    """A `PeerMessage` arrived, by gossip or from one peer alone."""

    peer: AccountId
    raw: bytes


class OperationRequested(Struct, frozen=True):
    """The operator or a local program wants an operation signed and sent."""

    ticket: int
    """Echoed in the report that answers."""
    payload: Payload


class OperationSubmitted(Struct, frozen=True):
    """A local program brings an operation that another account has signed."""

    ticket: int
    raw: bytes


class ExecutionEnded(Struct, frozen=True):
    """A run that the core asked for is over; the output is kept under its digest."""

    job: JobId
    outcome: int
    """A value of `protocol.job.record.ResultOutcome`."""
    output: Digest
    elapsed_ms: int
    fuel: int
    trace: bytes = b""
    """Root over the run's steps; empty for a job that is not made of steps."""


class TraceOpened(Struct, frozen=True):
    """A level of the trace of an own run, which the core has asked for."""

    pair: StepPair

    @property
    def job(self) -> JobId:
        """Whose run it was."""
        return self.pair.job


class ExecutionImpossible(Struct, frozen=True):
    """A run could not be started here, or an accepted output not fetched."""

    job: JobId
    unavailable: bool
    """True when the artefact or an input could not be fetched from anybody."""


ExecutionEvent = ExecutionEnded | ExecutionImpossible | TraceOpened
"""What answers an effect on the devices."""


class StoreFailed(Struct, frozen=True):
    """The store cannot make anything durable: nothing may be signed until it can again."""


class StoreRecovered(Struct, frozen=True):
    """The store is durable again."""


Event = (
    BlocksRestored
    | Restored
    | WorkerOffered
    | Tick
    | PeerJoined
    | PeerLeft
    | BlockReceived
    | MessageReceived
    | OperationRequested
    | OperationSubmitted
    | ExecutionEnded
    | ExecutionImpossible
    | TraceOpened
    | StoreFailed
    | StoreRecovered
)
