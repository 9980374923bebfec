"""How long a node computes: a price for each step, each byte, each signature and each proof.

What is modelled: a node takes everything that waits as one batch, as a real driver does. Before the
batch counts, the node is busy for as long as its events take together, and what arrives meanwhile
waits for the next batch. Steps and decoding take one core, since a protocol core is one thread;
checks of signatures and proofs are spread over all cores. What the batch writes and sends comes
after that, and after the time for what the node itself signs in it.

What costs nothing: sending, storing beside the time of a sync, and runs of jobs, which take times
of their own. A block or an operation is checked once at each node, as real nodes remember what they
have opened; what cannot be decoded costs its bytes only; all else is charged as if every check were
made, also where a node would refuse it before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode
from protocol.errors import Rejected
from protocol.messages import Block, SignedBlock
from protocol.wire import BlockBatch, OperationBatch, open_message

KILOBYTE: Final = 1_024
REMEMBERED: Final = 65_536
"""Blocks and operations that a node knows it has checked, the newest."""

BLOCK_BYTES_MAX: Final = 2**31


@dataclass(frozen=True, slots=True)
class Costs:
    """Nanoseconds of computation, each 0 unless given.

    Attributes:
        cores: How many there are for checks.
        step_ns: For each event that the core takes in.
        kilobyte_ns: For 1,024 bytes that are decoded; each message is rounded up to a nanosecond.
        check_ns: For a signature to check.
        proof_ns: For a leader's random value to check.
        sign_ns: For a signature to make.
    """

    cores: int = 1
    step_ns: int = 0
    kilobyte_ns: int = 0
    check_ns: int = 0
    proof_ns: int = 0
    sign_ns: int = 0


MEASURED: Final = Costs(
    cores=1,
    step_ns=50_000,
    kilobyte_ns=10_000,
    check_ns=60_000,
    proof_ns=540_000,
    sign_ns=40_000,
)
"""What this project's own functions took in CPython 3.11 on one core of a shared x86-64 server, the
best of seven rounds: PyNaCl's Ed25519, the ECVRF proof, decoding of blocks of 0.4 to 0.8 kB, and a
simulated node's step with 16 members. A round figure each; another machine differs."""


class Bill:
    """Reckons up what one node computes."""

    __slots__ = ("_checked", "_checks_ns", "_costs", "_steps_ns")

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._checked: dict[bytes, None] = {}
        self._checks_ns = 0
        self._steps_ns = 0

    def forget(self) -> None:
        """Loses what was checked, as a crash does."""
        self._checked.clear()

    def events_ns(self, events: Iterable[ev.Event]) -> int:
        """Returns how long a batch of events takes; rounds up."""
        self._checks_ns = self._steps_ns = 0
        for event in events:
            self._steps_ns += self._costs.step_ns
            match event:
                case ev.BlockReceived(raw=raw):
                    self._block(raw)
                case ev.MessageReceived(raw=raw):
                    self._message(raw)
                case ev.BlocksRestored(blocks):
                    for raw in blocks:  # checked before they were kept
                        self._decode(raw)
                case ev.OperationSubmitted(raw=raw):
                    self._operation(raw)
                case _:
                    pass
        return self._steps_ns - (-self._checks_ns // self._costs.cores)

    def effects_ns(self, effects: Iterable[fx.Effect]) -> int:
        """Returns how long it takes to sign what a batch lets out."""
        signed = sum(isinstance(one, fx.GossipBlock | fx.GossipOperations) for one in effects)
        return signed * self._costs.sign_ns

    def _message(self, raw: bytes) -> None:
        self._decode(raw)
        try:
            message = open_message(raw)
        except Rejected:
            return
        if isinstance(message, OperationBatch):
            for operation in message.operations:
                self._operation(operation)
        elif isinstance(message, BlockBatch):
            for block in message.blocks:
                self._block(block)

    def _block(self, raw: bytes) -> None:
        if not self._is_new(raw):
            return
        self._decode(raw)
        try:
            signed = decode(raw, SignedBlock, BLOCK_BYTES_MAX)
            block = decode(signed.body, Block, BLOCK_BYTES_MAX)
        except Rejected:
            return
        self._checks_ns += self._costs.check_ns * (1 + (block.checkpoint is not None))
        if block.proof:
            self._checks_ns += self._costs.proof_ns
        for operation in signed.operations:
            self._operation(operation)

    def _operation(self, raw: bytes) -> None:
        if self._is_new(raw):
            self._decode(raw)
            self._checks_ns += self._costs.check_ns

    def _decode(self, raw: bytes) -> None:
        self._steps_ns -= -len(raw) * self._costs.kilobyte_ns // KILOBYTE

    def _is_new(self, raw: bytes) -> bool:
        if raw in self._checked:
            return False
        if len(self._checked) >= REMEMBERED:
            del self._checked[next(iter(self._checked))]
        self._checked[raw] = None
        return True
