"""What a collector writes down while a run goes on: one small value for each thing it saw."""

from dataclasses import dataclass, field

from protocol.units import Digest, JobId


@dataclass(slots=True)
class BlockNote:
    """One block.

    Attributes:
        author: Node that signed it.
        references: First bytes of the digests of the blocks that it refers to, in hexadecimal.
        accepted: By node, when it first took the block in.
        lapses: Node, begin and end of each time in which a node had forgotten it.
    """

    author: int
    round: int
    size_bytes: int
    operations: int
    references: str
    accepted: dict[int, int] = field(default_factory=dict)
    lapses: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class OperationNote:
    """One operation.

    Attributes:
        signer: Node that signed it; -1 when nobody is known to have.
        seen_ns: When it was kept by its signer.
        blocks: Accepted blocks that hold it.
        final: By node, when it reported the operation final.
    """

    kind: str = ""
    signer: int = -1
    seen_ns: int | None = None
    blocks: list[Digest] = field(default_factory=list)
    final: dict[int, int] = field(default_factory=dict)
    failure: str = ""


@dataclass(slots=True)
class RequestNote:
    """What a user asked a node for.

    Attributes:
        operation: What was signed for it.
        refusal: Why nothing was.
    """

    asked_ns: int
    kind: str
    operation: Digest | None = None
    refusal: str = ""


@dataclass(slots=True)
class ExecutionNote:
    """One run of a job on an honest node's device.

    Attributes:
        device_ns: How long the device was busy; None while the run goes on.
        has_finished: Whether it ended by itself and gave a result.
        is_impossible: Whether it could not even be started; the node may try again.
    """

    job: JobId
    node: int
    begun_ns: int
    device_ns: int | None = None
    has_finished: bool = False
    is_impossible: bool = False


@dataclass(slots=True)
class LifeNote:
    """When a node was up.

    Attributes:
        heard_ns: The last sign of life.
        downs: Begin and end of each time in which it was down; the last may have no end.
    """

    heard_ns: int = 0
    downs: list[tuple[int, int | None]] = field(default_factory=lambda: [(0, None)])

    def start(self, time_ns: int) -> None:
        """Notes a start; a node that nobody saw stop was down since its last sign of life."""
        begin, end = self.downs[-1]
        if end == time_ns:
            return
        if end is None:
            self.downs[-1] = (begin, time_ns)
        else:
            self.downs.append((self.heard_ns, time_ns))
        self.heard_ns = time_ns

    def stop(self, time_ns: int) -> None:
        """Notes a stop."""
        if self.downs[-1][1] is not None:
            self.downs.append((time_ns, None))

    def is_live(self, time_ns: int) -> bool:
        """Whether the node was up."""
        return not any(
            begin <= time_ns and (end is None or time_ns < end) for begin, end in self.downs
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of all nodes at one time; each tuple is by node number."""

    time_ns: int
    rounds: tuple[int, ...]
    indices: tuple[int, ...]
    received: tuple[int, ...]
    accepted: tuple[int, ...]
    states: tuple[bytes, ...]
