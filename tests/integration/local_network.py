"""A network of real processes for integration tests, used as a person at several terminals would.

`up` runs in a process of its own; the other commands run here, which saves their start.
"""

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from p2pnode.calls import ClientError
from p2pnode.client import Client, find_endpoint
from p2pnode.lab.commands import main
from protocol.signing import account_of
from protocol.units import CREDIT

READY_SECONDS = 90.0
POLL_SECONDS = 0.15
PROGRAM = [sys.executable, "-m", "p2pnode"]
Record = dict[str, Any]


class LocalNetwork:
    """What a test can do with the nodes of a running network."""

    def __init__(self, folder: Path, rows: list[Record]) -> None:
        self.folder = folder
        self.rows = rows
        self.nodes = range(len(rows))

    def testnet(self, *words: str) -> list[Record]:
        """Run a `testnet` command and return the lines that it printed."""
        with redirect_stdout(StringIO()) as output:
            assert main([*words, "--data-dir", str(self.folder)]) == 0
        return [json.loads(row) for row in output.getvalue().splitlines()]

    def states(self) -> dict[int, str]:
        """What each node's process does."""
        return {row["node"]: row["state"] for row in self.testnet("status")}

    @contextmanager
    def client(self, node: int) -> Iterator[Client]:
        """Talk to one node."""
        endpoint = find_endpoint(None, Path(self.rows[node]["data_dir"]), {})
        with Client(endpoint.address, endpoint.token) as client:
            yield client

    def status(self, node: int) -> Record:
        """What a node says of itself; an index of -1 while it does not answer."""
        try:
            with self.client(node) as client:
                return client.status()
        except ClientError:
            return {"final_index": -1, "connected_peers": -1, "state_digest": ""}

    def index(self, node: int) -> int:
        """How far a node's ledger is final."""
        return int(self.status(node)["final_index"])

    def pay(self, node: int, recipient: str) -> str:
        """Send a credit and return the operation's identifier."""
        with self.client(node) as client:
            return str(client.transfer(recipient, CREDIT)["operation"])

    def finality(self, node: int, operation: str) -> str:
        """How far an operation got at a node."""
        with self.client(node) as client:
            return str(client.operation(operation)["finality"])

    def available(self, node: int, account: str) -> int:
        """What an account has, as a node sees it."""
        try:
            with self.client(node) as client:
                return int(client.balance(account)["available"])
        except ClientError:
            return -1

    def everywhere(self, account: str, nodes: Iterable[int]) -> bool:
        """Whether the nodes all see a payment of one credit."""
        return all(self.available(node, account) == CREDIT for node in nodes)

    def agreed_index(self, seconds: float) -> int:
        """Wait until all nodes were seen at one index, and demand one state of them there."""
        seen: dict[int, dict[int, str]] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for node in self.nodes:
                status = self.status(node)
                seen.setdefault(status["final_index"], {})[node] = status["state_digest"]
            for index, digests in seen.items():
                assert len(set(digests.values())) == 1, f"two states at {index}: {digests}"
                if index > 0 and len(digests) == len(self.nodes):
                    return index
        raise AssertionError(f"the nodes were not seen at one index: {sorted(seen)}")

    def make_whole(self) -> None:
        """Heal every link, start every node that is gone, and wait until all are connected."""
        self.testnet("heal")
        for node, state in self.states().items():
            if state == "paused":
                self.testnet("resume", str(node))
            if state == "gone":
                self.testnet("restart", str(node))
        others = len(self.rows) - 1
        assert wait_until(
            lambda: all(self.status(node)["connected_peers"] == others for node in self.nodes), 30
        )


@contextmanager
def running_network(folder: Path, nodes: int, *options: str) -> Iterator[LocalNetwork]:
    """Run a network for the length of a block; afterwards nothing of it may be left."""
    line = [*PROGRAM, "testnet", "up", "--nodes", str(nodes), "--data-dir", str(folder), *options]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        rows = printed_rows(process)
        assert rows.pop()["ready"] is True
        yield LocalNetwork(folder, rows)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - begun < 10
    finally:
        process.terminate()
        process.wait(15)
    assert not [row["pid"] for row in rows if is_alive(row["pid"])]


def is_alive(pid: int) -> bool:
    """Whether a node's process still exists, other than as an entry in a table."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
    return state != "Z" and "p2pnode.lab.node" in command


def wait_until(holds: Callable[[], object], seconds: float) -> bool:
    """Poll until something holds; False when it did not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(POLL_SECONDS)
    return False


def fresh_account() -> str:
    """An account that nobody has paid yet."""
    return account_of(secrets.token_bytes(32)).hex()


def printed_rows(process: "subprocess.Popen[str]") -> list[Record]:
    """Read what `up` prints until it says that the network is ready."""
    assert process.stdout is not None
    rows: list[Record] = []
    deadline = time.monotonic() + READY_SECONDS
    for line in process.stdout:
        rows.append(json.loads(line))
        if "ready" in rows[-1] or time.monotonic() > deadline:
            return rows
    raise AssertionError(f"`testnet up` ended with {process.wait(5)}")
