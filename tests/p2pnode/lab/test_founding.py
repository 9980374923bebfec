import socket
from pathlib import Path

import pytest

from p2pnode.genesis import read_genesis
from p2pnode.lab.founding import (
    FIRST_PORT,
    LAST_PORT,
    Plan,
    found,
    free_ports,
    paced,
)
from p2pnode.lab.testnet import LabError
from p2pnode.settings import load_settings
from protocol.messages import network_of
from protocol.parameters import local

DIGEST = "ab" * 32


def test_all_nodes_are_validators_with_equal_stake_and_a_balance(tmp_path: Path) -> None:
    testnet = found(tmp_path, Plan(nodes=4, liars=1), cores=2)
    genesis = read_genesis(tmp_path / "genesis")
    accounts = {bytes.fromhex(member.account) for member in testnet.members}
    assert {one.account for one in genesis.validators} == accounts
    assert len({one.stake for one in genesis.validators}) == 1
    assert {one.account for one in genesis.allocations} == accounts
    assert genesis.faucet == bytes.fromhex(testnet.members[0].account)
    assert network_of(genesis).hex() == testnet.network
    assert [member.liar for member in testnet.members] == [False, False, False, True]


def test_each_node_finds_its_settings_in_its_folder(tmp_path: Path) -> None:
    testnet = found(tmp_path, Plan(nodes=2, artefacts=(DIGEST,)), cores=2)
    first, second = (load_settings({"data_dir": member.data_dir}, {}) for member in testnet.members)
    assert first.bootstrap == ()
    assert second.bootstrap == (testnet.members[0].address,)
    assert second.listen == (testnet.members[1].address.partition("/p2p/")[0],)
    assert f"{second.api_host}:{second.api_port}" == testnet.members[1].api
    assert second.network == testnet.network
    assert second.allowed_artefacts == (bytes.fromhex(DIGEST),)


def test_a_network_goes_on_in_its_folder_with_keys_and_genesis(tmp_path: Path) -> None:
    before = found(tmp_path, Plan(nodes=2), cores=2)
    after = found(tmp_path, Plan(nodes=2), cores=2)
    assert after.network == before.network
    assert [one.account for one in after.members] == [one.account for one in before.members]


def test_a_network_of_another_size_is_not_continued(tmp_path: Path) -> None:
    found(tmp_path, Plan(nodes=2), cores=2)
    with pytest.raises(LabError, match="2 nodes"):
        found(tmp_path, Plan(nodes=3), cores=2)


@pytest.mark.parametrize(
    ("nodes", "cores", "round_ms"),
    [(1, 2, 250), (5, 2, 250), (10, 2, 400), (20, 2, 1_600), (20, 16, 250)],
)
def test_the_pace_follows_nodes_and_cores(nodes: int, cores: int, round_ms: int) -> None:
    terms = paced(local(), nodes, cores)
    assert terms.minimum_round_ms == round_ms
    assert terms.minimum_round_ms < terms.vote_grace_ms < terms.leader_timeout_ms
    assert terms.minimum_round_ms < terms.idle_round_ms


def test_the_pace_is_part_of_genesis(tmp_path: Path) -> None:
    found(tmp_path, Plan(nodes=2), cores=2)
    assert read_genesis(tmp_path / "genesis").parameters == paced(local(), 2, 2)


def test_ports_are_distinct_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(FIRST_PORT <= port < LAST_PORT for port in ports)
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
