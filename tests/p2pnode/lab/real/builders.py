"""Scenarios, shapes and watched runs that exist on paper."""

from pathlib import Path

from p2pnode.lab.real.watch import Clock, Watch
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import Scenario, Workload
from protocol.units import MILLISECOND, SECOND

INSTANT = Conditions(Delay(Law.CONSTANT, 0, 0))
UNIFORM = Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND))


def scenario(members=4, conditions=INSTANT, workload=None, **fields) -> Scenario:
    return Scenario(
        name="paper",
        seed=7,
        stakes=(5_000,) * members,
        conditions=conditions,
        workload=workload or Workload(0, 0, SECOND),
        safety_ns=6 * SECOND,
        **fields,
    )


def watch(folder: Path, nodes=4) -> Watch:
    return Watch(Clock(0, 0), folder, nodes)


def commit(index: int, at_ms: int, digest="d", state_digest="s") -> dict[str, object]:
    return {
        "fact": "commit_applied",
        "index": index,
        "digest": digest,
        "state_digest": state_digest,
        "leader_round": index,
        "operations": 0,
        "time_ms": at_ms,
        "at_ms": at_ms,
    }
