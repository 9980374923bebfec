"""Real nodes whose epochs are short: a newcomer gets a seat, and a restart crosses an end."""

import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pnode.client import Client, find_endpoint
from p2pnode.genesis import Founder, make_genesis, write_genesis
from p2pnode.lab import founding
from p2pnode.lab.founding import Plan, free_ports
from p2pnode.lab.testnet import save
from p2pnode.storage import load_or_create_seeds, prepare_data_folder
from protocol import vrf
from protocol.parameters import local, with_pace
from protocol.signing import account_of
from protocol.units import CREDIT
from tests.integration.local_network import (
    PROGRAM,
    LocalNetwork,
    Record,
    running_network,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

FOUNDERS = 3
TERMS = replace(with_pace(local(), 250, 250), epoch_rounds=12, epoch_rounds_min=6)
"""An epoch takes about three seconds."""


def found(folder: Path) -> None:
    """Prepares a network with short epochs, which `testnet up` then goes on with."""
    founders = []
    for node in range(FOUNDERS):
        data_folder = prepare_data_folder(folder / f"node-{node}")
        seeds = load_or_create_seeds(data_folder.key)
        founders.append(Founder(account_of(seeds.signing), vrf.public_key(seeds.randomness)))
    genesis = make_genesis("epochs", TERMS, founders, founders[0].account)
    write_genesis(folder / "genesis", genesis)
    save(founding.found(folder, Plan(FOUNDERS), cores=2))


def epoch(status: Record) -> int:
    return int(status.get("epoch", -1))


def answer(folder: Path) -> Record:
    endpoint = find_endpoint(None, folder, {})
    with Client(endpoint.address, endpoint.token) as client:
        return client.status()


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
