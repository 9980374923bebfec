"""Members whose memory or whose key is not theirs alone, and members that stand still together."""

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.roles.validator import TWIN_MARGIN
from protocol.units import MILLISECOND, SECOND, MemberIndex
from tests.simulation.old_copies import play
from tests.support.core_group import DELAY_NS, CoreGroup

SEEDS = 20
"""`make soak` plays a thousand."""


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_member_restored_from_an_old_copy_signs_no_round_twice_and_is_not_slashed(
    seed: int,
) -> None:
    """RELIABILITY C6."""
    found = play(seed)
    assert found.forgotten > 0, "the copy was not old"
    assert found.is_well, found


def test_without_sitting_out_an_old_copy_would_sign_twice() -> None:
    group = CoreGroup().start().seconds(8)
    copy = group.disks[0].copy()
    group.seconds(8).stop(0)
    group.disks[0] = copy
    group.seconds(2).start(0)
    validator = group.cores[0].validator
    assert validator is not None
    validator._heard = {MemberIndex(member) for member in range(4)}  # as if it did not listen first
    group.tell(0, ev.Tick())
    assert group.signed_twice(0) != []


def test_a_twin_that_starts_later_is_told_before_it_signs_anything() -> None:
    group = CoreGroup(numbers=(0, 1, 2, 3, 0)).start(0, 1, 2, 3).seconds(6)
    group.disks[4] = group.disks[0].copy()
    group.run(333 * MILLISECOND)  # in lockstep, twins sign the very same blocks, which harms nobody
    begun = group.now
    group.start(4)
    while not group.facts(fx.KeySeenElsewhere, 4):
        group.run(DELAY_NS)
        assert group.now < begun + SECOND + TWIN_MARGIN
    assert group.facts(fx.BlockProposed, 4) == []
    assert group.facts(fx.KeySeenElsewhere, 0) == []


def test_a_member_that_forgot_blocks_takes_them_for_nobody_elses() -> None:
    group = CoreGroup().start().seconds(6)
    copy = group.disks[0].copy()
    group.seconds(4).stop(0)
    group.disks[0] = copy
    group.start(0).seconds(6)
    assert group.facts(fx.SittingOut, 0) != []
    assert group.facts(fx.KeySeenElsewhere) == []


def test_a_twin_makes_both_sit_out_as_soon_as_they_see_each_other() -> None:
    group = CoreGroup(numbers=(0, 1, 2, 3, 0)).start(0, 1, 2, 3).seconds(6)
    group.disks[4] = group.disks[0].copy()
    group.cut(0)
    group.run(2_222 * MILLISECOND)
    group.start(4).seconds(6)
    assert group.facts(fx.BlockProposed, 4) != [], "the twin was at work"
    group.heal()
    while not group.facts(fx.SittingOut, 0):
        group.run(DELAY_NS)
        assert group.now < 20 * SECOND
    signed = group.facts(fx.BlockProposed, 0)
    group.seconds(5)
    assert group.facts(fx.BlockProposed, 0) == signed
    assert group.facts(fx.KeySeenElsewhere, 0) != []
    assert group.facts(fx.KeySeenElsewhere, 4) != []


def test_a_foreign_block_for_a_round_already_signed_makes_a_member_sit_out() -> None:
    group = CoreGroup(numbers=(0, 1, 2, 3, 0)).start(0, 1, 2)
    group.run(2 * MILLISECOND).start(3, 4).seconds(5)
    assert group.signed_twice(0, 4) == [1]
    assert group.facts(fx.SittingOut, 0) == [fx.SittingOut(1, 1)]
    assert group.facts(fx.SittingOut, 4) == [fx.SittingOut(1, 1)]
    assert {one.author for one in group.facts(fx.EquivocationSeen)} == {group.account(0)}


def test_a_member_waits_for_own_blocks_that_its_neighbours_know_of() -> None:
    group = CoreGroup().start().seconds(6)
    group.stop(0)
    group.disks[0] = type(group.disks[0])()
    group.seconds(2)
    group.blocked |= {(n, 0) for n in (1, 2, 3)}
    since = group.now
    group.start(0)
    tips = group.cores[1].ledger.dag.tips()
    assert tips[group.cores[1].ledger.committee.index_of(group.account(0)) or 0] > 0
    group.seconds(5)
    assert group.facts(fx.BlockProposed, 0, since=since) == []
    group.heal()
    group.seconds(5)
    assert group.facts(fx.BlockProposed, 0, since=since) == []
    assert len(group.facts(fx.SittingOut, 0, since=since)) == 1
    assert group.signed_twice(0) == []


def test_sparsely_linked_members_that_were_all_stopped_go_on_together() -> None:
    members = 10
    group = CoreGroup(
        members=members,
        links=lambda one, other: min((one - other) % members, (other - one) % members) <= 2,
    )
    group.start().seconds(8)
    before = group.cores[0].state.index
    group.stop(*range(members))
    group.seconds(5).start().seconds(15)
    assert min(core.state.index for core in group.cores.values()) > before + 3
    assert group.facts(fx.SittingOut) == []
    assert [node for node in range(members) if group.signed_twice(node)] == []
