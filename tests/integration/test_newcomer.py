"""A newcomer among real nodes: it takes up a certified state, takes part, and proves an account."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2pnode.calls import ClientError
from p2pnode.cli.entry import main
from p2pnode.client import Client, find_endpoint
from p2pnode.lab.founding import free_ports
from p2pnode.storage import open_readonly
from protocol.ledger.block import stored_digest
from protocol.units import CREDIT
from tests.integration.local_network import (
    PROGRAM,
    LocalNetwork,
    Record,
    fresh_account,
    running_network,
    wait_until,
)
from tests.integration.short_epochs import FOUNDERS, answer, epoch, found

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

EPOCHS_BEFORE = 2
WRONG = "00" * 32


def rows_of(log: Path) -> list[Record]:
    return [json.loads(row) for row in log.read_text().splitlines() if row.startswith("{")]


def event(log: Path, name: str) -> Record | None:
    return next((row for row in rows_of(log) if row["event"] == name), None)


def line_of(network: LocalNetwork, folder: Path, *options: str) -> list[str]:
    port, api = free_ports(2)
    line = [*PROGRAM, "--data-dir", str(folder), "--log-format", "json"]
    for node in network.nodes:
        line += ["--bootstrap", network.status(node)["addresses"][0]]
    line += ["--network", network.status(0)["network"]]
    line += ["--listen", f"/ip4/127.0.0.1/tcp/{port}", "--api", f"127.0.0.1:{api}"]
    return [*line, *options]


@contextmanager
def newcomer(network: LocalNetwork, folder: Path, *options: str) -> Iterator[Path]:
    """Runs another node; gives the file of its log."""
    log = folder.with_suffix(".log")
    line = line_of(network, folder, *options)
    with log.open("w") as stream, subprocess.Popen(line, stderr=stream, stdout=stream) as node:
        try:
            yield log
        finally:
            node.terminate()


def is_level(network: LocalNetwork, folder: Path) -> bool:
    """Whether a node follows: at most a few commits behind."""
    try:
        return int(answer(folder)["final_index"]) + 4 >= network.index(0)
    except (ClientError, OSError):
        return False


def is_final(client: Client, operation: str) -> bool:
    return bool(client.operation(operation)["finality"] == "final")


def test_a_newcomer_takes_up_a_certified_state_and_takes_part(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    found(folder)
    with running_network(folder, FOUNDERS) as network:
        assert wait_until(lambda: epoch(network.status(0)) > EPOCHS_BEFORE, 60)
        trusted = network.status(0)["checkpoint"]
        assert wait_until(lambda: network.status(1)["checkpoint"] != trusted, 30)
        _take_part(network, tmp_path / "first")
        _begin_at_a_checkpoint(network, tmp_path / "second", trusted)
        _refuse_a_wrong_checkpoint(network, tmp_path / "third", trusted)
        _prove(network, tmp_path, trusted)


def _take_part(network: LocalNetwork, folder: Path) -> None:
    """Follows from a snapshot, without the blocks before it; what it signs becomes final."""
    with newcomer(network, folder) as log:
        assert wait_until(lambda: is_level(network, folder), 40)
        taken = event(log, "snapshot_here")
        assert taken is not None
        assert taken["epoch"] >= EPOCHS_BEFORE - 1
        assert event(log, "epochs_verified") is not None
        with open_readonly(folder, stored_digest) as journal:
            assert wait_until(lambda: any(True for _ in journal.blocks()), 20), "it follows"
            first = next(block for _, block in journal.blocks())
            assert first.epoch > taken["epoch"], "no block from before the snapshot was fetched"
            assert journal.certificates(0, 100), "the chain stays, for the next newcomer"
        account, recipient = answer(folder)["account"], fresh_account()
        with network.client(0) as client:
            client.transfer(account, 50 * CREDIT)
        endpoint = find_endpoint(None, folder, {})
        with Client(endpoint.address, endpoint.token) as client:
            assert wait_until(lambda: client.balance(account)["available"] > 0, 30)
            operation = str(client.transfer(recipient, CREDIT)["operation"])
            assert wait_until(lambda: is_final(client, operation), 30)
        assert wait_until(lambda: network.everywhere(recipient, network.nodes), 30)


def _begin_at_a_checkpoint(network: LocalNetwork, folder: Path, trusted: str) -> None:
    """Begins its chain at the end that it was told, and needs nothing before it."""
    with newcomer(network, folder, "--checkpoint", trusted) as log:
        assert wait_until(lambda: is_level(network, folder), 40)
        verified = event(log, "epochs_verified")
        assert verified is not None
        assert verified["since"] == int(trusted.partition(":")[0]) > 0
        with open_readonly(folder, stored_digest) as journal:
            span = journal.certificate_span()
        assert span is not None
        assert span[0] == verified["since"]


def _refuse_a_wrong_checkpoint(network: LocalNetwork, folder: Path, trusted: str) -> None:
    """Stops with a sentence where all peers contradict what it was told."""
    lie = f"{trusted.partition(':')[0]}:{WRONG}"
    line = line_of(network, folder, "--checkpoint", lie)
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"contradicts --checkpoint {lie}" in ended.stderr


def _prove(network: LocalNetwork, folder: Path, trusted: str) -> None:
    """Proves an account to somebody who has only the network's hash, or an end that it trusts."""
    status = network.status(0)
    data, proof, chain = network.rows[0]["data_dir"], folder / "proof", folder / "chain"
    prove = ["ledger", "prove", status["account"], "--certified", "--data-dir", data]
    assert main([*prove, "--out", str(proof)]) == 0
    assert main(["ledger", "chain", "--data-dir", data, "--out", str(chain)]) == 0
    check = ["ledger", "verify-proof", str(proof)]
    trust = ["--network", status["network"]]
    assert main([*check, "--chain", str(chain), *trust]) == 0
    assert main([*check, "--chain", str(chain), "--checkpoint", trusted]) == 0
    assert main([*check, "--bootstrap", network.status(1)["addresses"][0], *trust]) == 0
    assert main([*check, "--chain", str(chain), "--network", WRONG]) == 2
    assert main([*check, "--chain", str(chain), "--checkpoint", f"1:{WRONG}"]) == 1
