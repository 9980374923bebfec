"""How long a newcomer takes until it takes part in an old and large network of real processes.

It has its key and the network's hash, and an account with credits, as somebody who was paid. From
the start of its process: it follows, an operation of its own is final, and it has bid for a job.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from p2pnode.calls import ClientError
from p2pnode.lab.founding import EXAMPLES, free_ports, write_config
from p2pnode.lab.processes import stop
from p2pnode.lab.readiness import client_of, status_of, wait_until_ready
from p2pnode.lab.testnet import Member
from p2pnode.network import peer_id_of
from p2pnode.storage import load_or_create_seeds, prepare_data_folder
from protocol.parameters import local
from protocol.signing import account_of
from protocol.units import CREDIT, AccountId
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.benchmarks.old_network import EPOCH_ROUNDS, Grown, lay_down_old
from tests.benchmarks.real_nodes import STOP_SECONDS, conditions, found_members, start

NODES = 3
STAKE = 1_000 * CREDIT
BEHIND_MAX = 4
"""Commits that a node may be behind another one and count as level: it is asked a little later."""
START_SECONDS = 120.0
PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.05
JOB_FILE = EXAMPLES / "01_wasm" / "job.toml"


@dataclass(frozen=True, slots=True)
class _Joined:
    """Seconds since the start of the newcomer's process."""

    follows: float
    submitted: float
    bid: float


def measure(effort: Effort) -> Iterator[Figure]:
    """Let newcomers join, one after the other."""
    runs = effort.of(3, 1)
    epochs, accounts = effort.of(1_000, 20), effort.of(100_000, 1_000)
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        folder = Path(name)
        roots = [folder / f"newcomer-{number}" for number in range(runs)]
        grown = lay_down_old(folder, NODES, epochs, accounts, [_account(root) for root in roots])
        members = [start(one) for one in found_members(folder, NODES)]
        try:
            wait_until_ready(members, time.monotonic() + START_SECONDS)
            joined = [_join(members, root) for root in roots]
        finally:
            stop([one.process for one in members], STOP_SECONDS)
    yield from _figures(joined, grown)


def _figures(joined: list[_Joined], grown: Grown) -> Iterator[Figure]:
    stated = (
        f"{conditions(local(), NODES)}; wall clock from the start of the newcomer's process; "
        f"{grown.epochs:,} epochs of {EPOCH_ROUNDS} rounds, {grown.blocks:,} blocks, "
        f"{grown.accounts:,} accounts"
    )
    follows = tuple(one.follows for one in joined)
    yield Figure("newcomer among processes: follows", "s", follows, stated)
    submitted = tuple(one.submitted for one in joined)
    yield Figure("newcomer among processes: its stake is final", "s", submitted, stated)
    bids = tuple(one.bid for one in joined)
    target = at_most(60)
    yield Figure("newcomer among processes: has bid", "s", bids, stated, target=target)


def _account(root: Path) -> AccountId:
    return account_of(load_or_create_seeds(prepare_data_folder(root).key).signing)


def _join(members: list[Member], root: Path) -> _Joined:
    """Start a newcomer, see it take part, and end it."""
    newcomer = _newcomer(members, root)
    begun = time.monotonic()
    started = start(newcomer)
    try:
        _wait(lambda: _is_level(started, members[0]))
        follows = time.monotonic() - begun
        with client_of(started) as client:
            operation = str(client.stake(STAKE)["operation"])
            _wait(lambda: client.operation(operation)["finality"] == "final")
        submitted = time.monotonic() - begun
        with client_of(members[0]) as client:
            job = client.submit(JOB_FILE)
            _wait(lambda: _has_bid(client.job(job.id), newcomer.account))
        return _Joined(follows, submitted, time.monotonic() - begun)
    finally:
        stop([started.process], STOP_SECONDS)


def _newcomer(members: list[Member], root: Path) -> Member:
    account = _account(root)
    peer_id, (port, api) = peer_id_of(account), free_ports(2)
    newcomer = Member(
        node=len(members),
        account=account.hex(),
        peer_id=peer_id,
        address=f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_id}",
        api=f"127.0.0.1:{api}",
        data_dir=root,
        liar=False,
    )
    with client_of(members[0]) as client:
        network = str(client.status()["network"])
    write_config(newcomer, members[0], network, ())
    return newcomer


def _is_level(newcomer: Member, member: Member) -> bool:
    """Whether it follows; the other one is asked later, so never to the newcomer's advantage."""
    try:
        own = status_of(newcomer)
    except ClientError:
        return False
    other = status_of(member)
    if own is None or other is None:
        return False
    return 0 < int(other["final_index"]) <= int(own["final_index"]) + BEHIND_MAX


def _has_bid(record: dict[str, object], account: str) -> bool:
    bids = record.get("bids", [])
    assert isinstance(bids, list), "a job's record has a list of bids"
    return any(one["account"] == account for one in bids)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the newcomer did not come so far")
        time.sleep(POLL_SECONDS)
