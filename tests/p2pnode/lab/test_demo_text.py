from typing import Any

import pytest

from p2pnode.lab.demo_text import caught, phase_sentence, receipt

HONEST, LIAR, SPARE = "aa" * 32, "bb" * 32, "cc" * 32
NAMES = {HONEST: "node 1", LIAR: "node 2 (liar)", SPARE: "node 3"}
TRUTH, LIE = "11" * 32, "22" * 32


def executor(account: str, output: str | None, *, status: str = "revealed") -> dict[str, Any]:
    return {
        "account": account,
        "duty": "executor",
        "status": status,
        "fingerprint": output,
        "output": output,
    }


def job(**changes: object) -> dict[str, Any]:
    candidate = {"weight": 10, "free_stake": 5_000_000, "reputation": 7}
    groups = [
        {"output": TRUTH, "members": [HONEST], "confidence_bp": 9_882},
        {"output": LIE, "members": [LIAR], "confidence_bp": 105},
    ]
    return {
        "id": "dd" * 32,
        "state": "settled",
        "reason": "a result reached the tolerated error",
        "result_digest": TRUTH,
        "executors": [executor(HONEST, TRUTH), executor(LIAR, LIE)],
        "bids": [{}, {}, {}],
        "draw": {"candidates": [candidate | {"account": one} for one in (HONEST, LIAR, SPARE)]},
        "audit": {"numerator": 1_000, "denominator": 10_000, "auditors": []},
        "groups": groups,
        "payouts": [{"account": HONEST, "amount": 820, "reason": "result"}],
        "slashes": [{"account": LIAR, "amount": 907_500, "reason": "wrong_result"}],
        "fee": 82,
        "refund": 99_998_278,
        "timeline": [{"phase": phase} for phase in PHASES],
    } | changes


PHASES = (
    *("bidding", "drawing", "executing", "sampling", "comparing"),
    *("executing", "comparing", "revealing", "executing", "comparing", "revealing"),
)


@pytest.mark.parametrize(
    ("position", "sentence"),
    [
        (0, "offer: final in the ledger; workers bid"),
        (1, "close: 3 bids; a later beacon will draw"),
        (2, "lottery: drawn are node 1, node 2 (liar); execution runs"),
        (3, "commitments: every result is fixed; a later beacon samples for an audit"),
        (
            4,
            "audit sampling: spared at a chance of 10 %; fingerprints: 1 of 2 secret results agree",
        ),
        (5, "too little agrees, one more is called: node 1, node 2 (liar)"),
        (6, "fingerprints: the later result is compared, too"),
        (7, "reveals: everybody opens what it committed to"),
        (10, "reveals: the later results are opened, too"),
    ],
)
def test_each_phase_is_told_in_a_sentence(position: int, sentence: str) -> None:
    assert phase_sentence(job(), position, NAMES) == sentence


def test_without_fingerprints_nothing_is_compared() -> None:
    silent = job(executors=[executor(HONEST, None, status="unopened")])
    assert phase_sentence(silent, 4, NAMES).endswith("fingerprints: none was sent")


def test_the_end_is_told_with_what_the_comparison_found() -> None:
    settled = job(timeline=[{"phase": "settled"}])
    sentence = "cross-check: 1 agree, 1 differ, confidence 98.82 %; settlement"
    assert phase_sentence(settled, 0, NAMES) == sentence
    refunded = job(timeline=[{"phase": "refunded"}], reason="nobody bid before the close")
    assert phase_sentence(refunded, 0, NAMES) == "refunded: nobody bid before the close"


def test_the_receipt_says_who_was_drawn_and_why_paid_and_slashed() -> None:
    text = "\n".join(receipt(job(), NAMES))
    assert "node 1           executor, revealed  weight 33.3 % = free stake 5, reputation 7" in text
    assert "node 3           spare" in text
    assert "result 2222222222222222 by node 2 (liar): confidence 1.05 %" in text
    assert "paid     node 1           0.00082 (result)" in text
    assert "slashed  node 2 (liar)    0.9075 (wrong_result)" in text
    assert "fee 0.000082, back to the requester 99.998278" in text


def test_a_receipt_without_a_draw_is_short() -> None:
    lines = list(receipt({"id": "dd" * 32, "reason": "nobody bid before the close"}, NAMES))
    assert len(lines) == 2


def test_a_liar_that_was_outvoted_and_slashed_is_caught() -> None:
    assert caught(job(), LIAR)
    assert not caught(job(), HONEST)


@pytest.mark.parametrize(
    "changes",
    [
        {"slashes": []},
        {"slashes": [{"account": LIAR, "amount": 9, "reason": "unopened_commitment"}]},
        {"state": "inconclusive"},
        {"executors": [executor(HONEST, TRUTH), executor(LIAR, None, status="missed")]},
        {"result_digest": LIE},
    ],
)
def test_less_than_all_of_it_is_not_enough(changes: dict[str, object]) -> None:
    assert not caught(job(**changes), LIAR)
