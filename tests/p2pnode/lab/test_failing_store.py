import pytest

from p2pnode.driver import StoreRefused
from p2pnode.lab.failing_store import FailingStore
from protocol import effects as fx
from protocol.units import Digest, JobId


class Memory:
    """Remembers everything that it is asked."""

    def __init__(self):
        self.kept, self.done, self.told = [], [], []

    async def keep(self, records):
        self.kept.append(records)

    async def perform(self, effect):
        self.done.append(effect)

    def report(self, fact):
        self.told.append(fact)


async def test_a_store_that_fails_keeps_nothing_and_everything_else_goes_on():
    memory, fails = Memory(), [True]
    store = FailingStore(memory, lambda: fails[0])
    record = fx.PersistCommit(1, Digest(bytes(32)), Digest(bytes(32)))
    with pytest.raises(StoreRefused, match="laboratory"):
        await store.keep((record,))
    stop = fx.StopExecution(JobId(bytes(32)))
    await store.perform(stop)
    store.report("fact")
    assert (memory.kept, memory.done, memory.told) == ([], [stop], ["fact"])
    fails[0] = False
    await store.keep((record,))
    assert memory.kept == [(record,)]
