from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.encoding import encode
from protocol.errors import Reason
from protocol.facts import OperationApplied, OperationFailed
from protocol.messages import Operation, Transfer
from protocol.roles.outbox import INTERVAL_MS
from protocol.simulator.adversary import twin_of
from protocol.simulator.scheme import FAKE
from protocol.units import CREDIT, MILLISECOND, SECOND
from protocol.wire import BlockRequest, OperationBatch, open_message
from tests.support.core_group import (
    DELAY_NS,
    CoreGroup,
    account,
    blocks_with,
    fake_genesis,
    identity,
)
from tests.support.operations import fake_operation

GENESIS = fake_genesis(others=(7, 8))
PAY = Transfer(account(1), CREDIT)
Kind = TypeVar("Kind")


def running(seconds: int = 6) -> CoreGroup:
    return CoreGroup(genesis=GENESIS).start().seconds(seconds)


def watched(numbers: tuple[int, ...] = (0, 1, 2, 3, 7), seconds: int = 6) -> CoreGroup:
    """A running network with a node outside the committee, the last one."""
    return CoreGroup(genesis=GENESIS, numbers=numbers).start().seconds(seconds)


def of_kind(effects: tuple[fx.Effect, ...], kind: type[Kind]) -> list[Kind]:
    return [effect for effect in effects if isinstance(effect, kind)]


def facts_of(effects: tuple[fx.Effect, ...], kind: type[Kind]) -> list[Kind]:
    return [report.fact for report in of_kind(effects, fx.Report) if isinstance(report.fact, kind)]


# Own operations


def test_a_request_is_kept_before_it_is_sent_and_answered() -> None:
    group = watched()
    effects = group.tell(4, ev.OperationRequested(5, PAY))
    (kept,) = of_kind(effects, fx.PersistOperation)
    (gossip,) = of_kind(effects, fx.GossipOperations)
    assert open_message(gossip.raw) == OperationBatch((kept.raw,))
    assert facts_of(effects, fx.OperationSeen) == [fx.OperationSeen(5, kept.identifier)]
    assert effects.index(kept) < effects.index(gossip)
    group.seconds(3)
    assert len(group.facts(OperationApplied)) == 5, "at every node"


def test_a_request_that_would_fail_is_refused_unsigned() -> None:
    group = watched()
    effects = group.tell(4, ev.OperationRequested(5, Transfer(account(1), 2_000 * CREDIT)))
    (refused,) = facts_of(effects, fx.OperationRefused)
    assert (refused.ticket, refused.reason) == (5, Reason.INSUFFICIENT_FUNDS)
    assert of_kind(effects, fx.PersistOperation) == []


def test_a_members_operation_travels_in_its_next_block_alone() -> None:
    group = running()
    validator = group.cores[0].validator
    assert validator is not None
    while validator.due(lambda: True, group.now) is None:
        group.run(DELAY_NS)
    since = group.now
    group.tell(0, ev.OperationRequested(1, PAY))
    group.seconds(3)
    assert group.effects(fx.GossipOperations, since=since) == []
    (kept,) = group.effects(fx.PersistOperation)
    assert blocks_with(group, kept.raw) == 1
    assert group.facts(OperationApplied) == [OperationApplied(kept.identifier, account(0))] * 4


def test_an_operation_wakes_a_network_that_waits_for_others() -> None:
    group = running()
    validator = group.cores[0].validator
    assert validator is not None
    while validator.due(lambda: True, group.now) is not None:
        group.run(5 * MILLISECOND)
    start = group.now
    group.tell(0, ev.OperationRequested(1, PAY))
    assert len(group.effects(fx.GossipOperations, since=start)) == 1
    while not group.facts(OperationApplied, 0):
        group.run(10 * MILLISECOND)
        assert group.now < start + 2 * SECOND, "at the idle pace it takes four seconds and more"


def test_an_operation_for_another_account_is_passed_on() -> None:
    group = watched()
    one = fake_operation(GENESIS, 8, 0, PAY)
    effects = group.tell(4, ev.OperationSubmitted(3, one.raw))
    assert facts_of(effects, fx.OperationSeen) == [fx.OperationSeen(3, one.identifier)]
    group.seconds(3)
    assert group.cores[0].state.next_nonce(account(8)) == 1


@pytest.mark.parametrize(
    ("number", "nonce", "reason"),
    [(9, 0, Reason.UNKNOWN_ACCOUNT), (8, 300, Reason.POOL_FULL)],
)
def test_an_operation_that_cannot_be_pooled_is_refused(
    number: int, nonce: int, reason: Reason
) -> None:
    group = watched()
    effects = group.tell(4, ev.OperationSubmitted(3, fake_operation(GENESIS, number, nonce).raw))
    assert [one.reason for one in facts_of(effects, fx.OperationRefused)] == [reason]


# Time


