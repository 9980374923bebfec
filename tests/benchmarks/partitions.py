"""What five real processes do while links are cut below open connections, and after the heal."""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from p2pnode.calls import ClientError, Record
from p2pnode.lab import running
from p2pnode.lab.commands import launch, prepare, take_down
from p2pnode.lab.founding import Plan
from p2pnode.lab.readiness import client_of, status_of, wait_until_ready
from p2pnode.lab.testnet import LabNetwork
from protocol.signing import account_of
from protocol.units import CREDIT
from tests.benchmarks.figures import Effort, Figure, at_least, at_most

NODES = 5
CUTS = {"4/1": ((0, 1, 2, 3), (4,)), "3/2": ((0, 1, 2), (3, 4)), "2/2/1": ((0, 1), (2, 3), (4,))}
QUORUM = 4
"""Nodes of five equal ones that can finalise."""
START_SECONDS = 90.0
SETTLE_SECONDS = 2.0
"""What was on its way when the links were cut may still become final for so long."""
HEAL_SECONDS = 60.0
POLL_SECONDS = 0.1

Groups = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one cut came to: on the sides, by their size, and then in the whole network."""

    commits: dict[int, list[int]]
    quorum: dict[int, list[bool]]
    levels: dict[int, list[str]]
    """How far the operation got that each side was handed meanwhile."""
    first_final_seconds: float
    agreed_seconds: float


def measure(effort: Effort) -> Iterator[Figure]:
    """Cut and heal one network again and again."""
    seconds = effort.of(20, 10)
    with _network() as testnet:
        for name, groups in CUTS.items():
            seen = [_cut(testnet, groups, seconds) for _ in range(effort.of(3, 1))]
            yield from _figures(name, seen, seconds)


def _figures(name: str, seen: Sequence[_Seen], seconds: int) -> Iterator[Figure]:
    for size in dict.fromkeys(size for one in seen for size in one.commits):
        quorum = sorted({flag for one in seen for flag in one.quorum[size]})
        levels = sorted({level for one in seen for level in one.levels[size]})
        yield Figure(
            f"cut {name}, commits on the side of {size}",
            "commits",
            tuple(float(max(one.commits[size])) for one in seen),
            f"{NODES} processes, {seconds} s from {SETTLE_SECONDS:.0f} s after the cut; "
            f"its nodes say quorum {quorum}; what was handed in there became {levels}",
            target=at_least(1) if size >= QUORUM else at_most(0),
        )
    for title, samples in (
        ("first new finality everywhere", [one.first_final_seconds for one in seen]),
        ("operations of all sides final, one state", [one.agreed_seconds for one in seen]),
    ):
        stated = f"{NODES} processes, after a cut of {seconds + SETTLE_SECONDS:.0f} s"
        yield Figure(f"heal of {name}, {title}", "s", tuple(samples), stated, None, at_most(15))


def _cut(testnet: LabNetwork, groups: Groups, seconds: int) -> _Seen:
    running.cut(testnet, groups)
    time.sleep(SETTLE_SECONDS)
    before = _indexes(testnet)
    payees = [account_of(secrets.token_bytes(32)).hex() for _ in groups]
    asked = [_pay(testnet, group[0], payee) for group, payee in zip(groups, payees, strict=True)]
    time.sleep(seconds)
    after = _indexes(testnet)
    seen = _Seen({}, {}, {}, 0.0, 0.0)
    for group, operation in zip(groups, asked, strict=True):
        gained = max(after[node] - before[node] for node in group)
        seen.commits.setdefault(len(group), []).append(gained)
        quorum = [bool(_status(testnet, node)["quorum"]) for node in group]
        seen.quorum.setdefault(len(group), []).extend(quorum)
        level = _level(testnet, group[0], operation)
        seen.levels.setdefault(len(group), []).append(level)
    running.heal(testnet)
    healed = time.monotonic()
    target = max(after.values())
    first = _until(lambda: min(_indexes(testnet).values()) > target, healed)
    agreed = _until(lambda: _agreed(testnet, payees), healed)
    return replace(seen, first_final_seconds=first, agreed_seconds=agreed)


def _agreed(testnet: LabNetwork, payees: Sequence[str]) -> bool:
    """Whether every node sees every payment, and those at one index have one state."""
    states: dict[int, str] = {}
    for member in testnet.members:
        with client_of(member) as client:
            if any(client.balance(payee)["available"] != CREDIT for payee in payees):
                return False
            status = client.status()
        index, state = status["final_index"], status["state_digest"]
        assert states.setdefault(index, state) == state, f"two states at {index}"
    return True


def _until(holds: Callable[[], bool], healed: float) -> float:
    """Seconds from the heal until something holds; infinite when it did not in time."""
    while time.monotonic() < healed + HEAL_SECONDS:
        try:
            if holds():
                return time.monotonic() - healed
        except ClientError:
            pass  # an account that this node does not know yet, or a busy node
        time.sleep(POLL_SECONDS)
    return float("inf")


def _indexes(testnet: LabNetwork) -> dict[int, int]:
    return {
        member.node: int(_status(testnet, member.node)["final_index"]) for member in testnet.members
    }


def _status(testnet: LabNetwork, node: int) -> Record:
    status = status_of(testnet.member(node))
    assert status is not None, f"node {node} does not answer"
    return status


def _pay(testnet: LabNetwork, node: int, payee: str) -> str:
    with client_of(testnet.member(node)) as client:
        return str(client.transfer(payee, CREDIT)["operation"])


def _level(testnet: LabNetwork, node: int, operation: str) -> str:
    with client_of(testnet.member(node)) as client:
        return str(client.operation(operation)["finality"])


@contextmanager
def _network() -> Iterator[LabNetwork]:
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        folder = Path(name)
        plan = Plan(nodes=NODES)
        try:
            testnet = launch(prepare(folder, plan, detach=False))
            wait_until_ready(testnet.members, time.monotonic() + START_SECONDS)
            yield testnet
        finally:
            take_down(folder)
