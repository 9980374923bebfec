"""A network of real processes whose epochs take about three seconds."""

from pathlib import Path

from msgspec.structs import replace

from p2pnode.client import Client, find_endpoint
from p2pnode.genesis import Founder, make_genesis, write_genesis
from p2pnode.lab import founding
from p2pnode.lab.founding import Plan
from p2pnode.lab.testnet import save
from p2pnode.storage import load_or_create_seeds, prepare_data_folder
from protocol import vrf
from protocol.parameters import local, with_pace
from protocol.signing import account_of
from tests.integration.local_network import Record

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
