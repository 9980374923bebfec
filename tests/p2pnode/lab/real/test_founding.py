import pytest

from p2pnode.genesis import read_genesis
from p2pnode.lab.processes import ProcessId
from p2pnode.lab.real.founding import found_shape
from p2pnode.lab.real.namespaces import Hosts
from p2pnode.lab.real.shape import shape_of
from p2pnode.lab.testnet import LabError
from p2pnode.settings import load_settings
from p2pnode.storage import layout, load_or_create_seeds
from protocol.messages import network_of
from protocol.signing import account_of
from protocol.simulator.scenario import identities
from protocol.units import CREDIT
from tests.p2pnode.lab.real.builders import scenario

SHAPE = shape_of(scenario(members=3, observers=1), 2)


def test_nodes_have_the_keys_stakes_and_terms_of_the_scenario(tmp_path):
    testnet = found_shape(tmp_path, SHAPE, None)
    accounts = [account_of(one.seed) for one in identities(SHAPE.scenario)]
    assert [bytes.fromhex(member.account) for member in testnet.members] == accounts
    for member, identity in zip(testnet.members, identities(SHAPE.scenario), strict=True):
        folder = layout(member.data_dir)
        seeds = load_or_create_seeds(folder.key)
        assert (seeds.signing, seeds.randomness) == (identity.seed, identity.vrf_seed)
        genesis = read_genesis(folder.genesis)
        assert network_of(genesis).hex() == testnet.network
        assert [one.account for one in genesis.validators] == accounts[:3]
        assert {one.stake for one in genesis.validators} == {5_000 * CREDIT}
        assert genesis.parameters == SHAPE.scenario.parameters
        assert genesis.time_ms > 0


def test_in_namespaces_every_node_has_two_addresses_of_its_own(tmp_path):
    hosts = Hosts(ProcessId(12, 34), 4, 201)
    testnet = found_shape(tmp_path, SHAPE, hosts)
    second = testnet.members[1]
    assert second.namespace == "p2pnode-12-34-1"
    assert second.address.startswith("/ip4/10.201.0.2/tcp/4001/p2p/")
    assert second.api == "10.201.1.2:8001"
    settings = load_settings({"data_dir": second.data_dir}, {})
    assert settings.api_host == "10.201.1.2"
    assert settings.bootstrap == (testnet.members[0].address,)


def test_the_keys_of_another_network_are_never_taken_over(tmp_path):
    found_shape(tmp_path, SHAPE, None)
    with pytest.raises(LabError, match="another network"):
        found_shape(tmp_path, SHAPE, None)
