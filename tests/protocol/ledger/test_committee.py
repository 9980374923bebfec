"""Members, weights, quorums and leaders."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Misuse
from protocol.ledger.committee import LEADERS_CACHED, Committee, quorum_of
from protocol.messages import Genesis, Validator, network_of
from protocol.parameters import minimal
from protocol.units import CREDIT, AccountId, Credits, Epoch, MemberIndex, Round, Weight
from tests.support.dag_builder import BEACON, NETWORK, make_committee


def test_members_stand_in_the_order_of_their_accounts():
    committee = make_committee((3, 2, 1))
    backwards = Committee(
        NETWORK, Epoch(0), reversed(committee.members), BEACON, churn_profile=False
    )
    assert backwards.members == committee.members
    assert [committee.index_of(member.account) for member in committee.members] == [0, 1, 2]
    assert committee.index_of(AccountId(b"\xff" * 32)) is None


@given(st.integers(1, 10**12))
def test_a_quorum_leaves_out_less_than_a_third_and_two_overlap_in_more(total):
    quorum = quorum_of(Weight(total), churn_profile=False)
    faulty = total - quorum
    assert 3 * faulty < total <= 3 * faulty + 3
    assert 2 * quorum - total > faulty


@given(st.integers(1, 10**12))
def test_a_churn_quorum_overlaps_in_more_than_a_fifth(total):
    quorum = quorum_of(Weight(total), churn_profile=True)
    assert 5 * quorum > 3 * total
    assert 5 * (2 * quorum - total) > total


@pytest.mark.parametrize(("total", "quorum"), [(1, 1), (3, 3), (4, 3), (7, 5), (10, 7), (16, 11)])
def test_quorums_of_small_committees(total, quorum):
    assert make_committee((1,) * total).quorum == quorum


def test_leaders_are_drawn_by_weight():
    committee = make_committee((1, 2, 7))
    counts = Counter(committee.leader(Round(number)) for number in range(1, 3_001))
    assert counts[MemberIndex(0)] == pytest.approx(300, abs=75)
    assert counts[MemberIndex(1)] == pytest.approx(600, abs=100)
    assert counts[MemberIndex(2)] == pytest.approx(2_100, abs=125)


def test_the_leader_cache_is_bounded_and_forgets_without_harm():
    committee = make_committee()
    first = committee.leader(Round(1))
    for number in range(2, LEADERS_CACHED + 10):
        committee.leader(Round(number))
    assert len(committee._leaders) <= LEADERS_CACHED
    assert committee.leader(Round(1)) == first


def test_weights_count_each_member_once():
    committee = make_committee((1, 2, 4))
    assert committee.weight_of(0b101) == 5
    assert committee.weight_of([MemberIndex(1), MemberIndex(1), MemberIndex(2)]) == 6
    assert committee.weight(MemberIndex(2)) == 4


def test_genesis_blocks_differ_by_member():
    committee = make_committee()
    assert len({committee.genesis_digest(MemberIndex(index)) for index in range(4)}) == 4


@pytest.mark.parametrize("weights", [(), (1,) * 65, (1, 0)])
def test_an_impossible_committee_is_a_misuse(weights):
    with pytest.raises(Misuse):
        make_committee(weights)


def test_an_account_is_a_member_once():
    member = make_committee().members[0]
    with pytest.raises(Misuse, match="once"):
        Committee(NETWORK, Epoch(0), [member, member], BEACON, churn_profile=False)


def test_the_first_committee_comes_from_genesis_in_whole_credits():
    stakes = [3 * CREDIT + 5, 1]
    genesis = Genesis(
        name="test",
        time_ms=0,
        seed=b"\x09" * 32,
        parameters=minimal(),
        validators=tuple(
            Validator(
                AccountId(bytes([9 - i]) * 32), AccountId(bytes([i + 1]) * 32), Credits(stake)
            )
            for i, stake in enumerate(stakes)
        ),
        allocations=(),
        faucet=None,
    )
    committee = Committee.of_genesis(genesis)
    assert committee.weights == (1, 3)
    assert committee.network == network_of(genesis)
    assert committee.beacon_at_start == genesis.seed
    assert committee.epoch == 0
