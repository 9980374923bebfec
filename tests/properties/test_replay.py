"""RELIABILITY B10: what was signed for one network, epoch or position counts nowhere else."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.encoding import decode, encode
from protocol.errors import Reason
from protocol.messages import Block, SignedBlock, Transfer
from protocol.parameters import minimal
from protocol.simulator.scheme import FAKE
from protocol.units import CREDIT, Epoch
from protocol.wire import OperationBatch
from tests.support.core_group import CoreGroup, account, fake_genesis, identity

BYTES_MAX = 2**20
PAYMENTS = 8
SHORT = replace(minimal(), epoch_rounds=24, epoch_rounds_min=8)


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything that the members of a network have signed."""

    group: CoreGroup
    blocks: list[bytes]
    operations: list[bytes]


@pytest.fixture(scope="module")
def heard() -> Heard:
    """A network of short epochs that has seen some of them."""
    group = CoreGroup(genesis=fake_genesis(parameters=SHORT)).start().seconds(1)
    for number in range(PAYMENTS):
        payment = Transfer(account((number + 1) % 4), CREDIT)
        group.tell(number % 4, ev.OperationRequested(number, payment))
        group.seconds(4)
    operations = [one.raw for one in group.effects(fx.PersistOperation)]
    blocks = [one.raw for one in group.effects(fx.GossipBlock)]
    assert group.cores[0].ledger.committee.epoch >= 2
    assert len(operations) >= PAYMENTS
    return Heard(group, blocks, operations)


def replayed(core: Core, now: int, blocks: list[bytes], operations: list[bytes]) -> list[Reason]:
    """Tells a core everything again, and returns why it refused what."""
    batches = [encode(OperationBatch((raw,))) for raw in operations]
    events: list[ev.Event] = [ev.BlockReceived(account(1), raw) for raw in blocks]
    events += [ev.MessageReceived(account(1), raw) for raw in batches]
    reports = [
        effect.fact
        for event in events
        for effect in core.step(event, now)
        if isinstance(effect, fx.Report)
    ]
    return [fact.reason for fact in reports if isinstance(fact, fx.PeerRefused)]


def restarted(heard: Heard) -> Core:
    """A core of the network with all that its node has stored."""
    core = Core(heard.group.terms, identity(0), FAKE, validates=False)
    for event in heard.group.disks[0].restore():
        core.step(event, heard.group.now)
    return core


def test_nothing_of_another_network_is_accepted(heard: Heard) -> None:
    other = replace(heard.group.terms, name="another")
    core = Core(other, identity(0), FAKE, validates=False)
    core.step(ev.Restored(0, (), (), Epoch(0)), 0)
    digest = core.state.digest
    reasons = replayed(core, heard.group.now, heard.blocks, heard.operations)
    assert reasons == [Reason.WRONG_NETWORK] * len(heard.blocks + heard.operations)
    assert core.state.digest == digest
    assert not core.pool.operations(account(0))


def test_what_is_final_has_no_second_effect(heard: Heard) -> None:
    core = restarted(heard)
    before = (core.state.index, core.state.digest, core.ledger.dag.tips())
    assert all(core.state.next_nonce(account(number)) for number in range(4)), "all have paid"
    assert replayed(core, heard.group.now, heard.blocks, heard.operations) == [], "it is no fault"
    assert not any(core.pool.operations(account(number)) for number in range(4))
    assert (core.state.index, core.state.digest, core.ledger.dag.tips()) == before


def test_a_block_of_an_ended_epoch_does_not_pass_for_one_of_the_running_epoch(heard: Heard) -> None:
    core = restarted(heard)
    before = core.ledger.dag.tips()
    relabelled = [as_of(raw, core.ledger.committee.epoch) for raw in heard.blocks]
    old = [one for one, raw in zip(relabelled, heard.blocks, strict=True) if one != raw]
    reasons = replayed(core, heard.group.now, old, [])
    assert len(reasons) == len(old) > 100
    assert Reason.BAD_SIGNATURE in reasons
    assert core.ledger.dag.tips() == before


def as_of(raw: bytes, epoch: Epoch) -> bytes:
    """The same block under its old signature, with another epoch in it."""
    signed = decode(raw, SignedBlock, BYTES_MAX)
    body = replace(decode(signed.body, Block, BYTES_MAX), epoch=epoch)
    return encode(replace(signed, body=encode(body)))
