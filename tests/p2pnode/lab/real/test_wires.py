from p2pnode.lab.link_file import LINKS_NAME, read_rules
from p2pnode.lab.real.wires import ShaperWires, WireCounts, newly_counted
from p2pnode.network import LinkRule
from tests.p2pnode.lab import builders


def test_each_node_is_told_of_its_own_links_and_of_no_others(tmp_path):
    testnet = builders.network(tmp_path, nodes=3)
    mute, slow = LinkRule(mute=True), LinkRule(delay_ms=5)
    ShaperWires(testnet).apply({(0, 1): mute, (1, 0): mute, (2, 0): mute, (0, 2): slow})
    accounts = [bytes.fromhex(member.account) for member in testnet.members]
    told = [read_rules(member.data_dir / LINKS_NAME) for member in testnet.members]
    cut = LinkRule(cut=True)
    assert told == [
        {accounts[1]: cut, accounts[2]: slow},
        {accounts[0]: cut},
        {accounts[0]: mute},
    ]


def test_new_rules_replace_all_earlier_ones(tmp_path):
    testnet = builders.network(tmp_path, nodes=2)
    wires = ShaperWires(testnet)
    wires.apply({(0, 1): LinkRule(mute=True)})
    wires.apply({})
    assert read_rules(testnet.members[0].data_dir / LINKS_NAME) == {}


def test_a_node_that_started_again_counts_from_zero():
    before = {0: WireCounts(10, 2), 1: WireCounts(5, 5)}
    after = {0: WireCounts(13, 2), 1: WireCounts(1, 0), 2: WireCounts(4, 1)}
    new = {0: WireCounts(3, 0), 1: WireCounts(1, 0), 2: WireCounts(4, 1)}
    assert newly_counted(before, after) == new
