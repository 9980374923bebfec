"""Protocols broken on purpose: a simulation that does not notice them proves nothing."""

from dataclasses import replace

import pytest

from protocol.ledger import committee
from protocol.roles.validator import Validator
from protocol.simulator.catalogue import BEGIN_NS, END_NS, calm, crashes
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scenario import START_NS, Behaviour, Partition, Scenario
from protocol.units import MILLISECOND, MemberIndex, Weight

pytestmark = pytest.mark.slow

SLOW_SYNC_NS = 30 * MILLISECOND
NESTING_BYTES = 8_000
"""Mean size of a message that only evidence within evidence can exceed in this network."""


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


def mean_bytes(outcome: Outcome) -> int:
    return outcome.traffic.size_bytes // outcome.traffic.messages


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


def test_proof_upon_proof_against_one_member_would_drown_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forgetful(validator: Validator, member: MemberIndex) -> bool:
        return True

    sound = play(two_equivocators(1))
    assert sound.verdict is Verdict.PASS
    assert mean_bytes(sound) < NESTING_BYTES
    monkeypatch.setattr(Validator, "exile", forgetful)
    assert mean_bytes(play(two_equivocators(1))) > 2 * mean_bytes(sound)
