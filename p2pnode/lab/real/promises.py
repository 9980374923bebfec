"""Judges the promises of single nodes by what all of them reported, as simulated runs do.

Promises that count how often a fact is reported are left out: a node that crashes may make known
again what it had not written yet.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from p2pnode.lab.real.checks import check
from p2pnode.lab.results.json_facts import fact_of
from protocol import effects as fx
from protocol.simulator.checks import Check
from protocol.simulator.log import Log
from protocol.simulator.scenario import Scenario
from protocol.units import AccountId


def judge_reports(scenario: Scenario, accounts: Sequence[AccountId], folder: Path) -> list[Check]:
    """Judge what can be seen in the facts of all nodes, each a file in a folder."""
    log = Log(scenario)
    log.know(tuple(accounts))
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            fact = fact_of(row)
            if fact is not None:
                log.effect(row["time_ns"], row["node"], fx.Report(fact))
    outvoted = f"liars with a third of the stake slashed {log.outvoted} honest workers"
    gaps = {
        "own_slot": "" if log.blocks else "no honest node reported a block",
        "honest_never_slashed": outvoted if log.outvoted else "",
    }
    return [
        check(
            name,
            [f"{one.detail} at node {one.node}" for one in log.found if one.invariant == name],
            gap,
        )
        for name, gap in gaps.items()
    ]
