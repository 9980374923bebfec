"""Members whose program speaks a newer version of the messages, beside older ones."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import msgpack
import pytest

import protocol.ledger.block
import protocol.ledger.proposing
import protocol.messages
import protocol.roles.account
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode_version
from protocol.errors import Reason, Rejected
from protocol.facts import Slashed
from protocol.messages import OPERATION_BYTES_MAX, Block, Operation, Transfer
from protocol.units import CREDIT
from tests.support.core_group import FUNDS, CoreGroup, account

NEWER = 2
SPEAKERS = (
    protocol.messages,
    protocol.ledger.block,
    protocol.ledger.proposing,
    protocol.roles.account,
)
"""Every module of the protocol that writes or judges the version of a message."""


@contextmanager
def newer_program() -> Iterator[None]:
    with (
        patch.object(SPEAKERS[0], "VERSION", NEWER),
        patch.object(SPEAKERS[1], "VERSION", NEWER),
        patch.object(SPEAKERS[2], "VERSION", NEWER),
        patch.object(SPEAKERS[3], "VERSION", NEWER),
    ):
        yield


def mixed(*newer: int) -> CoreGroup:
    """Four members, some of which run the newer program."""
    group = CoreGroup()
    step = group.tell

    def tell(node: int, event: ev.Event) -> tuple[fx.Effect, ...]:
        with newer_program() if node in newer else nullcontext():
            return step(node, event)

    group.tell = tell
    return group.start()


def refusals(group: CoreGroup, *nodes: int) -> set[tuple[bytes, Reason, str]]:
    facts = group.facts(fx.PeerRefused, *nodes)
    return {(one.peer, one.reason, one.detail) for one in facts}


def test_a_newer_member_is_refused_in_words_and_the_others_go_on() -> None:
    """RELIABILITY C9."""
    group = mixed(3).seconds(4)
    recipient = account(0)
    group.tell(3, ev.OperationRequested(1, Transfer(recipient, CREDIT)))
    group.tell(1, ev.OperationRequested(2, Transfer(recipient, 2 * CREDIT)))
    group.seconds(6)
    assert refusals(group, 0, 1, 2) == {
        (account(3), Reason.WRONG_VERSION, "it has version 2, and this node speaks version 1")
    }
    assert {reason for _, reason, _ in refusals(group, 3)} == {Reason.WRONG_VERSION}
    states = [group.cores[node].state for node in range(3)]
    assert min(state.index for state in states) > 5
    agreed = {group.effects(fx.PersistCommit, node)[5] for node in range(3)}
    assert len(agreed) == 1
    assert states[0].accounts.of(recipient).available == FUNDS + 2 * CREDIT
    assert group.effects(fx.PersistCommit, 3) == [], "alone it finalises nothing"
    assert group.facts(fx.EquivocationSeen) == group.facts(Slashed) == []
    assert not any(core.halted for core in group.cores.values())


def test_halves_of_two_versions_finalise_nothing_and_harm_nobody() -> None:
    group = mixed(2, 3).seconds(10)
    assert {reason for _, reason, _ in refusals(group)} == {Reason.WRONG_VERSION}
    assert group.effects(fx.PersistSlot) != [], "they were at work"
    assert group.effects(fx.PersistCommit) == []
    assert group.facts(fx.EquivocationSeen) == []


def test_a_member_that_is_upgraded_last_follows_and_signs_no_round_twice() -> None:
    """All others were upgraded before, so that it was alone with its version and its blocks."""
    group = mixed(0, 1, 2).seconds(5)
    assert group.effects(fx.PersistSlot, 3) != []
    group.stop(3)
    step = group.tell

    def upgraded(node: int, event: ev.Event) -> tuple[fx.Effect, ...]:
        with newer_program() if node == 3 else nullcontext():
            return step(node, event)

    group.tell = upgraded
    group.start(3).seconds(8)
    assert group.signed_twice(3) == []
    assert group.cores[3].state.index > group.cores[0].state.index - 3
    assert group.facts(fx.EquivocationSeen) == group.facts(Slashed) == []


@pytest.mark.parametrize("kind", [Operation, Block])
def test_fields_that_only_a_newer_version_has_are_refused_for_the_version(
    kind: type[Operation] | type[Block],
) -> None:
    """By its number, whatever else it holds, and before anything in it is trusted."""
    newer = msgpack.packb([NEWER, b"a field", [b"another"], 7])
    with pytest.raises(Rejected) as refusal:
        decode_version(newer, kind, OPERATION_BYTES_MAX, 1)
    assert refusal.value.reason is Reason.WRONG_VERSION
    unversioned = msgpack.packb([b"a field", 7])
    with pytest.raises(Rejected) as refusal:
        decode_version(unversioned, kind, OPERATION_BYTES_MAX, 1)
    assert refusal.value.reason is Reason.MALFORMED
