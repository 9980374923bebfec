"""The values that cross between the node and its adapters; the adapters do not know each other.

Placed below every adapter and above nothing of theirs, so that the driver can hand what one adapter
produced to another without either importing the other.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A connection to a peer is up and usable in both directions."""

    account: bytes
    """32-byte Ed25519 public key of the peer."""


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """The last connection to a peer is gone."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Gossiped:
    """A payload that arrived on a gossip topic and passed the topic's gate."""

    topic: str
    account: bytes
    """The neighbour that delivered it, not its author."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A payload that one peer sent to this node alone."""

    account: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """Another node proved that it has this node's key, and has run for longer."""

    running_ms: int
    """How long the other one has run, in its own signed words."""


NetworkEvent = PeerJoined | PeerLeft | Gossiped | Received | KeyInUse


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive steps of a run that is made of steps."""

    first: int
    """From 0, where the run begins with its inputs."""
    last: int
    """One beyond the last; the output is what that one left."""
    given: bytes = b""
    """What the steps before `first` left; nothing where there are none."""

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class Task:
    """One run of an artefact on its inputs, complete in itself."""

    name: str
    """Hexadecimal job id, for logs and process titles."""
    kind: str
    """One of `p2pnode.kinds.known()`."""
    artefact: bytes
    inputs: tuple[bytes, ...]
    time_limit_ms: int
    memory_limit_bytes: int
    output_limit_bytes: int
    fuel_limit: int
    """Only for `wasm`: instructions, as counted by the runtime."""
    stretch: Stretch | None = None
    """The steps to run; None for a run that is a whole."""


class Limit(Enum):
    """Which declared limit ended a run."""

    TIME = "time"
    MEMORY = "memory"
    FUEL = "fuel"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Finished:
    """The artefact ran to its end."""

    output: bytes
    elapsed_ms: int
    fuel: int
    """0 where the kind does not meter fuel."""
    peak_memory_bytes: int
    trace: bytes = b""
    """Digests of what each step of a stretch left, one after the other."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The artefact ran into a limit that its job declares: a legal outcome, equal for all."""

    limit: Limit
    elapsed_ms: int
    fuel: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The artefact is wrong or trapped, as it would everywhere; the detail is for people."""

    detail: str
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class NoResult:
    """This machine could not find out: nothing is said about the artefact, and nothing committed.

    What another machine might answer differently belongs here, so that an honest node never
    vouches for an accident of its own.
    """

    detail: str
    elapsed_ms: int


RunOutcome = Finished | LimitReached | Failed | NoResult


@dataclass(frozen=True, slots=True)
class Metered:
    """What a run used on this node, measured from outside the worker; nobody else believes it."""

    job: str
    """Hexadecimal identifier, as the task's name."""
    device: str
    """`cpu`, or the GPU or slice that was leased."""
    elapsed_ms: int
    """At most the time that the job's limit allows."""
    memory_bytes: int
    """The most resident memory that was seen, the runtime's own included."""
    gpu_memory_bytes: int | None
    """The most GPU memory that was seen; None where no GPU was used."""
    energy_millijoules: int | None
    """Of the GPU during the run; None where no GPU was used or it has no counter."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job as its requester describes it, with the content already in the node's store."""

    kind: str
    artefact: bytes
    """32-byte content digest."""
    inputs: tuple[bytes, ...]
    size_bytes: int
    device: str
    time_limit_ms: int
    memory_limit_bytes: int
    output_limit_bytes: int
    fuel_limit: int
    result_class: str
    tolerated_error_ppm: int
    replicas: int
    replicas_max: int
    price_cap: int
    """Millionths of a credit per second."""
    budget: int
    """Millionths of a credit; 0 asks for the smallest budget that the terms allow."""
    bid_window_rounds: int
    """0 asks for the network's shortest window."""
    deadline_ms: int
    speed_target_ms: int
    sandbox_level: int
    """Lowest level that a bid may name."""
    retention_ms: int
    """Ledger time for which the output stays available and payouts wait; 0 for neither."""


class ControlError(Exception):
    """A request to the node that it could not do.

    Attributes:
        code: Reason code in lower case, the same that the protocol uses where it refused.
        message: What happened and what to do, for people.
        status: HTTP status that says the same.
    """

    def __init__(self, code: str, message: str, status: int = 409) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


class Control(Protocol):
    """What the HTTP interface may ask of a running node; every mapping is ready for JSON.

    Accounts and identifiers are lower-case hexadecimal, money is integer millionths.
    """

    def status(self) -> Mapping[str, object]:
        """Where this node and its network stand."""

    def peers(self) -> Sequence[Mapping[str, object]]:
        """The connected peers."""

    def devices(self) -> Sequence[Mapping[str, object]]:
        """The lent devices, and what their meters said last."""

    def account(self, account: bytes | None) -> Mapping[str, object]:
        """Balances of an account; of the node's own for None."""

    def jobs(self, limit: int) -> Sequence[Mapping[str, object]]:
        """Newest jobs first, one short record each."""

    def job(self, job: bytes) -> Mapping[str, object]:
        """One job with its receipt."""

    def why(self, identifier: bytes) -> Mapping[str, object]:
        """Reasons recorded for an operation, a job, a penalty or a bid never made."""

    async def result(self, job: bytes) -> bytes:
        """The accepted output of a job, fetched from its executors when it is not here yet."""

    async def store(self, pieces: AsyncIterator[bytes]) -> tuple[bytes, int]:
        """Puts an artefact or an input into the node's store as it comes: digest and size."""

    async def submit(self, request: JobRequest) -> bytes:
        """Signs, persists and gossips an offer; returns the job's identifier."""

    def quote(self, request: JobRequest) -> Mapping[str, object]:
        """Expected replicas, expected and highest price, eligible workers."""

    async def cancel(self, job: bytes) -> bytes:
        """Withdraws an offer whose bidding is open; returns the operation's identifier."""

    async def claim(self, job: bytes) -> bytes:
        """Says that an accepted output cannot be fetched; returns the operation's identifier."""

    async def transfer(self, recipient: bytes, amount: int) -> bytes:
        """Sends credits; returns the operation's identifier."""

    async def stake(self, amount: int) -> bytes:
        """Moves credits into stake; returns the operation's identifier."""

    async def unstake(self, amount: int) -> bytes:
        """Starts to unbond stake; returns the operation's identifier."""

    async def submit_operations(self, signed: Sequence[bytes]) -> Sequence[Mapping[str, object]]:
        """Brings operations that any accounts have signed; answers each, in their order.

        An answer has the `operation`'s identifier, or the `error` with which it was refused.
        """

    async def ask_faucet(self) -> Mapping[str, object]:
        """Asks the network's faucet for credits."""

    def operation(self, identifier: bytes) -> Mapping[str, object]:
        """How far an operation got: `seen`, `in_block`, `final` or `rejected`, and why."""

    def metrics(self) -> Mapping[str, float]:
        """Counters and gauges by name."""

    def facts(self) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, object]]]:
        """Follows what happens in this node, one mapping a fact, dropping when read too slowly."""
