"""What the nodes of a real run wrote about their own cores, on the clock of the scenario.

A run's folder keeps it as it is here: one object a line, `time_ns` and `node` first, in one file
for each node. Told again, it is what recorders of simulated runs are told.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from p2pnode.lab.real.watch import Clock
from p2pnode.lab.results.json_facts import fact_of
from p2pnode.lab.step_log import STEPS_NAME
from p2pnode.lab.testnet import LabNetwork
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode_kept
from protocol.messages import Offer
from protocol.simulator.scenario import START_NS
from protocol.units import AccountId, Digest, JobId, Round

Row = Mapping[str, Any]


def gather_steps(testnet: LabNetwork, clock: Clock, folder: Path) -> None:
    """Bring the nodes' logs together; the nodes must have ended.

    A line that a crash tore is left out: what it would have told was never let out, either.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for member in testnet.members:
        source = member.data_dir / STEPS_NAME
        lines = source.read_text().splitlines() if source.exists() else []
        rows = (_on_clock(line, member.node, clock) for line in lines)
        text = "".join(json.dumps(row) + "\n" for row in rows if row is not None)
        (folder / f"node-{member.node}.jsonl").write_text(text)


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """All lines of a folder in the order of time, those of one node as they were written."""
    rows = [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return sorted(rows, key=lambda row: int(row["time_ns"]))


def time_of(row: Row) -> int:
    """When a line counts: what came before the network was ready, at its being ready."""
    return max(START_NS, int(row["time_ns"]))


def told_again(row: Row, blocks: Mapping[str, bytes]) -> Iterator[ev.Event | fx.Effect]:
    """Make the events and effects of a line that it was made of.

    Args:
        row: The line.
        blocks: The bytes of every block that any store holds, by digest; others never left the
            node that made them.
    """
    fact = fact_of(row)
    if fact is not None:
        yield fx.Report(fact)
        return
    match row.get("step"):
        case "block" if row["digest"] in blocks:
            digest, epoch, block_round = bytes.fromhex(row["digest"]), row["epoch"], row["round"]
            raw = blocks[row["digest"]]
            yield fx.PersistBlock(Digest(digest), epoch, Round(block_round), row["author"], raw)
        case "received":
            for _ in range(row["count"]):
                yield ev.BlockReceived(AccountId(b""), b"")
        case "execute":
            offer = decode_kept(bytes.fromhex(row["offer"]), Offer)
            yield fx.Execute(_job(row), offer, AccountId(bytes.fromhex(row["requester"])))
        case "stop_execution":
            yield fx.StopExecution(_job(row))
        case "execution_ended":
            output = Digest(bytes.fromhex(row["output"]))
            yield ev.ExecutionEnded(_job(row), row["outcome"], output, row["elapsed_ms"], 0)
        case "execution_impossible":
            yield ev.ExecutionImpossible(_job(row), unavailable=False)
        case _:
            pass


def _job(row: Row) -> JobId:
    return JobId(bytes.fromhex(row["job"]))


def _on_clock(line: str, node: int, clock: Clock) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return {"time_ns": row.pop("at_ns") - clock.zero_ns, "node": node, **row}
