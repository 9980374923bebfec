"""Everything that can happen to a node; a driver turns the world into these and nothing else."""

from dataclasses import dataclass
from typing import Final

from protocol.messages import Payload
from protocol.units import AccountId, Digest, Epoch, JobId

FIRST_EPOCH: Final = Epoch(0)


@dataclass(frozen=True, slots=True)
class BlocksRestored:
    """Blocks from the node's own store, in the order in which they were accepted."""

    blocks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """The end of a start: what this identity had signed and prepared before it stopped."""

    last_round: int
    """Highest round in which this node signed a block of `epoch`; 0 for none."""
    operations: tuple[bytes, ...]
    """Own signed operations, which the world may not have seen yet."""
    reveals: tuple[bytes, ...]
    """Encoded `Reveal` messages whose commitments were or were about to be sent."""
    epoch: Epoch = FIRST_EPOCH
    """The newest epoch in which this node signed a block."""


@dataclass(frozen=True, slots=True)
class WorkerOffered:
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


@dataclass(frozen=True, slots=True)
class Tick:
    """The time that the core asked to be woken at has come."""


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A peer can be sent messages."""

    peer: AccountId


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """A peer can no longer be reached."""

    peer: AccountId


@dataclass(frozen=True, slots=True)
class BlockReceived:
    """A signed block arrived by gossip."""

    peer: AccountId
    raw: bytes


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A `PeerMessage` arrived, by gossip or from one peer alone."""

    peer: AccountId
    raw: bytes


@dataclass(frozen=True, slots=True)
class OperationRequested:
    """The operator or a local program wants an operation signed and sent."""

    ticket: int
    """Echoed in the report that answers."""
    payload: Payload


@dataclass(frozen=True, slots=True)
class OperationSubmitted:
    """A local program brings an operation that another account has signed."""

    ticket: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class ExecutionEnded:
    """A run that the core asked for is over; the output is kept under its digest."""

    job: JobId
    outcome: int
    """A value of `protocol.job.record.ResultOutcome`."""
    output: Digest
    elapsed_ms: int
    fuel: int


@dataclass(frozen=True, slots=True)
class ExecutionImpossible:
    """A run could not be started here."""

    job: JobId
    unavailable: bool
    """True when the artefact or an input could not be fetched from anybody."""


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The store cannot make anything durable: nothing may be signed until it can again."""


@dataclass(frozen=True, slots=True)
class StoreRecovered:
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
    | StoreFailed
    | StoreRecovered
)
