"""Real nodes whose epochs are short: a newcomer gets a seat, and restarts cross ends.

One founder keeps no history, so each of its starts is from a snapshot.
"""

import json
import subprocess
from pathlib import Path

import pytest

from p2pnode.client import Client, find_endpoint
from p2pnode.lab.founding import free_ports
from p2pnode.storage import JournalReader, layout, open_readonly
from protocol.ledger.block import stored_digest
from protocol.units import CREDIT
from tests.integration.local_network import (
    PROGRAM,
    LocalNetwork,
    running_network,
    wait_until,
)
from tests.integration.short_epochs import FOUNDERS, answer, epoch, found

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

PRUNING = 2
"""The founder that keeps no more than a start needs, and is killed."""


def test_a_newcomer_that_stakes_proposes_and_restarts_from_snapshots_cross_ends(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "net"
    found(folder)
    with running_network(folder, FOUNDERS) as network:
        address = network.status(0)["addresses"][0]
        port, api = free_ports(2)
        newcomer = tmp_path / "newcomer"
        line = [*PROGRAM, "--data-dir", str(newcomer), "--bootstrap", address]
        line += ["--network", network.status(0)["network"]]
        line += ["--listen", f"/ip4/127.0.0.1/tcp/{port}", "--api", f"127.0.0.1:{api}"]
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as node:
            try:
                _take_a_seat(network, newcomer)
                _cross_an_end(network)
                _cross_another_without_history(network)
                assert answer(newcomer)["is_validator"]
            finally:
                node.terminate()


def _take_a_seat(network: LocalNetwork, newcomer: Path) -> None:
    assert wait_until((newcomer / "api-address").exists, 30)
    account = answer(newcomer)["account"]
    with network.client(0) as client:
        client.transfer(account, 2_500 * CREDIT)
    assert wait_until(lambda: network.available(1, account) == 2_500 * CREDIT, 30)
    endpoint = find_endpoint(None, newcomer, {})
    with Client(endpoint.address, endpoint.token) as client:
        assert wait_until(lambda: client.balance(account)["available"] > 0, 30)
        before = epoch(client.status())
        client.stake(2_000 * CREDIT)
        assert wait_until(lambda: client.balance(account)["staked"] > 0, 30)
        after = epoch(client.status())
        assert wait_until(lambda: client.status()["is_validator"], 60)
        status = client.status()
    assert status["committee"] == FOUNDERS + 1
    assert before + 2 <= epoch(status) <= after + 3, "registered, then leased for one epoch"


def _cross_an_end(network: LocalNetwork) -> None:
    """Kills a founder, waits for the next epoch, and has it follow from its newest snapshot.

    From then on it keeps no more than a start needs.
    """
    with layout(_folder(network)).config.open("a") as config:
        config.write('keep = "0"\n')
    (begun,) = _begun(network, _restart_after_an_end(network))
    assert begun > 0
    with open_readonly(_folder(network), stored_digest) as journal:
        assert wait_until(lambda: journal.pruned() > 0, 20), "a start prunes"
        assert wait_until(lambda: _has_two_snapshots(journal), 10)


def _has_two_snapshots(journal: JournalReader) -> bool:
    """Whether the newest one and the one before it are kept, and no more."""
    newest, *others = journal.snapshots()
    return [mark.epoch for mark in others] == [newest.epoch - 1]


def _cross_another_without_history(network: LocalNetwork) -> None:
    """The same again: now there is nothing that the founder could replay from genesis."""
    (begun,) = _begun(network, _restart_after_an_end(network))
    with open_readonly(_folder(network), stored_digest) as journal:
        _, oldest = next(journal.blocks())
        assert 0 < oldest.epoch <= begun
        assert [one.epoch for one in journal.certificates(0, begun - 1)] == list(range(begun - 1))


def _restart_after_an_end(network: LocalNetwork) -> int:
    """Returns how long the founder's log was before it started again."""
    network.testnet("kill", str(PRUNING))
    stopped_in = epoch(network.status(0))
    assert wait_until(lambda: epoch(network.status(0)) > stopped_in, 30)
    read = len(_log(network))
    network.testnet("restart", str(PRUNING))
    assert wait_until(lambda: epoch(network.status(PRUNING)) == epoch(network.status(0)), 40)
    network.agreed_index(30)
    return read


def _begun(network: LocalNetwork, read: int) -> list[int]:
    """The epochs in which the starts after a place in the log began."""
    told = [json.loads(line) for line in _log(network)[read:] if line.startswith("{")]
    return [one["epoch"] for one in told if one["event"] == "snapshot_loaded"]


def _folder(network: LocalNetwork) -> Path:
    return Path(network.rows[PRUNING]["data_dir"])


def _log(network: LocalNetwork) -> list[str]:
    folder = _folder(network)
    return folder.with_name(f"{folder.name}.log").read_text().splitlines()
