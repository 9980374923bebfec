"""Five real nodes on loopback: a job, crashes, and divisions that heal."""

import time
from functools import partial
from pathlib import Path

import pytest

from p2pnode.client import Client
from tests.integration.local_network import LocalNetwork, Record, fresh_account, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

JOB = Path(__file__).parents[2] / "examples" / "01_wasm" / "job.toml"
ANSWER = b"785011 1000000 3140044\n785092 1000000 3140368\n"


def test_a_job_is_settled_and_every_node_has_the_same_receipt(five: LocalNetwork) -> None:
    with five.client(0) as client:
        job = client.submit(JOB)
        record = job.wait(60)
        assert client.result(job.id) == ANSWER
    assert record["state"] == "settled"
    assert len(record["executors"]) >= 2
    assert record["requester"] not in {one["account"] for one in record["executors"]}
    paid = {one["account"]: one["amount"] for one in record["payouts"]}
    assert set(paid) == {one["account"] for one in record["executors"]}
    assert sum(paid.values()) + record["fee"] + record["refund"] == record["budget"]
    for node in five.nodes:
        with five.client(node) as client:
            assert wait_until(partial(_has_receipt, client, record), 10)


def test_a_killed_node_catches_up_after_its_restart(five: LocalNetwork) -> None:
    others = [0, 1, 2, 4]
    five.testnet("kill", "3")
    assert five.states()[3] == "gone"
    account = fresh_account()
    five.pay(1, account)
    assert wait_until(lambda: five.everywhere(account, others), 30)
    reached = five.index(0)
    five.testnet("restart", "3")
    assert wait_until(lambda: five.index(3) >= reached, 30)
    assert five.everywhere(account, [3])
    assert five.agreed_index(20) >= reached


def test_a_paused_node_catches_up_when_it_goes_on(five: LocalNetwork) -> None:
    others = [0, 1, 3, 4]
    five.testnet("pause", "2")
    assert five.states()[2] == "paused"
    account = fresh_account()
    five.pay(1, account)
    assert wait_until(lambda: five.everywhere(account, others), 30)
    five.testnet("resume", "2")
    assert wait_until(lambda: five.everywhere(account, [2]), 30)


def test_four_go_on_without_the_fifth_whose_payment_is_final_after_the_heal(
    five: LocalNetwork,
) -> None:
    five.testnet("cut", "0,1,2,3|4")
    assert wait_until(lambda: five.status(4)["connected_peers"] == 0, 20), "the cut had no effect"
    time.sleep(1)  # What had come already is folded.
    stuck = five.index(4)
    theirs, ours = fresh_account(), fresh_account()
    five.pay(0, theirs)
    operation = five.pay(4, ours)
    assert wait_until(lambda: five.everywhere(theirs, [0, 1, 2, 3]), 30)
    assert five.index(4) == stuck
    assert five.finality(4, operation) in {"seen", "in_block"}
    assert not any(five.available(node, ours) for node in range(4))
    five.testnet("heal")
    assert wait_until(lambda: five.finality(4, operation) == "final", 40)
    assert wait_until(lambda: five.everywhere(ours, five.nodes), 20)
    assert wait_until(lambda: five.everywhere(theirs, five.nodes), 20)
    five.agreed_index(20)


def test_neither_side_of_an_even_cut_finalises_and_both_agree_after_the_heal(
    five: LocalNetwork,
) -> None:
    assert not _stands_still(five)
    five.testnet("cut", "0,1,2|3,4")
    # What was on its way may still become final; then nothing more does.
    accounts = fresh_account(), fresh_account()
    assert wait_until(lambda: _stands_still(five), 15), "the cut had no effect"
    before = [five.index(node) for node in five.nodes]
    operations = five.pay(1, accounts[0]), five.pay(4, accounts[1])
    assert not wait_until(lambda: [five.index(node) for node in five.nodes] != before, 4)
    levels = {five.finality(1, operations[0]), five.finality(4, operations[1])}
    assert levels <= {"seen", "in_block"}
    five.testnet("heal")
    for account in accounts:
        assert wait_until(partial(five.everywhere, account, five.nodes), 40)
    assert five.agreed_index(20) > max(before)


def test_finality_goes_on_when_the_first_node_is_gone_for_good(five: LocalNetwork) -> None:
    five.testnet("kill", "0")
    assert five.states()[0] == "gone"
    five.testnet("restart", "2")
    account = fresh_account()
    assert wait_until(lambda: five.status(2)["connected_peers"] == 3, 30)
    five.pay(2, account)
    assert wait_until(lambda: five.everywhere(account, [1, 2, 3, 4]), 30)


def _has_receipt(client: Client, record: Record) -> bool:
    """Whether a node has the same receipt, apart from what it measured itself of its own run."""
    found = dict(client.job(record["id"]))
    found.pop("metered", None)
    return found == record


def _stands_still(five: LocalNetwork) -> bool:
    """Whether nothing became final for longer than an idle round and a commit take."""
    before = [five.index(node) for node in five.nodes]
    return not wait_until(lambda: [five.index(node) for node in five.nodes] != before, 3)
