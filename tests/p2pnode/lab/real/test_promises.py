from p2pnode.lab.real.promises import judge_reports
from protocol.simulator.checks import Check, Result
from protocol.units import AccountId
from tests.p2pnode.lab.real import builders

ACCOUNTS = tuple(AccountId(bytes([node]) * 32) for node in range(4))
HOLDS = Check("honest_never_slashed", Result.HOLDS)


def judged(folder, *rows):
    with builders.watch(folder) as watch:
        for node, row in rows:
            watch.fact(node, row)
    return judge_reports(builders.scenario(), ACCOUNTS, folder)


def proposed(block_round, digest):
    named = {"epoch": 0, "round": block_round, "digest": digest * 32, "operations": 0}
    return {"fact": "block_proposed", "at_ms": 5} | named


def test_two_blocks_of_one_node_in_one_round_break_a_promise(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    rows = [(0, proposed(1, "aa")), (1, proposed(1, "bb")), (0, proposed(2, "cc"))]
    assert judged(good, *rows) == [Check("own_slot", Result.HOLDS), HOLDS]
    broken = Check("own_slot", Result.BROKEN, "two blocks in round 1 at node 0")
    assert judged(bad, *rows, (0, proposed(1, "dd"))) == [broken, HOLDS]


def test_a_network_that_proposed_nothing_cannot_tell(tmp_path):
    gap = Check("own_slot", Result.UNKNOWN, "no honest node reported a block")
    assert judged(tmp_path) == [gap, HOLDS]


def test_an_honest_node_that_lost_stake_breaks_a_promise(tmp_path):
    slashed = {
        "fact": "slashed",
        "account": ACCOUNTS[1].hex(),
        "amount": 3,
        "reason": "equivocation",
        "job": None,
        "at_ms": 5,
    }
    found = judged(tmp_path, (0, proposed(1, "aa")), (2, slashed))
    assert found[1] == Check(
        "honest_never_slashed", Result.BROKEN, f"{ACCOUNTS[1].hex()} at node 2"
    )
