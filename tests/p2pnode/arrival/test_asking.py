"""Questions over real connections: honest peers, one that lies, and one that sends too much."""

from contextlib import AsyncExitStack

import trio

from p2pnode.arrival import wire
from p2pnode.arrival.arrival import Way, arrive
from p2pnode.arrival.asking import Asking
from p2pnode.arrival.company import Company
from p2pnode.arrival.serving import Serving
from p2pnode.network import Network, NetworkSettings, open_network
from p2pnode.network.limits import ANSWER_LIMIT_BYTES
from tests.p2pnode.arrival.builders import ENDS, MemoryStore, Shown, history, store_of
from tests.support.builders import account_seed

LAST = ENDS - 1
TOPICS = ("newcomers",)


async def network_of(stack: AsyncExitStack, number: int) -> Network:
    settings = NetworkSettings(("/ip4/127.0.0.1/tcp/0",), (), TOPICS)
    opening = open_network(settings, account_seed(number), lambda *_: False)
    return await stack.enter_async_context(opening)


async def test_a_state_comes_over_loopback_in_spite_of_a_liar_and_of_too_large_answers() -> None:
    asked: list[str] = []

    async def lie(account: bytes, payload: bytes) -> bytes:
        asked.append("lie")
        return b"no such page"

    async def flood(account: bytes, payload: bytes) -> bytes:
        asked.append("flood")
        return bytes(ANSWER_LIMIT_BYTES + 1)

    async with AsyncExitStack() as stack:
        newcomer, honest, liar, flooder = [await network_of(stack, one) for one in range(1, 5)]
        for one in (honest, liar, flooder):
            Serving(store_of(history(), LAST), one)
            await newcomer.connect(one.addresses[0])
        liar.serve(wire.PAGE_KIND, lie)
        flooder.serve(wire.CERTIFICATES_KIND, flood)
        flooder.serve(wire.PAGE_LIST_KIND, flood)
        company = Company(
            Asking(newcomer), lambda: [one.account for one in newcomer.peers()], epochs_max=100
        )
        store = MemoryStore(history().genesis)
        with trio.fail_after(30):
            assert await arrive(Way(history().genesis, None), store, company, Shown()) == LAST
    assert {"lie", "flood"} <= set(asked), "both had their chance"
    assert list(company.liars) == [liar.account]
    assert store.snapshots[LAST] == history().pages[LAST]
    assert store.installed == [history().boundaries[LAST]]
