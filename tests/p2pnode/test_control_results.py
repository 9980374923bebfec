"""How local programs get the results of jobs: from this node or from those that hold them."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from p2pnode.content import Content
from p2pnode.interfaces import ControlError
from p2pnode.pulling import CHUNK_KIND, LIST_KIND
from p2pnode.storage import open_artifacts
from tests.p2pnode.control_bench import ITEM_MAX, bench, settled
from tests.p2pnode.fake_ports import FakeNetwork, lone_core
from tests.support.builders import HandLedger


async def holding(folder: Path, account: bytes, content: bytes) -> FakeNetwork:
    network = FakeNetwork(account)
    store = await open_artifacts(folder, ITEM_MAX, ITEM_MAX)
    Content(store, network.port, lambda: ())
    await store.put(content)
    return network


async def test_a_result_is_fetched_from_its_holders_when_it_is_not_here(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    core, job = settled(b"the answer")
    accepted = core.state.jobs[job].accepted
    assert accepted is not None
    async with bench(tmp_path / "own", core=core, runs=False) as made:
        with pytest.raises(ControlError) as refusal:
            await made.control.result(job)
        assert (refusal.value.code, refusal.value.status) == ("result_unavailable", 503)
        holder = await holding(tmp_path / "holder", accepted.members[0], b"the answer")
        made.network.knows(holder)
        assert await made.control.result(job) == b"the answer"
        of_holder = [kind for who, kind in made.network.asked if who == holder.account]
        assert of_holder[-2:] == [LIST_KIND, CHUNK_KIND]
        made.network.asked.clear()
        assert await made.control.result(job) == b"the answer"
        assert made.network.asked == []


async def test_a_job_without_an_accepted_result_says_where_it_stands(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    ledger = HandLedger()
    job = ledger.open()
    core = lone_core(ledger.genesis)
    core.state = ledger.state
    async with bench(tmp_path, core=core, runs=False) as made:
        with pytest.raises(ControlError, match="it is bidding") as refusal:
            await made.control.result(job)
        assert (refusal.value.code, refusal.value.status) == ("no_result", 409)
