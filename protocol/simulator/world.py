"""A whole network: nodes, links and adversaries, held together by virtual time."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.job.record import ResultOutcome
from protocol.ledger.admission import Admission
from protocol.messages import Genesis
from protocol.signing import Identity, Scheme
from protocol.simulator import stepped
from protocol.simulator.adversary import Adversary
from protocol.simulator.burier import Around, buriers_of
from protocol.simulator.chance import Stream
from protocol.simulator.connections import Connections
from protocol.simulator.copier import copiers_of
from protocol.simulator.costs import Bill
from protocol.simulator.engine import Engine
from protocol.simulator.hider import hiders_of
from protocol.simulator.network import Network, Parcel
from protocol.simulator.node import Node, Recorder, Surroundings
from protocol.simulator.overlay.relay import Ground, Relay
from protocol.simulator.scenario import START_NS, Behaviour, Scenario, genesis_of, identities
from protocol.simulator.scheme import FAKE
from protocol.simulator.spammer import Hose, spammers_of
from protocol.simulator.workload import DEVICES, KINDS, WORKER_PRICE, Request, requests_of
from protocol.snapshot import Snapshot
from protocol.units import MILLISECOND, AccountId, JobId

START_SPREAD_NS: Final = 500 * MILLISECOND
"""Nodes start within this time of one another."""
FETCH_NS: Final = 2_000 * MILLISECOND
"""From a request for an output until it is here, or until nobody could send it."""
SNAPSHOT_WRITE_NS: Final = 200 * MILLISECOND
"""From the end of an epoch until a node's snapshot of it is safe: a crash before costs it."""

PARALLEL_JOBS: Final = 2
SANDBOX_LEVEL: Final = 1
UNAVAILABLE_PPM: Final = 50_000
"""How many runs cannot be started, because an input cannot be fetched."""
RUN_MIN_MS: Final = 20


class CoreMaker(Protocol):
    """Makes a node's core, at genesis or from a snapshot."""

    def __call__(
        self,
        genesis: Genesis,
        identity: Identity,
        scheme: Scheme,
        *,
        snapshot: Snapshot | None = None,
    ) -> Core:
        """See `Core`."""


class Recorders:
    """Tells several recorders the same."""

    __slots__ = ("_all",)

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._all = list(recorders)

    def join(self, recorders: Sequence[Recorder]) -> None:
        """Tells more recorders everything from now on."""
        self._all += recorders

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Passes an event on."""
        for recorder in self._all:
            recorder.event(time, node, event)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Passes an effect on."""
        for recorder in self._all:
            recorder.effect(time, node, effect)


