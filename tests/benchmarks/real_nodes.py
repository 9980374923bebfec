"""Real node processes on loopback, as an operator starts them, and accounts that use them."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec.structs import replace as with_fields

from p2pnode.calls import Endpoint, Record
from p2pnode.client import find_endpoint
from p2pnode.genesis import Founder, make_genesis, write_genesis
from p2pnode.lab.founding import Plan, found
from p2pnode.lab.processes import spawn, stop
from p2pnode.lab.readiness import client_of, wait_until_ready
from p2pnode.lab.testnet import Member
from p2pnode.storage import load_or_create_seeds, prepare_data_folder
from protocol import vrf
from protocol.messages import (
    VERSION,
    Allocation,
    Genesis,
    Operation,
    Transfer,
    network_of,
    sign_operation,
)
from protocol.parameters import Parameters, local
from protocol.signing import REAL, account_of
from protocol.units import CREDIT, AccountId, Digest
from tests.benchmarks.processes import cpu_seconds

NODES = 5
START_SECONDS = 90.0
STOP_SECONDS = 6.0
LAST_EPOCH = 144
PROFILES = "P2PNODE_BENCHMARK_PROFILES"
"""Names a folder for profiles of the nodes; they run slower then."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account that exists from genesis, with credits."""

    seed: bytes
    identifier: AccountId


@dataclass(frozen=True, slots=True)
class RealNodes:
    """A network of running processes.

    Attributes:
        genesis: What they share.
        members: The processes and where they listen.
        accounts: Accounts besides those of the nodes.
    """

    genesis: Genesis
    members: tuple[Member, ...]
    accounts: tuple[Account, ...]

    @property
    def network(self) -> Digest:
        """The network's digest."""
        return network_of(self.genesis)

    @property
    def pids(self) -> tuple[int, ...]:
        """The node processes, in order."""
        return tuple(one.process.pid for one in self.members if one.process)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where each node serves programs."""
        return tuple(find_endpoint(None, member.data_dir, {}) for member in self.members)

    def cpu_seconds(self) -> float:
        """Time that all nodes together have spent on processors."""
        return sum(map(cpu_seconds, self.pids))

    def status(self, node: int = 0) -> Record:
        """What a node says of itself."""
        with client_of(self.members[node]) as client:
            return client.status()

    def transfers(self, rounds: int) -> list[list[bytes]]:
        """Signed transfers, one row a nonce: each account pays the next one a millionth."""
        pairs = list(zip(self.accounts, self.accounts[1:] + self.accounts[:1], strict=True))
        return [
            [transfer(self.network, payer, nonce, payee.identifier) for payer, payee in pairs]
            for nonce in range(rounds)
        ]


def conditions(terms: Parameters, nodes: int = NODES) -> str:
    """What every figure of real processes depends on."""
    return (
        f"{nodes} processes, {os.cpu_count()} cores shared with the load, {nodes - 1} links each, "
        f"round pace {terms.minimum_round_ms} ms, durability on, signature checks on"
    )


@contextmanager
def running(
    accounts: int = 0, terms: Parameters | None = None, nodes: int = NODES
) -> Iterator[RealNodes]:
    """Start a new network of node processes that have all finalised something, and end it."""
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        folder = Path(name)
        people = tuple(map(benchmark_account, range(accounts)))
        genesis = _genesis(folder, people, terms or local(), nodes)
        members = found_members(folder, nodes)
        started = [start(member) for member in members]
        try:
            wait_until_ready(started, time.monotonic() + START_SECONDS)
            yield RealNodes(genesis, tuple(started), people)
        finally:
            stop([one.process for one in started], STOP_SECONDS)


def found_members(folder: Path, nodes: int) -> Sequence[Member]:
    """Give each node of the genesis in a folder its ports and its configuration."""
    plan = Plan(nodes=nodes)
    return found(folder, plan, os.cpu_count() or 1).members


def start(member: Member) -> Member:
    """Start a node as an operator does."""
    command = [sys.executable, "-m", "p2pnode", "--data-dir", str(member.data_dir)]
    profiles = os.environ.get(PROFILES)
    if profiles:
        output = Path(profiles) / f"node-{member.node}.pstats"
        command[1:1] = ["-m", "cProfile", "-o", str(output)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("P2PNODE_")}
    return replace(member, process=spawn(command, member.log, kept))


def transfer(network: Digest, payer: Account, nonce: int, payee: AccountId) -> bytes:
    """A signed transfer of a millionth of a credit."""
    operation = Operation(
        version=VERSION,
        network=network,
        account=payer.identifier,
        nonce=nonce,
        last_epoch=LAST_EPOCH,
        payload=Transfer(payee, 1),
    )
    return sign_operation(operation, payer.seed, REAL).raw


def benchmark_account(number: int) -> Account:
    """An account that every run knows."""
    seed = b"benchmark" + number.to_bytes(23, "big")
    return Account(seed, account_of(seed))


def _genesis(folder: Path, people: tuple[Account, ...], terms: Parameters, nodes: int) -> Genesis:
    """Found a network under a preset's terms as they stand, with people who have credits."""
    founders = []
    for node in range(nodes):
        seeds = load_or_create_seeds(prepare_data_folder(folder / f"node-{node}").key)
        founders.append(Founder(account_of(seeds.signing), vrf.public_key(seeds.randomness)))
    genesis = make_genesis("benchmark", terms, founders, None)
    allocations = tuple(Allocation(one.identifier, 1_000 * CREDIT) for one in people)
    genesis = with_fields(genesis, allocations=genesis.allocations + allocations)
    write_genesis(folder / "genesis", genesis)
    return genesis
