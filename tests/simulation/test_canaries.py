"""Protocols broken on purpose: a simulation that does not notice them proves nothing."""

from dataclasses import replace

import pytest

from protocol import core
from protocol.ledger import committee
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.evidence import make_evidence
from protocol.messages import EquivocationEvidence
from protocol.roles.validator import Validator
from protocol.simulator.catalogue import BEGIN_NS, END_NS, calm, crashes
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import START_NS, Behaviour, Partition, Scenario
from protocol.units import MILLISECOND, MemberIndex, Weight

pytestmark = pytest.mark.slow

SLOW_SYNC_NS = 30 * MILLISECOND


def slow_disks(seed: int) -> Scenario:
    return replace(crashes(seed), sync_ns=SLOW_SYNC_NS)


def halves(seed: int) -> Scenario:
    cut = Partition(BEGIN_NS, END_NS, ((0, 1), (2, 3)))
    return replace(calm(seed, members=4), faults=(cut,))


def two_equivocators(seed: int) -> Scenario:
    bad = ((1, Behaviour.EQUIVOCATING), (4, Behaviour.EQUIVOCATING))
    return replace(calm(seed, members=7), behaviours=bad)


def two_faced(seed: int, twins: tuple[int, ...]) -> Scenario:
    """Cuts four members in halves from the start: twins that ever met would sit out."""
    doubles = tuple(range(4, 4 + len(twins)))
    left = (0, *(node for node in (2, 3) if node not in twins), *twins)
    cut = Partition(START_NS, END_NS, (left, (1, *doubles)))
    return replace(calm(seed, members=4), twins=twins, faults=(cut,))


def test_sending_before_syncing_is_caught() -> None:
    broken = [play(slow_disks(seed), sends_early=True) for seed in range(1, 9)]
    caught = [one for one in broken if one.verdict is Verdict.SAFETY]
    assert len(caught) >= 2
    names = {violation.invariant for one in caught for violation in one.violations}
    assert names & {"own_slot", "honest_never_slashed"}


def test_syncing_before_sending_survives_the_same_crashes() -> None:
    verdicts = [play(slow_disks(seed)).verdict for seed in range(1, 9)]
    assert verdicts == [Verdict.PASS] * 8


def test_a_quorum_of_half_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(total: Weight, *, churn_profile: bool) -> Weight:
        return Weight(total // 2)

    assert play(halves(1)).verdict is Verdict.PASS
    monkeypatch.setattr(committee, "quorum_of", half)
    outcome = play(halves(1))
    assert outcome.verdict is Verdict.SAFETY
    assert "agreement" in {violation.invariant for violation in outcome.violations}


def test_half_the_stake_showing_two_faces_breaks_agreement() -> None:
    outcomes = [play(two_faced(seed, (2, 3))) for seed in range(1, 5)]
    broken = [one for one in outcomes if one.verdict is Verdict.SAFETY]
    assert broken
    assert "agreement" in {found.invariant for one in broken for found in one.violations}


def test_a_quarter_of_the_stake_showing_two_faces_breaks_nothing() -> None:
    outcomes = [play(two_faced(seed, (3,))) for seed in range(1, 5)]
    assert [one.verdict for one in outcomes] == [Verdict.PASS] * 4, outcomes[0].violations


def test_a_proof_for_every_round_instead_of_every_member_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proofs: list[EquivocationEvidence] = []

    def counted(first: VerifiedBlock, second: VerifiedBlock) -> EquivocationEvidence:
        proofs.append(make_evidence(first, second))
        return proofs[-1]

    def forgetful(validator: Validator, member: MemberIndex) -> bool:
        return True

    monkeypatch.setattr(core, "make_evidence", counted)
    assert play(two_equivocators(1)).verdict is Verdict.PASS
    once = len(proofs)
    assert 0 < once <= 7 * 2, "each member proves each offender's guilt once"
    monkeypatch.setattr(Validator, "exile", forgetful)
    play(two_equivocators(1))
    assert len(proofs) - once > once
