"""A handful of cores with their disks, joined by a network that a test can cut by hand.

Smaller than the simulator and closer to the hand: a test sees every effect and may put any event
in between. Gossip reaches everybody who is up, and messages to one peer only neighbours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.economy.reputation import Reputation
from protocol.encoding import decode
from protocol.messages import Allocation, Genesis, SignedBlock, Validator
from protocol.parameters import Parameters, minimal
from protocol.signing import Identity
from protocol.simulator.disk import Disk
from protocol.simulator.scheme import FAKE
from protocol.units import CREDIT, MILLISECOND, SECOND, AccountId

DELAY_NS = 30 * MILLISECOND
STAKE = 5_000 * CREDIT
FUNDS = 1_000 * CREDIT

Kind = TypeVar("Kind")


def identity(number: int) -> Identity:
    return Identity(
        b"seed".ljust(31, b".") + bytes([number]), b"vrf".ljust(31, b".") + bytes([number])
    )


def account(number: int) -> AccountId:
    return FAKE.account_of(identity(number).seed)


def fake_genesis(
    members: int = 4, others: Iterable[int] = (), parameters: Parameters | None = None
) -> Genesis:
    """Members 0 to n - 1 with equal stakes; everybody has money."""
    return Genesis(
        name="group",
        time_ms=0,
        seed=bytes(32),
        parameters=parameters if parameters is not None else minimal(),
        validators=tuple(
            Validator(account(n), AccountId(FAKE.vrf_key_of(identity(n).vrf_seed)), STAKE)
            for n in range(members)
        ),
        allocations=tuple(Allocation(account(n), FUNDS) for n in (*range(members), *others)),
        faucet=None,
    )


@dataclass(frozen=True, slots=True)
class Done:
    """An effect, who asked for it, and when."""

    time: int
    node: int
    effect: fx.Effect


@dataclass
class CoreGroup:
    """Nodes in the order of their identities; a number may appear twice, for a twin.

    Attributes:
        members: Identities that are in the committee.
        numbers: Identity of each node; the members when it is left out.
        links: Whether two nodes are neighbours.
        done: Every effect so far.
        blocked: Directed pairs of nodes between which nothing passes.
        steps: Events taken, by node.
    """

    members: int = 4
    numbers: tuple[int, ...] = ()
    genesis: Genesis | None = None
    links: Callable[[int, int], bool] = lambda one, other: True
    now: int = 0
    done: list[Done] = field(default_factory=list)
    blocked: set[tuple[int, int]] = field(default_factory=set)
    steps: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.numbers = self.numbers or tuple(range(self.members))
        self.terms = self.genesis or fake_genesis(self.members)
        self.cores: dict[int, Core] = {}
        self.disks = {node: Disk() for node in range(len(self.numbers))}
        self._wakes: dict[int, int] = {}
        self._queue: list[tuple[int, int, int, ev.Event]] = []
        self._order = count()

    def start(self, *nodes: int) -> "CoreGroup":
        """Starts nodes from their disks and joins them to the neighbours that are up."""
        for node in nodes or range(len(self.numbers)):
            self.cores[node] = Core(self.terms, identity(self.numbers[node]), FAKE)
            for event in self.disks[node].restore():
                self.tell(node, event)
            for other in self.cores:
                if other != node and self.links(node, other):
                    self.tell(node, ev.PeerJoined(self.account(other)))
                    self.tell(other, ev.PeerJoined(self.account(node)))
        return self

    def stop(self, *nodes: int) -> None:
        """Stops nodes; their disks keep everything."""
        for node in nodes:
            del self.cores[node]
            self._wakes.pop(node, None)
            self._queue = sorted(entry for entry in self._queue if entry[2] != node)
            for other in self.cores:
                self.tell(other, ev.PeerLeft(self.account(node)))

    def account(self, node: int) -> AccountId:
        return account(self.numbers[node])

    def cut(self, *nodes: int) -> None:
        """Separates some nodes from all others, unnoticed."""
        inside = set(nodes)
        everybody = range(len(self.numbers))
        self.blocked |= {
            (one, other)
            for one in everybody
            for other in everybody
            if (one in inside) != (other in inside)
        }

    def heal(self) -> None:
        self.blocked.clear()

    def tell(self, node: int, event: ev.Event) -> tuple[fx.Effect, ...]:
        """Steps one core now and obeys it."""
        self.steps[node] = self.steps.get(node, 0) + 1
        effects = self.cores[node].step(event, self.now)
        for effect in effects:
            self.done.append(Done(self.now, node, effect))
            self._obey(node, effect)
        self.disks[node].sync()
        return effects

    def run(self, duration_ns: int) -> "CoreGroup":
        """Lets time pass."""
        end = self.now + duration_ns
        while True:
            ticks = [(max(time, self.now), node) for node, time in self._wakes.items()]
            tick = min(ticks, default=(end + 1, -1))
            arrival = self._queue[0][0] if self._queue else end + 1
            if min(tick[0], arrival) > end:
                self.now = end
                return self
            if arrival <= tick[0]:
                self.now, _, node, event = heappop(self._queue)
                if node in self.cores:
                    self.tell(node, event)
            else:
                self.now = tick[0]
                self.tell(tick[1], ev.Tick())

    def seconds(self, number: int) -> "CoreGroup":
        return self.run(number * SECOND)

    def effects(self, kind: type[Kind], *nodes: int, since: int = 0) -> list[Kind]:
        """Everything of one kind that some nodes, or all, have asked for."""
        return [
            one.effect
            for one in self.done
            if one.time >= since
            and isinstance(one.effect, kind)
            and one.node in (nodes or self.disks)
        ]

    def facts(self, kind: type[Kind], *nodes: int, since: int = 0) -> list[Kind]:
        """Everything of one kind that some nodes, or all, have reported."""
        reports = self.effects(fx.Report, *nodes, since=since)
        return [report.fact for report in reports if isinstance(report.fact, kind)]

    def signed_twice(self, *nodes: int) -> list[int]:
        """Rounds in which some nodes together signed two different blocks."""
        signed: dict[int, set[bytes]] = {}
        for slot in self.effects(fx.PersistSlot, *nodes):
            signed.setdefault(slot.round, set()).add(slot.digest)
        return sorted(number for number, digests in signed.items() if len(digests) > 1)

    def _obey(self, node: int, effect: fx.Effect) -> None:
        match effect:
            case (
                fx.PersistBlock()
                | fx.PersistSlot()
                | fx.PersistOperation()
                | fx.PersistReveal()
                | fx.PersistCommit()
                | fx.PersistCertificate()
            ):
                self.disks[node].write(effect)
            case fx.WakeAt(time):
                self._wakes[node] = time
            case fx.GossipBlock(raw):
                for other in self.cores:
                    self._post(node, other, ev.BlockReceived(self.account(node), raw))
            case fx.GossipOperations(raw):
                for other in self.cores:
                    self._post(node, other, ev.MessageReceived(self.account(node), raw))
            case fx.Send(peer, raw):
                self._send(node, peer, raw)
            case fx.SendStoredBlocks(peer):
                self.disks[node].sync()
                self._send(node, peer, self.disks[node].answer(effect))
            case _:
                pass

    def _send(self, node: int, peer: AccountId, raw: bytes) -> None:
        for other in self.cores:
            if self.account(other) == peer and self.links(node, other):
                self._post(node, other, ev.MessageReceived(self.account(node), raw))

    def _post(self, node: int, other: int, event: ev.Event) -> None:
        if node == other or (node, other) in self.blocked:
            return
        heappush(self._queue, (self.now + DELAY_NS, next(self._order), other, event))

    def derail(self, *nodes: int) -> None:
        """Lets some states go wrong in the same way for ever, as if a rule had a mistake."""
        for node in nodes:
            self.cores[node].state._reputations.set(account(0), Reputation(right=1))


def blocks_with(group: CoreGroup, raw: bytes) -> int:
    """How many blocks hold an operation."""
    blocks = {effect.raw for effect in group.effects(fx.GossipBlock)}
    return sum(raw in decode(block, SignedBlock, 10**6).operations for block in blocks)
