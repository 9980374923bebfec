from dataclasses import replace

import pytest

from p2pnode.lab.real.evidence import compare_stores, store_trouble
from tests.p2pnode.lab import builders as networks
from tests.p2pnode.offline.builders import Town, settle_into, town_of_epochs


@pytest.mark.parametrize(
    ("agree", "audited", "difference", "first_bad", "told"),
    [
        (True, True, None, None, ""),
        (False, True, "at commit 3", None, "at commit 3"),
        (True, False, None, "block ab", "block ab"),
        (None, None, "node 2 has no whole ledger", None, "node 2 has no whole ledger"),
        (None, True, None, None, "the stores were not compared"),
    ],
)
def test_stores_that_do_not_agree_or_are_not_whole_are_named(
    agree, audited, difference, first_bad, told
):
    names = ("agree", "audited", "difference", "first_bad")
    stores = dict(zip(names, (agree, audited, difference, first_bad), strict=True))
    assert store_trouble(stores) == told


def left_by(town: Town, folder, prunes):
    """A network whose nodes kept all blocks, or the later ones only."""
    found = networks.network(folder, nodes=len(prunes))
    members = [
        replace(member, data_dir=settle_into(folder / f"left-{number}", town, number, prunes=cut))
        for number, (member, cut) in enumerate(zip(found.members, prunes, strict=True))
    ]
    return replace(found, members=tuple(members))


def test_stores_that_begin_at_a_snapshot_are_left_out_and_the_whole_ones_compared(tmp_path):
    testnet = left_by(town_of_epochs(), tmp_path, (True, False, False))
    stores = compare_stores(testnet, tmp_path / "ledgers")
    assert stores["began_later"] == [0]
    assert store_trouble(stores) == ""
    assert stores["common_index"] > 10
    assert len(list((tmp_path / "ledgers").iterdir())) == 2


def test_without_a_whole_store_nothing_is_compared(tmp_path):
    stores = compare_stores(left_by(town_of_epochs(), tmp_path, (True, True)), tmp_path / "ledgers")
    assert store_trouble(stores) == "no node has a whole ledger"
