"""A simulated network whose nodes write about their cores as real nodes of the laboratory do."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from p2pnode.driver import World
from p2pnode.lab.real.promises import Left
from p2pnode.lab.real.steps import gather_steps, read_steps
from p2pnode.lab.real.watch import Clock
from p2pnode.lab.results import setup_of
from p2pnode.lab.step_log import STEPS_NAME, StepLog
from protocol import effects as fx
from protocol.core import Core
from protocol.ledger.block import stored_digest
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.run import Outcome, play
from protocol.simulator.scenario import Scenario, identities
from tests.p2pnode.lab import builders as networks


class Scribe:
    """A recorder, and the maker of cores that are watched."""

    def __init__(self, scenario, folder: Path) -> None:
        self.accounts = [one.seed for one in identities(scenario)]
        self.folder = folder
        self.logs: dict[int, StepLog] = {}
        self.worlds: dict[int, World] = {}
        self.blocks: dict[str, bytes] = {}
        self.waiting: dict[int, dict[str, int]] = {}
        self.now = 0

    def make_core(self, genesis, identity, scheme, snapshot=None):
        node = self.accounts.index(identity.seed)
        path = self.folder / f"node-{node}" / STEPS_NAME
        path.parent.mkdir(exist_ok=True)
        self.logs[node] = StepLog(path, lambda: self.now)
        self.worlds[node] = self.logs[node].watch_world(_Nobody())
        return _Watched(Core(genesis, identity, scheme, snapshot=snapshot), self.logs[node])

    def event(self, time, node, event):
        self.now = time

    def effect(self, time, node, effect):
        self.now = time
        if isinstance(effect, fx.Report):
            self.worlds[node].report(effect.fact)
        elif isinstance(effect, fx.PersistBlock):
            self.blocks.setdefault(effect.digest.hex(), effect.raw)
        elif isinstance(effect, fx.PersistOperation):
            self.waiting.setdefault(node, {})[effect.identifier.hex()] = effect.nonce
        elif isinstance(effect, fx.Execute | fx.StopExecution):
            doing = self.worlds[node].perform(effect)
            with_nothing_to_wait_for(doing)


class _Watched:
    """A core whose steps go through a log."""

    def __init__(self, core: Core, log: StepLog) -> None:
        self.core = core
        self.step = log.watch_core(core)

    def __getattr__(self, name):
        return getattr(self.core, name)


class _Nobody:
    async def keep(self, records):
        """Nothing is kept."""

    async def perform(self, effect):
        """Nothing is done."""

    def report(self, fact):
        """Nobody is told."""


def with_nothing_to_wait_for(doing):
    try:
        doing.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


@cache
def written(name: str, seed: int = 1) -> tuple[Left, Outcome]:
    """What the nodes of a simulated run left, and what the simulator says of it."""
    return written_of(SCENARIOS[name](seed))


@cache
def written_of(scenario: Scenario) -> tuple[Left, Outcome]:
    """The same of any scenario."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        scribe = Scribe(scenario, root)
        outcome = play(scenario, recorders=(scribe,), make_core=scribe.make_core)
        testnet = networks.network(root, nodes=scenario.nodes)
        gather_steps(testnet, Clock(0, 0), root / "steps")
        steps = read_steps(root / "steps")
    assert all(stored_digest(raw).hex() == digest for digest, raw in scribe.blocks.items())
    left = Left(
        scenario, setup_of(scenario), steps, scribe.blocks, scribe.waiting, (), outcome.bites
    )
    return left, outcome
