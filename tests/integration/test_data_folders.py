"""What real nodes do when their folder is damaged, old, or in use twice.

One network of five; whatever befalls the last of them, the other four make a quorum.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from p2pnode.calls import Refused
from p2pnode.client import Client
from p2pnode.storage import StoredBlock, layout, open_readonly
from protocol.ledger.block import stored_digest
from tests.integration.local_network import (
    PROGRAM,
    LocalNetwork,
    fresh_account,
    running_network,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TWINS = int(os.environ.get("TWINS", "2"))
"""How often a second instance is started; `make kill` asks for ten."""
TWIN_SECONDS = 2.0
"""How long a second instance may go on once it can hear the network, its own end included."""
STALL_SECONDS = 10.0
"""The same in every run, however busy the machine is."""
TWIN_START_SECONDS = 60.0
REFETCH_SECONDS = 10.0
CATCH_UP_SECONDS = 40.0


class Victim:
    """The node of a network that things are done to: the one whose connections always win."""

    def __init__(self, network: LocalNetwork) -> None:
        self.network = network
        self.node = max(network.nodes, key=lambda node: str(network.rows[node]["account"]))
        self.others = [node for node in network.nodes if node != self.node]
        self.folder = Path(network.rows[self.node]["data_dir"])
        self.account = str(network.rows[self.node]["account"])
        self._log = network.folder / f"node-{self.node}.log"

    def stop(self) -> None:
        self.network.testnet("kill", str(self.node))
        assert wait_until(lambda: self.network.states()[self.node] == "gone", 10)

    def restart(self) -> int:
        """Start it again, and return how long its log was before."""
        begun = len(self.said())
        self.network.testnet("restart", str(self.node))
        return begun

    def said(self, since: int = 0, event: str = "") -> list[dict[str, Any]]:
        rows = [json.loads(row) for row in self._log.read_text().splitlines() if row[:1] == "{"]
        return [row for row in rows[since:] if not event or row["event"] == event]

    def catches_up(self) -> bool:
        goal = self.network.index(self.others[0])
        return wait_until(lambda: self.network.index(self.node) >= goal, CATCH_UP_SECONDS)

    def move_on(self) -> None:
        """Make something final among the others, so that the ledger has grown."""
        account = fresh_account()
        self.network.pay(self.others[0], account)
        assert wait_until(lambda: self.network.everywhere(account, self.others), 30)

    def assert_never_slashed(self) -> None:
        for node in self.others:
            with self.network.client(node) as client:
                assert "equivocation_seen" not in facts_about(client, self.account)
                assert client.balance(self.account)["staked"] > 0


def facts_about(client: Client, account: str) -> set[str]:
    """The kinds of what a node remembers of an account."""
    try:
        return {str(row["fact"]) for row in client.why(account)["facts"]}
    except Refused:
        return set()


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with running_network(tmp_path_factory.mktemp("folders") / "net", 5) as network:
        network.make_whole()
        yield Victim(network)


def test_a_damaged_block_is_fetched_from_peers_again(victim: Victim) -> None:
    victim.move_on()
    assert victim.catches_up()
    victim.stop()
    damaged = flip_bit_of_block(victim.folder)
    since = victim.restart()
    assert wait_until(lambda: victim.said(since, "block_damaged"), 20)
    assert wait_until(lambda: stored(victim.folder, damaged.digest) == damaged, REFETCH_SECONDS)
    assert victim.catches_up()
    assert damaged.digest.hex() in victim.said(since, "block_damaged")[0]["detail"]
    victim.assert_never_slashed()


def flip_bit_of_block(folder: Path) -> StoredBlock:
    """Damage a block in the middle of a stopped node's journal."""
    with open_readonly(folder, stored_digest) as reader:
        blocks = [block for _, block in reader.blocks()]
    damaged = blocks[len(blocks) // 2]
    raw = bytearray(damaged.raw)
    raw[len(raw) // 2] ^= 1
    connection = apsw.Connection(str(layout(folder).journal))
    connection.execute("UPDATE block SET raw = ? WHERE digest = ?", (bytes(raw), damaged.digest))
    assert connection.changes() == 1
    connection.close()
    return damaged


def stored(folder: Path, digest: bytes) -> StoredBlock | None:
    with open_readonly(folder, stored_digest) as reader:
        return reader.block(digest)


def test_a_second_node_with_the_same_key_signs_nothing_and_says_why_it_stops(
    victim: Victim, tmp_path: Path
) -> None:
    """RELIABILITY C7: who meets both introduces them to each other, and the younger one stops."""
    victim.stop()
    twin = tmp_path / "twin"
    shutil.copytree(victim.folder, twin)
    for name in ("config.toml", "laboratory-links.json", "api-address", "address-book"):
        (twin / name).unlink(missing_ok=True)
    victim.restart()
    victim.network.make_whole()
    slots = count_slots(twin)
    victim.move_on()
    addresses = [victim.network.status(node)["addresses"][0] for node in victim.others]
    seconds = []
    for turn in range(TWINS):
        rows = run_twin(twin, addresses)
        stop = next(row for row in rows if row["event"] == "node_cannot_run")
        assert "another node signs with the key of this data folder" in stop["detail"]
        begun = next(row for row in rows if row["event"] == "journal_replayed")
        seconds.append((time_of(stop) - time_of(begun)).total_seconds())
        print(f"twin {turn + 1} of {TWINS} stopped after {seconds[-1]:.2f} s: {stop['detail']}")
        assert count_slots(twin) == slots, "it signed"
        assert victim.network.states()[victim.node] == "running", "the first instance goes on"
        victim.network.make_whole()
    assert min(seconds) <= TWIN_SECONDS
    assert max(seconds) <= STALL_SECONDS
    victim.move_on()
    assert victim.catches_up(), "the first instance goes on"
    victim.assert_never_slashed()


def run_twin(folder: Path, addresses: list[str]) -> list[dict[str, Any]]:
    """Run a node until it ends by itself, and return what it said."""
    bootstrap = [word for address in addresses for word in ("--bootstrap", address)]
    line = [*PROGRAM, "--data-dir", str(folder), "--listen", "/ip4/127.0.0.1/tcp/0", *bootstrap]
    with subprocess.Popen(
        [*line, "--log-format", "json"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _, said = process.communicate(timeout=TWIN_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            _, said = process.communicate(timeout=20)
            pytest.fail(f"it did not stop by itself: {said}")
    assert process.returncode == 1
    assert "Traceback" not in said
    return [json.loads(row) for row in said.splitlines()]


def time_of(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["timestamp"])


def count_slots(folder: Path) -> int:
    connection = apsw.Connection(str(layout(folder).journal), flags=apsw.SQLITE_OPEN_READONLY)
    count = connection.execute("SELECT count(*) FROM own_slot").get
    connection.close()
    return int(count)


def test_a_node_restored_from_an_old_copy_sits_out_and_is_not_slashed(
    victim: Victim, tmp_path: Path
) -> None:
    victim.stop()
    copy = tmp_path / "copy"
    shutil.copytree(victim.folder, copy)
    victim.restart()
    victim.network.make_whole()
    old = count_slots(copy)
    assert wait_until(lambda: count_slots(victim.folder) > old + 2, 30), "the copy is not old"
    victim.stop()
    for path in victim.folder.glob("journal.sqlite*"):
        path.unlink()
    for path in copy.glob("journal.sqlite*"):
        shutil.copy(path, victim.folder)
    assert count_slots(victim.folder) == old
    since = victim.restart()
    assert wait_until(lambda: victim.said(since, "sitting_out"), 30)
    victim.move_on()
    assert victim.catches_up(), "it follows the ledger all the same"
    assert count_slots(victim.folder) == old
    assert not victim.said(since, "key_seen_elsewhere")
    victim.assert_never_slashed()


def test_a_node_whose_own_slots_are_damaged_follows_and_signs_nothing(victim: Victim) -> None:
    victim.stop()
    slots = count_slots(victim.folder)
    connection = apsw.Connection(str(layout(victim.folder).journal))
    connection.execute(
        "UPDATE own_slot SET digest = zeroblob(32) WHERE round = (SELECT max(round) FROM own_slot)"
    )
    assert connection.changes() == 1
    connection.close()
    since = victim.restart()
    assert wait_until(lambda: victim.said(since, "own_slots_damaged"), 20)
    victim.move_on()
    assert victim.catches_up(), "it serves reads"
    assert count_slots(victim.folder) == slots
    assert "move the journal's files" in victim.said(since, "own_slots_damaged")[0]["detail"]
    victim.assert_never_slashed()