class World:
    """One run of a scenario, step by step.

    Args:
        scenario: What to run.
        recorders: Told everything.
        scheme: Signature functions.
        make_core: Makes a node's core; a broken one when a test wants to see it caught.
        sends_early: Lets the nodes' drivers send before they sync, which must be caught too.

    Attributes:
        engine: Virtual time.
        network: The links.
        relay: Carries gossip from neighbour to neighbour; None when all are linked directly.
        nodes: By number.
        accounts: Of each node.
        adversary: Acts for all that are not honest.
        unheard: Requests that found their node down.
    """

    def __init__(
        self,
        scenario: Scenario,
        recorders: Sequence[Recorder] = (),
        scheme: Scheme = FAKE,
        *,
        make_core: CoreMaker = Core,
        sends_early: bool = False,
    ) -> None:
        self.scenario = scenario
        self.engine = Engine()
        self.genesis = genesis_of(scenario, scheme)
        self._secrets = identities(scenario)
        self._make_core = make_core
        self._admission: Admission | None = None
        self._scheme = scheme
        self.accounts: tuple[AccountId, ...] = tuple(
            scheme.account_of(secret.seed) for secret in self._secrets
        )
        self._numbers: dict[AccountId, list[int]] = {}
        for number, account in enumerate(self.accounts):
            self._numbers.setdefault(account, []).append(number)
        seeds = tuple(secret.seed for secret in self._secrets)
        self.adversary = Adversary(scenario, seeds, scheme)
        self.network = Network(
            self.engine, scenario.nodes, scenario.conditions, scenario.seed, self._deliver
        )
        self.relay, pairs = None, None
        if scenario.overlay is not None:
            ground = Ground(self.engine, self.network, self.accounts, lambda n: self.nodes[n])
            self.relay = Relay(scenario.overlay, ground, scenario.seed)
            pairs = self.relay.topology.pairs
        self._gossip = self.network.gossip if self.relay is None else self.relay.gossip
        self.connections = Connections(
            self.engine, scenario.nodes, self._can_talk, self._tell_connection, pairs
        )
        watching = Recorders(recorders)
        surroundings = Surroundings(
            self.engine,
            self._start_core,
            self._perform,
            watching,
            scenario.sync_ns,
            sends_early,
        )
        self.nodes = tuple(
            self._make_node(number, surroundings) for number in range(scenario.nodes)
        )
        self._let_loose(watching)
        self._runs: dict[tuple[int, JobId], int] = {}
        self._durations = [Stream(scenario.seed, "runs", n) for n in range(scenario.nodes)]
        self.unheard = 0
        self._plan_start()

    @property
    def live_honest(self) -> tuple[Node, ...]:
        """Honest nodes that are up."""
        return tuple(
            self.nodes[number]
            for number in self.scenario.honest
            if self.nodes[number].core is not None
        )

    def boot(self, number: int) -> None:
        """Starts a node and lets it offer work; its neighbours find it after a while."""
        node = self.nodes[number]
        node.start()
        node.deliver(
            ev.WorkerOffered(
                kinds=frozenset(KINDS),
                devices=frozenset(DEVICES),
                price=WORKER_PRICE,
                allowed=None,
                parallel=PARALLEL_JOBS,
                sandbox_level=SANDBOX_LEVEL,
            )
        )
        self.connections.review(number)

    def crash(self, number: int, keeps_last_batch: bool) -> None:
        """Stops a node; its runs are lost."""
        self.nodes[number].crash(keeps_last_batch)
        for key in [key for key in self._runs if key[0] == number]:
            del self._runs[key]
        self.connections.reset(number)
        if self.relay is not None:
            self.relay.forget(number)

    def _make_node(self, number: int, surroundings: Surroundings) -> Node:
        node, scenario = Node(number, surroundings), self.scenario
        if scenario.costs is not None:
            node.bill = Bill(scenario.costs)
        if scenario.sync_delay is not None:
            node.draw_sync_ns = partial(
                scenario.sync_delay.draw, Stream(scenario.seed, "sync", number)
            )
        return node

    def _let_loose(self, watching: Recorders) -> None:
        """Starts those of the dishonest that act of themselves."""
        scenario, nodes, note = self.scenario, self.nodes, self.adversary.mischief.note
        watching.join(copiers_of(scenario, nodes, self.accounts, note))
        watching.join(hiders_of(scenario, nodes, self.accounts, note))
        buriers_of(
            scenario,
            nodes,
            self._secrets,
            Around(self.engine, self._scheme, self._publish, note),
        )
        hose = Hose(self.engine, self._flood_block, self._flood_message, note)
        spammers_of(scenario, nodes, self.accounts, hose)

    def _plan_start(self) -> None:
        stream = Stream(self.scenario.seed, "start")
        for number, node in enumerate(self.nodes):
            if number < len(self.scenario.skews_ns):
                node.skew_ns = self.scenario.skews_ns[number]
            time = START_NS + stream.below(START_SPREAD_NS)
            if number not in self.scenario.late:
                self.engine.at(time, partial(self.boot, number))
        for request in requests_of(self.scenario, self.accounts):
            self.engine.at(request.time_ns + START_SPREAD_NS, partial(self._ask, request))

    def _ask(self, request: Request) -> None:
        node = self.nodes[request.node]
        if node.core is None:
            self.unheard += 1
        node.deliver(ev.OperationRequested(request.ticket, request.payload))

    def _start_core(self, number: int) -> Core:
        secrets, snapshot = self._secrets[number], self.nodes[number].disk.newest_snapshot()
        make: CoreMaker = self._make_core
        if self.scenario.behaviour(number) is Behaviour.BURYING:
            make = partial(Core, validates=False)
        core = make(self.genesis, secrets, self._scheme, snapshot=snapshot)
        if self._admission is None:
            self._admission = core.admission
        core.admission.share(self._admission)
        return core

    def _deliver(self, target: int, event: ev.Event) -> None:
        if self.relay is None or not self.relay.takes(target, event):
            self.nodes[target].deliver(event)

    def _can_talk(self, first: int, second: int) -> bool:
        if self.nodes[first].core is None or self.nodes[second].core is None:
            return False
        return not (self.network.is_cut(first, second) or self.network.is_cut(second, first))

    def _tell_connection(self, number: int, peer: int, joined: bool) -> None:
        if self.relay is not None:
            self.relay.connect(number, peer, stands=joined)
        account = self.accounts[peer]
        self.nodes[number].deliver(ev.PeerJoined(account) if joined else ev.PeerLeft(account))

    # Effects

    def _perform(self, number: int, effect: fx.Effect) -> None:
        match effect:
            case fx.GossipBlock(raw):
                for showing in self.adversary.show_block(number, raw):
                    self._gossip(number, showing.targets, self._block(showing.raw))
            case fx.GossipOperations(raw):
                self._flood_message(number, raw)
            case fx.Send(peer, raw):
                self._send(number, peer, raw)
            case fx.SendStoredBlocks(peer):
                if self.adversary.hands_out(number):
                    self._send(number, peer, self.nodes[number].disk.answer(effect))
            case fx.Execute():
                self._execute(number, effect)
            case fx.OpenTrace():
                self.nodes[number].deliver(stepped.opened(effect, lies=self.adversary.errs(number)))
            case fx.PersistSnapshot():
                node = self.nodes[number]
                keep = partial(node.keep_snapshot, node.starts, effect)
                self.engine.after(SNAPSHOT_WRITE_NS, keep)
            case fx.StopExecution(job):
                self._runs.pop((number, job), None)
            case fx.FetchOutput() if self.scenario.workload.retention_ms:
                self.engine.after(FETCH_NS, partial(self._fetch, number, effect))
            case _:
                pass  # facts are recorded; outputs that nobody waits for are not modelled

    def _send(self, number: int, peer: AccountId, raw: bytes) -> None:
        """Sends to whoever has this account: two nodes, when it has a twin."""
        for target in self._numbers[peer]:
            if target != number:
                self.network.send(number, target, self._message(raw))

    def _publish(self, number: int, raw: bytes) -> None:
        """Shows everybody a block that a node's core has not made, and gives that core a copy."""
        self._deliver(number, ev.BlockReceived(self.accounts[number], raw))
        self._flood_block(number, raw)

    def _flood_block(self, number: int, raw: bytes) -> None:
        self._gossip(number, range(len(self.nodes)), self._block(raw))

    def _flood_message(self, number: int, raw: bytes) -> None:
        self._gossip(number, range(len(self.nodes)), self._message(raw))

    def _block(self, raw: bytes) -> Parcel:
        return Parcel(lambda relay: ev.BlockReceived(self.accounts[relay], raw), len(raw))

    def _message(self, raw: bytes) -> Parcel:
        return Parcel(lambda relay: ev.MessageReceived(self.accounts[relay], raw), len(raw))

    def _execute(self, number: int, effect: fx.Execute) -> None:
        stream = self._durations[number]
        longest_ms = max(RUN_MIN_MS + 1, effect.offer.limits.time_ms * 9 // 10)
        elapsed_ms = stream.between(RUN_MIN_MS, longest_ms)
        is_impossible = stream.hits(UNAVAILABLE_PPM)
        if not self.adversary.takes_its_time(number):
            elapsed_ms = RUN_MIN_MS
        output = self.adversary.result_of(number, effect.offer)
        if output is None:
            return
        ended = ev.ExecutionEnded(
            job=effect.job,
            outcome=ResultOutcome.FINISHED.value,
            output=output,
            elapsed_ms=elapsed_ms,
            fuel=effect.offer.limits.fuel // 2,
        )
        event: ev.Event = stepped.ended(ended, effect, lies=self.adversary.errs(number))
        if is_impossible:
            event = ev.ExecutionImpossible(effect.job, unavailable=True)
        key = (number, effect.job)
        self._runs[key] = self.nodes[number].starts
        self.engine.after(elapsed_ms * MILLISECOND, partial(self._end_run, key, event))

    def _fetch(self, number: int, effect: fx.FetchOutput) -> None:
        """Has an output at once if any holder can be talked to, and nobody's otherwise."""
        holders = [node for one in effect.holders for node in self._numbers[one]]
        if not any(holder == number or self._can_talk(number, holder) for holder in holders):
            self.nodes[number].deliver(ev.ExecutionImpossible(effect.job, unavailable=True))

    def _end_run(self, key: tuple[int, JobId], event: ev.Event) -> None:
        node = self.nodes[key[0]]
        if self._runs.get(key) == node.starts:
            del self._runs[key]
            node.deliver(event)
