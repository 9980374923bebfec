"""Stand-ins for what surrounds the driver: a world, a network and a clock, each with a memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import trio
from msgspec.structs import replace

from p2pnode.clock import NodeClock
from p2pnode.driver import Driver, StoreRefused
from p2pnode.interfaces import NetworkEvent
from p2pnode.network import Network, PeerUnreachable, RequestRefused, RequestTimedOut
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.messages import Genesis, Payload, Transfer
from protocol.units import CREDIT, AccountId
from tests.p2pnode.offline.builders import identity
from tests.support.builders import account_id, make_genesis

Handler = Callable[[bytes, bytes], Awaitable[bytes]]


@dataclass
class FakeWorld:
    """Remembers in order what the driver asked for, and refuses to keep while told so."""

    refusal: Exception | None = None
    keep_seconds: float = 0.0
    log: list[tuple[str, object]] = field(default_factory=list)
    listener: Callable[[fx.Fact], None] = lambda fact: None

    async def keep(self, records: tuple[fx.Persist, ...]) -> None:
        await trio.sleep(self.keep_seconds)
        if self.refusal is not None:
            self.log.append(("refused", records))
            raise self.refusal
        self.log += [("kept", record) for record in records]

    async def perform(self, effect: fx.Effect) -> None:
        self.log.append(("performed", effect))

    def report(self, fact: fx.Fact) -> None:
        self.log.append(("reported", fact))
        self.listener(fact)

    def all(self, verb: str) -> list[object]:
        return [what for did, what in self.log if did == verb]

    def refuse(self) -> None:
        self.refusal = StoreRefused("no space")


@dataclass
class FakeNetwork:
    """Carries requests to other fake networks, in this process."""

    account: bytes = b"n" * 32
    others: dict[bytes, "FakeNetwork"] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    sent: list[tuple[bytes, bytes]] = field(default_factory=list)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[tuple[bytes, str]] = field(default_factory=list)
    shunned: list[tuple[bytes, float]] = field(default_factory=list)
    parted: list[tuple[bytes, str, float]] = field(default_factory=list)
    publish_error: Exception | None = None
    addresses: tuple[str, ...] = ("/ip4/127.0.0.1/tcp/1",)

    def __post_init__(self) -> None:
        self.bring, self.events = trio.open_memory_channel[NetworkEvent](100)

    @property
    def port(self) -> Network:
        return cast(Network, self)

    def knows(self, *others: "FakeNetwork") -> None:
        self.others |= {other.account: other for other in others}

    def serve(self, kind: str, handler: Handler) -> None:
        self.handlers[kind] = handler

    def send(self, account: bytes, payload: bytes) -> bool:
        self.sent.append((account, payload))
        return True

    async def publish(self, topic: str, payload: bytes) -> None:
        if self.publish_error is not None:
            raise self.publish_error
        self.published.append((topic, payload))

    async def request(self, account: bytes, kind: str, payload: bytes, timeout_s: float) -> bytes:
        self.asked.append((account, kind))
        other = self.others.get(account)
        if other is None:
            raise PeerUnreachable("no such peer")
        if kind not in other.handlers:
            raise RequestRefused("this kind of request is not served")
        with trio.move_on_after(timeout_s):
            return await other.handlers[kind](self.account, payload)
        raise RequestTimedOut(f"no answer within {timeout_s} s")

    def shun(self, account: bytes) -> None:
        self.shunned.append((account, trio.current_time()))

    async def part(self, account: bytes, reason: str) -> None:
        self.parted.append((account, reason, trio.current_time()))

    def serve_in_turn(self, kind: str, handler: Handler) -> None:
        self.handlers[kind] = handler

    @asynccontextmanager
    async def converse(
        self, account: bytes, kind: str, timeout_s: float
    ) -> AsyncIterator["FakeConversation"]:
        yield FakeConversation(self, account, kind)

    def peers(self) -> tuple[object, ...]:
        return ()

    def counters(self) -> Mapping[str, int]:
        return {"published": len(self.published)}


@dataclass
class FakeConversation:
    """Questions to one fake peer."""

    network: FakeNetwork
    account: bytes
    kind: str

    async def ask(self, payload: bytes, timeout_s: float) -> bytes:
        return await self.network.request(self.account, self.kind, payload, timeout_s)


class TrioClock:
    """The node's clock on trio's time, which tests jump."""

    def __init__(self) -> None:
        self._begun = trio.current_time()

    def now(self) -> int:
        return round((trio.current_time() - self._begun) * 1e9)

    def seconds_until(self, moment: int) -> float:
        return max(0.0, (moment - self.now()) / 1e9)


class ScriptedCore:
    """Answers each kind of event with prepared effects, once for each event."""

    def __init__(self, script: Mapping[type, tuple[fx.Effect, ...]] | None = None) -> None:
        self.script = dict(script or {})
        self.taken: list[ev.Event] = []

    def step(self, event: ev.Event, now: int) -> tuple[fx.Effect, ...]:
        self.taken.append(event)
        return (*self.script.get(type(event), ()), fx.WakeAt(now + 3_600 * 10**9))


def scripted_driver(core: ScriptedCore, world: FakeWorld) -> Driver:
    return Driver(cast(Core, core), world, cast(NodeClock, TrioClock()))


def lone_genesis(faucet: AccountId | None = None) -> Genesis:
    """A network whose only validator is account 0; account 1 has money."""
    return replace(make_genesis(validators=1, others=(1,)), faucet=faucet)


def lone_core(genesis: Genesis | None = None, number: int = 0) -> Core:
    return Core(genesis if genesis is not None else lone_genesis(), identity(number))


def live_driver(core: Core, world: FakeWorld) -> Driver:
    return Driver(core, world, cast(NodeClock, TrioClock()))


def gift(number: int = 1, amount: int = CREDIT) -> Payload:
    return Transfer(account_id(number), amount)
