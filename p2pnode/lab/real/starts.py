"""Where the cores of a real run began, and whether they were right to begin there.

A start goes on from what its store holds: blocks, and maybe the snapshot of an epoch's end, which
it made itself or fetched from peers. So the next commit that it makes known may be far ahead of the
last one, and only what it held at the begin tells a lawful jump from a lost part of the ledger.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from p2pnode.lab.real.steps import Row
from protocol.simulator.log import Log, Violation
from protocol.units import CommitIndex, Digest, Epoch


@dataclass(frozen=True, slots=True)
class _Start:
    """One start; `reached` is the highest commit that the node had made known before."""

    node: int
    time_ns: int
    reached: CommitIndex
    snapshot: tuple[CommitIndex, Digest]
    held: tuple[CommitIndex, Digest]


class Starts:
    """The starts of honest nodes, against what the others made known.

    Args:
        log: Of the same run; it is told where each node goes on.
        honest: Nodes that are judged.
    """

    def __init__(self, log: Log, honest: frozenset[int]) -> None:
        self._log = log
        self._honest = honest
        self._starts: list[_Start] = []
        self._certified: set[Epoch] = set()

    def note(self, row: Row) -> None:
        """Take in a line `restored`: the node's next commit is the one behind what it holds."""
        node = row["node"]
        if node not in self._honest:
            return
        reached = self._log.reached.get(node, CommitIndex(0))
        snapshot = CommitIndex(row["snapshot_index"]), _digest(row["snapshot_state_digest"])
        held = CommitIndex(row["index"]), _digest(row["state_digest"])
        self._starts.append(_Start(node, row["time_ns"], reached, snapshot, held))
        self._log.reached[node] = max(reached, held[0])

    def certify(self, epoch: Epoch) -> None:
        """Take note that some node saw a quorum's certificate of an epoch's end."""
        self._certified.add(epoch)

    def violations(self) -> Iterator[Violation]:
        """What is wrong with starts, once all that happened is known.

        A snapshot beyond what the node had reached must be a certified end. What a start holds must
        be what everybody holds at that commit, where anybody made that one known.
        """
        ends = {one.index for one in self._log.epochs.values() if one.epoch in self._certified}
        for start in self._starts:
            index = start.snapshot[0]
            if index > start.reached and index not in ends:
                detail = f"began at commit {index}, which is no certified end of an epoch"
                yield Violation("agreement", start.node, detail, start.time_ns)
            for index, state_digest in (start.snapshot, start.held):
                known = self._log.commits.get(index)
                if known is not None and known[1] != state_digest:
                    detail = f"began with another state after commit {index}"
                    yield Violation("convergence", start.node, detail, start.time_ns)


def _digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text))
