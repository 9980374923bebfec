"""Gifts within caps, and only those that were really given count."""

from dataclasses import dataclass, field

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pnode.faucet import (
    FAUCET_KIND,
    GIFT,
    GIFTS_AN_HOUR,
    HOUR_SECONDS,
    SHARE_AN_HOUR,
    Faucet,
    ask_faucet,
)
from p2pnode.interfaces import ControlError
from p2pnode.network import RequestRefused
from protocol import events as ev
from protocol.core import Core
from protocol.messages import Allocation
from tests.p2pnode.fake_ports import FakeNetwork, lone_core, lone_genesis
from tests.support.builders import account_id

HOLDER, ASKER, OTHER = account_id(0), account_id(1), account_id(2)


@dataclass
class Purse:
    """Gives until it is told to refuse."""

    refusal: ControlError | None = None
    seconds: float = 0.0
    given: list[tuple[bytes, int]] = field(default_factory=list)

    async def give(self, account: bytes, amount: int) -> bytes:
        await trio.sleep(self.seconds)
        if self.refusal is not None:
            raise self.refusal
        self.given.append((account, amount))
        return b"operation"


PLENTY = SHARE_AN_HOUR * GIFTS_AN_HOUR * GIFT


def opened(purse: Purse, holder: bytes = HOLDER, held: int = PLENTY) -> FakeNetwork:
    """The network of a node that has the faucet open, and what the faucet holds."""
    network = FakeNetwork(HOLDER)
    genesis = lone_genesis(account_id(0) if holder == HOLDER else OTHER)
    allocations = (Allocation(account_id(0), held), *genesis.allocations[1:])
    core = lone_core(replace(genesis, allocations=allocations))
    Faucet(core, purse.give).serve(network.port)
    return network


async def ask(network: FakeNetwork, account: bytes = ASKER) -> bytes:
    return await network.handlers[FAUCET_KIND](account, b"")


async def test_a_newcomer_is_given_credits_once_an_hour(
    autojump_clock: trio.testing.MockClock,
) -> None:
    purse = Purse()
    network = opened(purse)
    assert int.from_bytes(await ask(network), "big") == GIFT
    with pytest.raises(RequestRefused, match="within the last hour"):
        await ask(network)
    await ask(network, OTHER)
    assert purse.given == [(ASKER, GIFT), (OTHER, GIFT)]
    await trio.sleep(HOUR_SECONDS)
    await ask(network)
    assert len(purse.given) == 3


async def test_all_together_are_given_only_so_much_an_hour(
    autojump_clock: trio.testing.MockClock,
) -> None:
    purse = Purse()
    network = opened(purse)
    for number in range(GIFTS_AN_HOUR):
        await ask(network, bytes([number]) * 32)
    with pytest.raises(RequestRefused, match="all that it may within an hour"):
        await ask(network)
    await trio.sleep(HOUR_SECONDS)
    await ask(network)
    assert len(purse.given) == GIFTS_AN_HOUR + 1


@pytest.mark.parametrize(
    ("held", "gifts"),
    [
        (PLENTY - 1, GIFTS_AN_HOUR - 1),
        (3 * SHARE_AN_HOUR * GIFT, 3),
        (2 * SHARE_AN_HOUR * GIFT - 1, 1),
        (GIFT, 1),
    ],
)
async def test_new_keys_get_no_more_than_a_hundredth_of_the_faucet_in_an_hour(
    held: int, gifts: int
) -> None:
    purse = Purse()
    network = opened(purse, held=held)
    for number in range(gifts):
        await ask(network, bytes([number]) * 32)
    for number in range(gifts, gifts + 5):
        with pytest.raises(RequestRefused, match="all that it may within an hour"):
            await ask(network, bytes([number]) * 32)
    assert len(purse.given) == gifts


async def test_a_gift_that_was_refused_does_not_count() -> None:
    purse = Purse(ControlError("insufficient_funds", "the faucet is empty"))
    network = opened(purse)
    for _ in range(GIFTS_AN_HOUR + 1):
        with pytest.raises(RequestRefused, match="the faucet is empty"):
            await ask(network)
    purse.refusal = None
    await ask(network)
    assert purse.given == [(ASKER, GIFT)]


async def test_a_gift_that_may_have_been_given_counts() -> None:
    purse = Purse(ControlError("storage_failed", "it may be done yet", 503))
    network = opened(purse)
    with pytest.raises(RequestRefused, match="may be done yet"):
        await ask(network)
    purse.refusal = None
    with pytest.raises(RequestRefused, match="within the last hour"):
        await ask(network)


async def test_two_questions_at_once_bring_one_gift(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    purse = Purse(seconds=5)
    network = opened(purse)
    nursery.start_soon(ask, network)
    await trio.sleep(1)
    with pytest.raises(RequestRefused, match="within the last hour"):
        await ask(network)
    await trio.sleep(10)
    assert purse.given == [(ASKER, GIFT)]


async def test_a_node_without_the_faucet_gives_nothing() -> None:
    purse = Purse()
    with pytest.raises(RequestRefused, match="does not hold"):
        await ask(opened(purse, OTHER))
    assert purse.given == []


def asking_core(*peers: bytes) -> Core:
    core = lone_core(lone_genesis(HOLDER), 1)
    core.step(ev.Restored(0, (), ()), 0)
    for peer in peers:
        core.step(ev.PeerJoined(account_id(0) if peer == HOLDER else OTHER), 0)
    return core


async def test_the_holder_is_asked_and_its_gift_named() -> None:
    holder, network = opened(Purse()), FakeNetwork(ASKER)
    network.knows(holder)
    assert await ask_faucet(asking_core(HOLDER), network.port) == GIFT
    assert network.asked == [(HOLDER, FAUCET_KIND)]


async def test_the_reason_of_the_holder_is_passed_on() -> None:
    holder, network = opened(Purse(ControlError("code", "it is empty"))), FakeNetwork(ASKER)
    network.knows(holder)
    with pytest.raises(RequestRefused, match="it is empty"):
        await ask_faucet(asking_core(HOLDER, OTHER), network.port)


async def test_the_node_of_the_faucet_is_told_to_transfer_instead() -> None:
    network = FakeNetwork(HOLDER)
    with pytest.raises(RequestRefused, match="this node holds the network's faucet itself"):
        await ask_faucet(lone_core(lone_genesis(HOLDER)), network.port)
    assert network.asked == []


async def test_a_network_without_a_faucet_says_so() -> None:
    with pytest.raises(RequestRefused, match="no faucet"):
        await ask_faucet(lone_core(), FakeNetwork().port)


async def test_an_unreachable_holder_is_a_refusal() -> None:
    with pytest.raises(RequestRefused, match="no such peer"):
        await ask_faucet(asking_core(OTHER), FakeNetwork(ASKER).port)