def test_an_idle_network_rests_between_rounds_and_a_busy_one_does_not() -> None:
    group = watched()
    rounds = [group.cores[0].ledger.clock_round]
    group.seconds(10)
    rounds.append(group.cores[0].ledger.clock_round)
    for _ in range(100):
        group.tell(4, ev.OperationRequested(1, PAY))
        group.run(100 * MILLISECOND)
    rounds.append(group.cores[0].ledger.clock_round)
    idle, busy = rounds[1] - rounds[0], rounds[2] - rounds[1]
    assert 9 <= idle <= 11
    assert busy > 6 * idle


def test_an_idle_network_takes_few_steps() -> None:
    group = watched(seconds=10)
    before = dict(group.steps)
    group.seconds(120)
    a_second = [(group.steps[node] - before[node]) / 120 for node in group.steps]
    assert max(a_second) < 12, "four blocks, their sending, and summaries"


@settings(max_examples=15)
@given(
    st.lists(
        st.sampled_from(["pay", "stop", "start", "cut", "heal", "fail", "repair", "pass"]),
        max_size=12,
    )
)
def test_whatever_happens_no_node_spins(happenings: list[str]) -> None:
    group = watched(seconds=2)
    for happening in happenings:
        up = 1 in group.cores
        match happening:
            case "pay":
                group.tell(4, ev.OperationRequested(1, PAY))
            case "stop" if up:
                group.stop(1)
            case "start" if not up:
                group.start(1)
            case "cut":
                group.cut(2)
            case "heal":
                group.heal()
            case "fail":
                group.tell(0, ev.StoreFailed())
            case "repair":
                group.tell(0, ev.StoreRecovered())
            case _:
                pass
        group.run(700 * MILLISECOND)
    before = sum(group.steps.values())
    group.seconds(10)
    assert sum(group.steps.values()) - before < 5 * 10 * 60
    wakes = [one for one in group.done if isinstance(one.effect, fx.WakeAt)]
    assert all(one.effect.time >= one.time for one in wakes if isinstance(one.effect, fx.WakeAt))


def test_a_node_without_neighbours_asks_to_be_woken_seldom() -> None:
    core = Core(GENESIS, identity(0), FAKE)
    effects = core.step(ev.Restored(0, (), ()), 0)
    assert effects == (fx.WakeAt(10 * SECOND),)


# The store


def test_while_the_store_fails_no_block_is_signed_and_afterwards_again() -> None:
    group = running()
    group.tell(0, ev.StoreFailed())
    since = group.now
    group.seconds(5)
    assert group.effects(fx.PersistSlot, 0, since=since) == []
    assert group.effects(fx.PersistSlot, 1, since=since) != []
    assert group.effects(fx.PersistCommit, 0, since=since) != [], "it follows all the same"
    since = group.now
    group.tell(0, ev.StoreRecovered())
    group.seconds(3)
    assert group.effects(fx.PersistSlot, 0, since=since) != []


def test_a_block_is_kept_before_it_is_sent() -> None:
    group = running()
    for node in group.disks:
        slots = {effect.digest for effect in group.effects(fx.PersistSlot, node)}
        kinds = [
            type(one.effect)
            for one in group.done
            if one.node == node and isinstance(one.effect, (fx.PersistSlot, fx.GossipBlock))
        ]
        assert kinds == [fx.PersistSlot, fx.GossipBlock] * len(slots)


@pytest.mark.parametrize("seconds", [3, 12, 70])
def test_a_restored_node_has_the_state_that_it_had(seconds: int) -> None:
    group = watched(seconds=2)
    for number in range(5):
        group.tell(4, ev.OperationRequested(number, PAY))
    group.seconds(seconds)
    core = Core(GENESIS, identity(2), FAKE)
    for event in group.disks[2].restore():
        core.step(event, group.now)
    old = group.cores[2]
    assert core.state.index == old.state.index
    assert core.state.digest == old.state.digest
    assert core.ledger.last_commit == old.ledger.last_commit
    assert core.ledger.dag.tips() == old.ledger.dag.tips()


def test_a_node_says_nothing_while_it_is_restored() -> None:
    group = running()
    core = Core(GENESIS, identity(1), FAKE)
    *blocks, end = group.disks[1].restore()
    assert [core.step(event, group.now) for event in blocks] == [()] * len(blocks)
    assert {type(effect) for effect in core.step(end, group.now)} == {fx.WakeAt}


def test_a_node_that_has_nothing_catches_up() -> None:
    group = watched(seconds=40)
    assert group.cores[0].ledger.gc_round > 0
    group.stop(4)
    group.disks[4] = type(group.disks[4])()
    group.start(4).seconds(3)
    assert group.cores[4].state.index >= group.cores[0].state.index - 1
    indices = {core.state.index for core in group.cores.values()}
    group.seconds(3)
    assert len(indices) <= 2
    assert group.cores[4].state.index > max(indices)


