"""Figures of blocks, samples and links: one function for each.

What is drawn out of the tables here concerns honest nodes only, as the tables do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, cast

from p2pnode.lab.results.reading import Reading, Row, rows_of

LAGS: Final = (1, 3, 10)
"""Commits behind the newest one at which a node counts as behind."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Blocks that came to nothing.

    Attributes:
        settled: Blocks of rounds up to the newest leader that every honest node had committed.
        never_final: Those of them that no commit had ordered when the run ended.
        share: The second by the first; 0 where there are none.
    """

    settled: int
    never_final: int
    share: float


@dataclass(frozen=True, slots=True)
class Divergence:
    """How far apart the nodes' sets of blocks were.

    Attributes:
        mean, highest, at_end: Of 1 - |intersection| / |union|, over samples.
        most_blocks_apart: Greatest |union| - |intersection|.
        most_states: Most different states at one time; more than 1 also while some lag behind.
    """

    mean: float
    highest: float
    at_end: float
    most_blocks_apart: int
    most_states: int


@dataclass(frozen=True, slots=True)
class Width:
    """Blocks in one round."""

    mean: float
    most: int


@dataclass(frozen=True, slots=True)
class Carriage:
    """What it cost to bring blocks around.

    Attributes:
        messages: That set out on any link.
        size_bytes: Their bytes.
        deliveries: Blocks that an honest node took in from another node.
        bytes_per_delivery: Bytes on all links by deliveries; operations and requests included.
        copies_per_delivery: Copies of blocks that came by gossip, by deliveries; below 1 where
            blocks came in answers to requests.
        lost: Messages that vanished.

    What nobody saw is None.
    """

    messages: int | None
    size_bytes: int | None
    deliveries: int | None
    bytes_per_delivery: float | None
    copies_per_delivery: float | None
    lost: int | None


def stale_blocks(reading: Reading) -> Stale:
    """Counts blocks that are behind every node's newest leader and that no commit ordered."""
    newest: dict[int, int] = dict.fromkeys(reading.nodes, 0)
    for vote in rows_of(reading.tables["votes"]):
        if vote["verdict"] == "committed":
            node = cast("int", vote["node"])
            newest[node] = max(newest[node], cast("int", vote["round"]))
    limit = min(newest.values(), default=0)
    rows = [row for row in rows_of(reading.tables["blocks"]) if cast("int", row["round"]) <= limit]
    never = sum(row["commit_index"] is None for row in rows)
    return Stale(len(rows), never, _ratio(never, len(rows)) or 0.0)


def divergence(reading: Reading) -> Divergence | None:
    """Summarises the sets of blocks of live honest nodes, from the sample with the first commit on.

    Before that, nodes that have just started have no block yet, and the sets say nothing. None
    where nobody told who took in what.
    """
    if not reading.saw_acceptance:
        return None
    samples: list[Row] = []
    for rows in _samples(reading):
        if samples or any(row["final_index"] for row in rows):
            samples.append(rows[0])
    values = [cast("float", row["divergence"]) for row in samples]
    apart = [
        cast("int", row["blocks_union"]) - cast("int", row["blocks_common"]) for row in samples
    ]
    states = [cast("int", row["state_digests"]) for row in samples]
    if not values:
        return Divergence(0.0, 0.0, 0.0, 0, 0)
    mean = round(sum(values) / len(values), 6)
    return Divergence(mean, max(values), values[-1], max(apart), max(states))


def lag_shares(reading: Reading) -> Mapping[int, float]:
    """For each number k: the share of samples of live nodes that are k or more commits behind."""
    behind: list[int] = []
    for rows in _samples(reading):
        live = [cast("int", row["final_index"]) for row in rows if row["is_live"]]
        behind += [max(live) - index for index in live]
    return {lag: _ratio(sum(one >= lag for one in behind), len(behind)) or 0.0 for lag in LAGS}


def longest_silence(reading: Reading) -> float:
    """The longest time in which no new commit became final anywhere, in milliseconds.

    It counts from the first sample, when the nodes had started, until the run's end.
    """
    firsts: dict[int, float] = {}
    for vote in rows_of(reading.tables["votes"]):
        index, time_ms = vote["commit_index"], cast("float | None", vote["decided_ms"])
        if index is not None and time_ms is not None:
            firsts[int(index)] = min(firsts.get(int(index), time_ms), time_ms)
    samples = [cast("float", time_ms) for time_ms in reading.tables["series"]["time_ms"]]
    newest, last_ms, longest_ms = 0, min(samples, default=0.0), 0.0
    for index, time_ms in sorted(firsts.items(), key=lambda one: (one[1], one[0])):
        if index > newest:
            longest_ms = max(longest_ms, time_ms - last_ms)
            newest, last_ms = index, time_ms
    return round(max(longest_ms, reading.ended_ms - last_ms), 3)


def dag_width(reading: Reading) -> Width | None:
    """Counts the blocks of each round that any honest node took in; None where nobody told."""
    if not reading.saw_acceptance:
        return None
    widths: dict[int, int] = {}
    for row in rows_of(reading.tables["blocks"]):
        if row["accepted_nodes"]:
            block_round = cast("int", row["round"])
            widths[block_round] = widths.get(block_round, 0) + 1
    mean = _ratio(sum(widths.values()), len(widths)) or 0.0
    return Width(mean, max(widths.values(), default=0))


def carriage(reading: Reading) -> Carriage:
    """Compares what the links carried with the blocks that arrived."""
    links = list(rows_of(reading.tables["links"]))
    messages, size_bytes, lost = (
        _total(links, name) for name in ("messages", "size_bytes", "lost")
    )
    deliveries = _deliveries(reading)
    last = {row["node"]: row for row in rows_of(reading.tables["series"])}
    copies = sum(cast("int", row["blocks_received"] or 0) for row in last.values())
    return Carriage(
        messages,
        size_bytes,
        deliveries,
        _ratio(size_bytes, deliveries) if size_bytes is not None and deliveries else None,
        _ratio(copies, deliveries) if deliveries else None,
        lost,
    )


def _total(rows: Sequence[Row], name: str) -> int | None:
    """The sum of a column; None where there are no rows, or nobody saw it."""
    cells = [cast("int | None", row[name]) for row in rows]
    known = [cell for cell in cells if cell is not None]
    return sum(known) if known else None


def _deliveries(reading: Reading) -> int | None:
    if not reading.saw_acceptance:
        return None
    found = 0
    for row in rows_of(reading.tables["blocks"]):
        own = row["author"] in reading.nodes
        found += max(0, cast("int", row["accepted_nodes"] or 0) - own)
    return found


def _samples(reading: Reading) -> Iterator[list[Row]]:
    """Yields the rows of each sample."""
    for _, rows in groupby(rows_of(reading.tables["series"]), key=lambda row: row["time_ms"]):
        yield list(rows)


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None
