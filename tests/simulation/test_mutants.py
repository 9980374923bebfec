"""Each known mistake in the commit rule is caught by a stored DAG or by an attack."""

from contextlib import nullcontext

import pytest

from protocol.errors import Reason, Rejected
from protocol.ledger.block import open_block
from protocol.parameters import minimal
from tests.simulation.mutants import MUTANTS, blind_rate, planted
from tests.simulation.rates import wilson
from tests.support.dag_attacks import TRUSTING, blind_anchor, unsigned_bytes
from tests.support.dag_builder import NETWORK
from tests.support.dag_fuzz import Shape, disagreement, replay
from tests.support.stored_dags import FOLDER, load

STORED = sorted(path.stem for path in FOLDER.glob("*.json"))


def test_every_mistake_has_its_dag():
    assert set(STORED) == set(MUTANTS) - {"multi_ref"}


@pytest.mark.parametrize("name", STORED)
def test_a_mistake_makes_two_views_of_its_dag_disagree(name):
    stored = load(name)
    with planted(MUTANTS[name]):
        outcomes = [replay(stored.committee, view) for view in stored.views]
    assert disagreement(outcomes) == "diverged"


@pytest.mark.parametrize("name", sorted(set(STORED) - {"quorum_half"}))
def test_without_the_mistake_the_same_views_agree(name):
    stored = load(name)
    for block in {block.digest: block for view in stored.views for block in view}.values():
        open_block(unsigned_bytes(block), stored.committee, NETWORK, minimal(), TRUSTING)
    outcomes = [replay(stored.committee, view) for view in stored.views]
    assert disagreement(outcomes) is None
    assert any(outcome.commits for outcome in outcomes)


@pytest.mark.parametrize(
    ("padded", "reason"),
    [(False, Reason.NO_PARENT_QUORUM), (True, Reason.DUPLICATE_REFERENCE)],
)
def test_an_anchor_blind_to_certificates_splits_the_ledger_and_is_refused(padded, reason):
    attack = blind_anchor(padded=padded)
    with planted(MUTANTS["multi_ref"]) if padded else nullcontext():
        outcomes = [replay(attack.committee, view) for view in (attack.certified, attack.blind)]
    assert disagreement(outcomes) == "diverged"
    refused = []
    for block in dict.fromkeys((*attack.certified, *attack.blind)):
        try:
            open_block(unsigned_bytes(block), attack.committee, NETWORK, minimal(), TRUSTING)
        except Rejected as error:
            refused.append((block, error.reason))
    assert {block for block, _ in refused} == set(attack.invalid)
    assert {given for _, given in refused} == {reason}


def test_frequent_mistakes_show_in_a_small_blind_sample():
    assert blind_rate(MUTANTS["local_exclude"], 60) > 0


def test_a_rate_has_its_interval():
    low, high = wilson(10, 1_000)
    assert (round(low, 2), round(high, 2)) == (5.44, 18.31)
    assert wilson(0, 1_000)[0] == 0


def test_a_mistake_is_gone_after_its_test():
    with planted(MUTANTS["anchor_r2"]):
        pass
    assert blind_rate(MUTANTS["multi_ref"], 1) == 0
    assert Shape() == MUTANTS["anchor_r2"].shape
