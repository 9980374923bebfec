"""What has been seen of all nodes of a run, on one clock, and kept line by line.

The clock is scenario time: nanoseconds, of which `START_NS` is when the network was ready. Nodes
stamp their facts in whole milliseconds since genesis, by the same clocks of one machine.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from protocol.simulator.scenario import START_NS
from protocol.units import MILLISECOND

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as one node applied it."""

    time_ns: int
    digest: str
    state_digest: str
    operations: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A node's counters at one time."""

    time_ns: int
    counters: Mapping[str, float]


@dataclass(slots=True)
class Clock:
    """Scenario time.

    Attributes:
        zero_ns: The monotonic clock's at scenario time 0.
        zero_since_genesis_ns: The nodes' time then.
    """

    zero_ns: int
    zero_since_genesis_ns: int

    def now(self) -> int:
        """Scenario time at this moment."""
        return time.monotonic_ns() - self.zero_ns

    def of(self, at_ms: int) -> int:
        """Scenario time of what a node has stamped."""
        return at_ms * MILLISECOND - self.zero_since_genesis_ns


def start_clock(genesis_ms: int) -> Clock:
    """The clock of a network that is ready now."""
    since_genesis = time.time_ns() - genesis_ms * MILLISECOND
    return Clock(time.monotonic_ns() - START_NS, since_genesis - START_NS)


@dataclass(slots=True)
class Watch:
    """Everything that was collected.

    Attributes:
        commits: By node and index; the first time that each was applied.
        ended: When any node first knew each operation to be final.
        settled: When any node knew each job to have ended.
        samples: Each node's counters, every few seconds.
        missed: Facts that a node could not pass on in time.
        gaps: How often the stream of a node broke.
        skewed: Nodes whose clock may be off; what they say is timed by its arrival.
        errors: By such a node, each arrival and how far the node's own stamp was ahead of it.
    """

    clock: Clock
    folder: Path
    nodes: int
    commits: list[dict[int, Commit]] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    samples: list[list[Sample]] = field(default_factory=list)
    missed: int = 0
    gaps: int = 0
    skewed: frozenset[int] = frozenset()
    errors: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _files: list[IO[str]] = field(default_factory=list)

    def __enter__(self) -> "Watch":
        self.folder.mkdir(parents=True, exist_ok=True)
        for node in range(self.nodes):
            self.commits.append({})
            self.samples.append([])
            self._files.append((self.folder / f"node-{node}.jsonl").open("w"))
        return self

    def __exit__(self, *failure: object) -> None:
        for file in self._files:
            file.close()

    def fact(self, node: int, row: Row) -> None:
        """Take one fact, as a node's stream of events gives it."""
        time_ns = self.clock.of(int(str(row["at_ms"])))
        if node in self.skewed:
            arrived_ns = self.clock.now()
            self.errors.setdefault(node, []).append((arrived_ns, time_ns - arrived_ns))
            time_ns = arrived_ns
        self.missed += int(str(row.get("missed", 0)))
        self._write(node, {"time_ns": time_ns, "node": node, **row})
        match row:
            case {"fact": "commit_applied", "index": int() as index}:
                commit = Commit(
                    time_ns,
                    str(row["digest"]),
                    str(row["state_digest"]),
                    int(str(row["operations"])),
                )
                self.commits[node].setdefault(index, commit)
            case {"fact": "operation_applied" | "operation_failed", "identifier": str() as one}:
                self.ended.setdefault(one, time_ns)
            case {"fact": "settled", "job": str() as job}:
                self.settled.setdefault(job, time_ns)
            case _:
                pass

    def stream(self, node: int, *, is_open: bool) -> None:
        """Note that facts of a node come from now on, or do not."""
        self.gaps += not is_open
        name = "stream_opened" if is_open else "stream_broken"
        self._write(node, {"time_ns": self.clock.now(), "node": node, "fact": name})

    def sample(self, node: int, counters: Mapping[str, float]) -> None:
        """Take a node's counters as they are now."""
        time_ns = self.clock.now()
        self.samples[node].append(Sample(time_ns, counters))
        self._write(node, {"time_ns": time_ns, "node": node, "fact": "counters", **counters})

    def reached(self, node: int) -> int:
        """The highest commit that a node has applied."""
        return max(self.commits[node], default=0)

    def _write(self, node: int, row: Row) -> None:
        self._files[node].write(json.dumps(row) + "\n")