def test_in_normal_flow_nobody_asks_for_closures() -> None:
    group = running(30)
    requests = [
        open_message(effect.raw)
        for effect in group.effects(fx.Send)
        if isinstance(open_message(effect.raw), BlockRequest)
    ]
    assert requests == []


# Wrong-doers


def test_what_breaks_a_rule_is_refused_and_named() -> None:
    group = running()
    for event in (
        ev.BlockReceived(account(1), b"no block"),
        ev.MessageReceived(account(1), b"no message"),
        ev.MessageReceived(account(1), encode(OperationBatch((b"no operation",)))),
    ):
        refused = facts_of(group.tell(0, event), fx.PeerRefused)
        assert [(one.peer, one.reason) for one in refused] == [(account(1), Reason.MALFORMED)]


def test_one_bad_operation_does_not_keep_the_others_out() -> None:
    group = running()
    one = fake_operation(GENESIS, 7)
    batch = OperationBatch((b"no operation", fake_operation(GENESIS, 9).raw, one.raw))
    effects = group.tell(0, ev.MessageReceived(account(1), encode(batch)))
    reasons = [one.reason for one in facts_of(effects, fx.PeerRefused)]
    assert reasons == [Reason.MALFORMED, Reason.UNKNOWN_ACCOUNT]
    assert one.identifier in group.cores[0].pool


def test_stale_operations_are_no_offence() -> None:
    group = watched()
    one = fake_operation(GENESIS, 8, 0, PAY)
    group.tell(4, ev.OperationSubmitted(0, one.raw))
    group.seconds(4)
    effects = group.tell(0, ev.MessageReceived(account(1), encode(OperationBatch((one.raw,)))))
    assert facts_of(effects, fx.PeerRefused) == []
    assert len(group.cores[0].pool) == 0


def test_an_equivocation_is_reported_once_and_brings_one_slash() -> None:
    group = running()
    member = group.effects(fx.GossipBlock, 3)[-1]
    twin = twin_of(member.raw, identity(3).seed, FAKE)
    since = group.now
    for node in (0, 1, 2):
        group.tell(node, ev.BlockReceived(account(3), twin))
        group.tell(node, ev.BlockReceived(account(3), twin))
    seen = group.facts(fx.EquivocationSeen, 0, since=since)
    assert [one.author for one in seen] == [account(3)]
    assert len(group.effects(fx.PersistOperation, 0, since=since)) == 1
    group.seconds(5)
    assert len({core.state.digest for core in group.cores.values()}) == 1
    staked = group.cores[0].state.accounts.of(account(3)).staked
    assert staked < 5_000 * CREDIT
    applied = group.facts(OperationApplied, 0, since=since)
    failed = group.facts(OperationFailed, 0, since=since)
    assert len(applied) == 1
    assert {one.reason for one in failed} <= {Reason.ALREADY_PUNISHED}


def test_members_that_computed_another_state_halt_the_ledger() -> None:
    group = running(3)
    group.derail(1, 2, 3)
    group.seconds(25)
    (halted,) = group.facts(fx.Halted, 0)
    assert halted.explanation == group.cores[0].halted
    assert "another state" in halted.explanation
    since = group.now
    group.seconds(5)
    assert group.effects(fx.PersistSlot, 0, since=since) == []


def test_one_member_with_another_state_halts_itself_alone() -> None:
    group = running(3)
    group.derail(3)
    group.seconds(25)
    assert [bool(core.halted) for core in group.cores.values()] == [False, False, False, True]
    since = group.now
    group.seconds(5)
    assert group.effects(fx.PersistCommit, 0, since=since) != []


def test_a_node_that_halted_says_so_again_after_a_restart() -> None:
    group = running(3)
    group.derail(1, 2, 3)
    group.seconds(25)
    assert group.facts(fx.Halted, 0) != []
    core = Core(GENESIS, identity(0), FAKE)
    effects: tuple[fx.Effect, ...] = ()
    for event in group.disks[0].restore():
        effects += core.step(event, group.now)
    assert facts_of(effects, fx.Halted) == [fx.Halted(core.halted)]
    assert core.halted


def test_a_batch_goes_out_at_most_four_times_a_second() -> None:
    group = watched()
    since = group.now
    for _ in range(40):
        group.tell(4, ev.OperationRequested(1, PAY))
        group.run(25 * MILLISECOND)
    times = [
        one.time
        for one in group.done
        if one.node == 4 and one.time >= since and isinstance(one.effect, fx.GossipOperations)
    ]
    assert len(times) in (4, 5)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= INTERVAL_MS * MILLISECOND


def test_what_an_operation_says_is_what_was_asked() -> None:
    group = watched()
    effects = group.tell(4, ev.OperationRequested(1, PAY))
    (kept,) = of_kind(effects, fx.PersistOperation)
    operation = group.cores[4].admission.operation(kept.raw).operation
    assert operation == Operation(1, group.cores[4].network, account(7), 0, 144, PAY)
