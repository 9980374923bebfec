"""Opening what arrives, once: every block and operation is decoded and verified a single time.

The gossip gate opens a message before it is passed on, and the core opens it again when it is
taken in; the caches here make the second time free. They are bounded and forget the oldest first.
"""

from typing import Final, Generic, TypeVar

from protocol.errors import Reason, Rejected
from protocol.ledger.block import (
    GENESIS_ROUND,
    VerifiedBlock,
    check_epoch,
    open_block,
    reopen_block,
)
from protocol.ledger.committee import Committee
from protocol.messages import EquivocationEvidence, VerifiedOperation, open_operation
from protocol.parameters import Parameters
from protocol.signing import Scheme
from protocol.units import Digest, Round
from protocol.wire import OperationBatch, PeerMessage, open_message

BATCHES_KEPT: Final = 64
BLOCKS_KEPT: Final = 4_096
OPERATIONS_KEPT: Final = 65_536

Opened = TypeVar("Opened")


class _Recent(Generic[Opened]):
    """The newest results by the bytes that they were opened from."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[bytes, Opened] = {}

    def get(self, raw: bytes) -> Opened | None:
        return self._entries.get(raw)

    def keep(self, raw: bytes, opened: Opened) -> Opened:
        if len(self._entries) >= self._limit:
            del self._entries[next(iter(self._entries))]
        self._entries[raw] = opened
        return opened


class Admission:
    """Opens operations, and the blocks of one epoch at a time.

    A refusal is not remembered: a wrong signature on right bytes must not keep the right one out.
    """

    def __init__(
        self, committee: Committee, network: Digest, parameters: Parameters, scheme: Scheme
    ) -> None:
        self._committee = committee
        self._network = network
        self._parameters = parameters
        self._scheme = scheme
        self._batches: _Recent[OperationBatch] = _Recent(BATCHES_KEPT)
        self._blocks: _Recent[VerifiedBlock] = _Recent(BLOCKS_KEPT)
        self._operations: _Recent[VerifiedOperation] = _Recent(OPERATIONS_KEPT)

    def begin(self, committee: Committee) -> None:
        """Opens the blocks of another epoch from now on."""
        self._committee = committee

    def share(self, other: "Admission") -> None:
        """Uses another's caches: for copies in one process, each of which would find the same."""
        self._batches = other._batches
        self._blocks, self._operations = other._blocks, other._operations

    def message(self, raw: bytes) -> PeerMessage:
        """Opens a message from a neighbour; of these, only batches of operations come again.

        Raises:
            Rejected: with the first rule that it breaks.
        """
        known = self._batches.get(raw)
        if known is not None:
            return known
        opened = open_message(raw)
        return self._batches.keep(raw, opened) if isinstance(opened, OperationBatch) else opened

    def block(self, raw: bytes, horizon: Round = GENESIS_ROUND) -> VerifiedBlock:
        """Opens a block from outside.

        Args:
            raw: The block's bytes.
            horizon: A block of this round or below is refused before its signatures are checked.

        Raises:
            Rejected: with the first rule that it breaks.
        """
        known = self._blocks.get(raw)
        if known is None:
            network, parameters = self._network, self._parameters
            known = open_block(raw, self._committee, network, parameters, self._scheme, horizon)
            return self._blocks.keep(raw, known)
        check_epoch(known.block, self._committee)
        if known.block.round <= horizon:
            raise Rejected(Reason.BEHIND_HORIZON)
        return known

    def stored_block(self, raw: bytes) -> VerifiedBlock:
        """Opens a block from the node's own store, whose content hash was checked."""
        return reopen_block(raw, self._committee, self._scheme)

    def operation(self, raw: bytes) -> VerifiedOperation:
        """Opens an operation from outside or from a block.

        Raises:
            Rejected: with the first rule that it breaks.
        """
        known = self._operations.get(raw)
        if known is not None:
            return known
        opened = open_operation(raw, self._network, self._scheme)
        limit = self._parameters.operation_bytes_max
        is_evidence = isinstance(opened.operation.payload, EquivocationEvidence)
        if len(raw) > limit and not is_evidence:
            raise Rejected(Reason.TOO_LARGE, f"an operation has at most {limit} bytes")
        return self._operations.keep(raw, opened)

    def keep(self, operation: VerifiedOperation) -> None:
        """Remembers an operation that this node signed."""
        self._operations.keep(operation.raw, operation)
