"""Real nodes whose epochs are short: a newcomer gets a seat, and a restart crosses an end."""

import subprocess
from pathlib import Path

import pytest

from p2pnode.client import Client, find_endpoint
from p2pnode.lab.founding import free_ports
from protocol.units import CREDIT
from tests.integration.local_network import PROGRAM, LocalNetwork, running_network, wait_until
from tests.integration.short_epochs import FOUNDERS, answer, epoch, found

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def test_a_newcomer_that_stakes_proposes_and_a_restart_crosses_the_end_of_an_epoch(
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
        staked_in = epoch(client.status())
        client.stake(2_000 * CREDIT)
        assert wait_until(lambda: client.status()["is_validator"], 60)
        status = client.status()
    assert status["committee"] == FOUNDERS + 1
    assert epoch(status) - staked_in in (2, 3), "registered, then leased for one epoch"


def _cross_an_end(network: LocalNetwork) -> None:
    """Kills a founder, waits for the next epoch, and has it follow from its own store."""
    network.testnet("kill", "2")
    stopped_in = epoch(network.status(0))
    assert wait_until(lambda: epoch(network.status(0)) > stopped_in, 30)
    network.testnet("restart", "2")
    assert wait_until(lambda: epoch(network.status(2)) == epoch(network.status(0)), 40)
    network.agreed_index(30)
