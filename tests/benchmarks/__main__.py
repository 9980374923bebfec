"""Measures and prints: `python -m tests.benchmarks [--quick] [--only NAME] [--json FILE]`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from p2pnode.calls import ClientError
from p2pnode.lab.testnet import LabError
from tests.benchmarks.figures import Effort, Figure
from tests.benchmarks.table import HEADER, lines_of, machine, record_of

GROUPS = {
    "ledger": "one node's own work: signatures, proofs, lottery, blocks, disk",
    "chain": "certificates of a year of epochs: time to verify them",
    "newcomer": "an old and large network: time until its newest state is here",
    "simulator": "latency in message delays with pacing off, and speed of virtual time",
    "overlay": "gossip between up to 10,000 nodes in virtual time: speed and memory",
    "thousand": "a thousand real cores in virtual time: processor time and memory",
    "committee": "committees of 32 and 64 in virtual time: messages, processor time, memory",
    "sandbox": "workers: what locking them up costs, and tasks in those that wait",
    "disputes": "two thousand steps of a training: the search for one of them, and its judge",
    "artefacts": "content between processes: next to a plain stream, and from three at once",
    "gossip": "the network layer alone: what a payload costs without a ledger",
    "finality": "five real processes: latency of operations at a modest rate",
    "epoch_change": "five real processes: latency of operations across ends of epochs",
    "throughput": "five real processes: rate of operations, and what each of them costs",
    "jobs": "five real processes: a tiny job from submission to settlement",
    "idle": "five real processes that nobody asks anything",
    "partitions": "five real processes: links cut below open connections, and healed",
    "joining": "an old and large network of real processes: until a newcomer takes part",
    "restart": "a node that was killed, with 10,000 blocks in its store",
    "start": "a lone node with 100,000 blocks in its store, and one with a hundred",
    "state": "a million accounts: commits, root, snapshot, memory",
    "bounded": "a year of history in a store: pruned to its bounds, and how long that takes",
    "snapshots": "a hundred thousand accounts: write a snapshot, start from it",
}
"""In the order in which they run: what needs most memory last, since peaks of a process stay."""


FAILURES = (AssertionError, ClientError, LabError, OSError, ExceptionGroup)
"""What a network that did not come up or broke down looks like; the other groups go on."""


def main() -> int:
    """Run what the arguments ask for; a missed target is printed and is no error."""
    arguments = _parser().parse_args()
    chosen = [name for name in GROUPS if not arguments.only or name in arguments.only]
    print(f"machine: {machine()}")
    print(f"command: python -m tests.benchmarks {' '.join(sys.argv[1:])}".rstrip())
    print(HEADER, flush=True)
    figures: list[Figure] = []
    failed = []
    for name in chosen:
        print(f"-- {name}: {GROUPS[name]}", flush=True)
        try:
            _measure(name, Effort(arguments.quick), figures)
        except FAILURES as error:
            failed.append(name)
            print(f"    FAILED, nothing more of {name}: {error!r}", flush=True)
    missed = [figure.name for figure in figures if figure.verdict == "MISSED"]
    judged = sum(figure.target is not None for figure in figures)
    print(f"{judged - len(missed)} of {judged} targets met", *(f"missed: {one}" for one in missed))
    if arguments.json:
        arguments.json.write_text(json.dumps([record_of(one) for one in figures], indent=1))
    return 1 if failed else 0


def _measure(name: str, effort: Effort, figures: list[Figure]) -> None:
    """Run a group, and print and keep each figure as soon as it is known."""
    group = import_module(f"tests.benchmarks.{name}")
    measure: Callable[[Effort], Iterator[Figure]] = group.measure
    for figure in measure(effort):
        figures.append(figure)
        print("\n".join(lines_of(figure)), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs and shorter loads")
    parser.add_argument("--only", action="append", choices=sorted(GROUPS), help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
