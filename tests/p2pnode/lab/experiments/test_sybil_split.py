"""Splitting a stake: shares that are known, and what the node's lottery gives."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.sybil_split import (
    EQUAL,
    KEYS,
    ROOT,
    RULE,
    by_rule,
    known_majority,
    known_share,
    majority_of,
    measure,
    share_of,
)


def test_the_known_shares_follow_from_the_weights() -> None:
    assert round(known_share(RULE, 1), 4) == round(known_share(RULE, KEYS), 4) == 0.0952
    assert known_share(ROOT, KEYS) > 2 * known_share(ROOT, 1)
    assert round(known_share(EQUAL, KEYS), 4) == round(10 / 29, 4)
    assert [round(known_majority(percent), 3) for percent in (0, 20, 33, 100)] == [
        *(0, 0.104, 0.255, 1)
    ]


def test_a_key_without_stake_weighs_nothing_and_a_split_one_its_part() -> None:
    assert by_rule(0) == 0
    assert 10 * by_rule(2_000) == by_rule(20_000)


def test_draws_count_what_the_splitter_won() -> None:
    obtained = share_of(EQUAL, KEYS, 300)
    assert obtained.bites == round(obtained.value * 300) > 60
    everything = majority_of(100, 3)
    assert (everything.value, everything.bites) == (1, 9)


@pytest.mark.slow
def test_few_draws_contradict_no_row() -> None:
    findings = measure(Effort(is_quick=True))
    verdicts = [row.verdict for row in findings.rows]
    assert Verdict.DIFFERS not in verdicts
    assert Verdict.NO_BITE not in verdicts
    assert len(findings.charts[0].series) == 6
