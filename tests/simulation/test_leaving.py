"""Members that contradict themselves and leave before anybody tells (RELIABILITY E2).

Real cores, with epochs so short that the time of unbonding is over long before the contradiction's
epoch can no longer be judged.
"""

import pytest
from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.errors import Reason
from protocol.facts import (
    CommitteeTooLight,
    EpochClosed,
    OperationApplied,
    OperationFailed,
    Slashed,
)
from protocol.messages import StakeWithdrawal
from protocol.parameters import minimal
from protocol.simulator.adversary import twin_of
from protocol.simulator.scheme import FAKE
from tests.support.core_group import STAKE, CoreGroup, account, fake_genesis, identity

TERMS = replace(minimal(), unbonding_ms=1_000, epoch_rounds=60, epoch_rounds_min=30)
LEAVER = 4
SHARE = 3 * 10_000 // 5
"""What one contradicting member of five loses, in basis points."""


def group_with_a_leaver() -> tuple[CoreGroup, bytes]:
    """Five members, one of which has withdrawn all; and another block of it that nobody saw."""
    group = CoreGroup(5, genesis=fake_genesis(5, parameters=TERMS)).start().seconds(2)
    block = group.effects(fx.GossipBlock, LEAVER)[-1]
    group.tell(LEAVER, ev.OperationRequested(1, StakeWithdrawal(STAKE)))
    group.seconds(2)
    assert [one.account for one in group.facts(OperationApplied, 0)] == [account(LEAVER)]
    assert group.cores[0].state.accounts.of(account(LEAVER)).staked == 0
    return group, twin_of(block.raw, identity(LEAVER).seed, FAKE)


def epochs_ended(group: CoreGroup) -> int:
    return len(group.facts(EpochClosed, 0))


def tell(group: CoreGroup, twin: bytes) -> list[Slashed]:
    """Shows the other block to everybody else; returns who loses what."""
    since = group.now
    for node in range(LEAVER):
        group.tell(node, ev.BlockReceived(account(LEAVER), twin))
    group.seconds(3)
    return group.facts(Slashed, 0, since=since)


@pytest.mark.slow
def test_a_member_that_left_in_the_epoch_of_its_contradiction_loses_its_share_of_all() -> None:
    group, twin = group_with_a_leaver()
    group.seconds(4)
    assert epochs_ended(group) == 0
    held = group.cores[0].state.accounts.of(account(LEAVER))
    assert held.unbonding[0].release_ms < group.cores[0].state.ledger_time_ms, "its time is over"
    (slash,) = tell(group, twin)
    assert (slash.account, slash.amount) == (account(LEAVER), STAKE * SHARE // 10_000)
    assert len({core.state.digest for core in group.cores.values()}) == 1


@pytest.mark.slow
def test_whoever_leaves_has_no_seat_in_the_next_epoch_and_its_stake_in_the_one_after() -> None:
    group, _ = group_with_a_leaver()
    state = group.cores[0].state
    while epochs_ended(group) < 2:
        assert state.accounts.of(account(LEAVER)).slashable == STAKE
        group.seconds(1)
    closed = group.facts(EpochClosed, 0)
    assert [one.left for one in closed] == [(account(LEAVER),), ()]
    assert len(state.committee) == 4
    group.seconds(2)
    assert state.accounts.of(account(LEAVER)).slashable == 0
    index = state.index
    group.seconds(3)
    assert state.index > index, "the others go on"


@pytest.mark.slow
def test_when_all_members_leave_in_one_epoch_the_last_ones_stay_and_the_ledger_goes_on() -> None:
    group = CoreGroup(5, genesis=fake_genesis(5, parameters=TERMS)).start().seconds(2)
    for node in range(5):
        group.tell(node, ev.OperationRequested(1, StakeWithdrawal(STAKE)))
    group.seconds(2)
    refused = group.facts(OperationFailed, 0)
    assert [one.reason for one in refused] == [Reason.SEAT_NEEDED] * 2
    while epochs_ended(group) < 2:
        group.seconds(1)
    state = group.cores[0].state
    stayed = {member.account for member in state.committee.members}
    assert stayed == {one.account for one in refused}
    assert group.facts(CommitteeTooLight) == group.facts(fx.Halted) == []
    index = state.index
    group.seconds(3)
    assert state.index > index
    assert len({core.state.digest for core in group.cores.values()}) == 1
