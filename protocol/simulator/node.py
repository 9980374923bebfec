"""The twin of the real node's driver: inbox, batches, clock and crashes around one core.

As in the node, a batch steps every waiting event, makes its writes safe once, and only then lets
anything out. Between write and sync time passes, so a crash can hit exactly there. Where
computation has a price, the node is busy before a batch counts; what comes meanwhile waits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.simulator.costs import Bill
from protocol.simulator.disk import Disk
from protocol.simulator.engine import Engine
from protocol.units import MILLISECOND

SPINS_MAX: Final = 200
"""Ticks at one instant after which a core is said to spin."""

PERSISTENT: Final = (
    fx.PersistBlock,
    fx.PersistSlot,
    fx.PersistOperation,
    fx.PersistReveal,
    fx.PersistCommit,
    fx.PersistCertificate,
)


class Recorder(Protocol):
    """Whoever watches a run."""

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Notes what happened to a node."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes what a node writes or lets out."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node's driver needs of the world.

    Attributes:
        engine: Virtual time.
        start: Makes a fresh core.
        perform: Does what a node asks for, except storing and waking.
        recorder: Told everything.
        sync_ns: Time from a write until it is safe, for nodes that do not draw it.
        sends_early: True for a broken driver that lets messages out before they are safe.
    """

    engine: Engine
    start: Callable[[int], Core]
    perform: Callable[[int, fx.Effect], None]
    recorder: Recorder
    sync_ns: int
    sends_early: bool = False


@dataclass(slots=True)
class Node:
    """One simulated node.

    Attributes:
        core: The protocol, or None while the node is down.
        starts: How often it was started.
        skew_ns: What its clock is off by.
        spins: Instants at which the core asked to be woken at once for ever.
        withheld: Effects that wait for a store that failed.
        bill: Reckons what computation takes; None when it takes no time.
        draw_sync_ns: Draws the time of each sync; None when all are alike.
    """

    index: int
    surroundings: Surroundings
    disk: Disk = field(default_factory=Disk)
    bill: Bill | None = None
    draw_sync_ns: Callable[[], int] | None = None
    core: Core | None = None
    starts: int = 0
    skew_ns: int = 0
    spins: int = 0
    is_paused: bool = False
    store_failed: bool = False
    withheld: list[fx.Effect] = field(default_factory=list)
    inbox: list[ev.Event] = field(default_factory=list)
    _is_busy: bool = False
    _last_now: int = 0
    _wake_at: int | None = None
    _timer_at: int | None = None
    _ticks: tuple[int, int] = (0, 0)
    _tear: Callable[[], None] | None = None

    def start(self) -> None:
        """Starts the node from what its disk holds."""
        self.starts += 1
        self.core = self.surroundings.start(self.index)
        for event in self.disk.restore():
            self.deliver(event)

    def crash(self, keeps_last_batch: bool) -> None:
        """Stops the node at once."""
        self.disk.crash(keeps_last_batch)
        self.core = None
        self._is_busy = False
        self._wake_at = self._timer_at = None
        self.inbox.clear()
        self.withheld.clear()
        if self.bill is not None:
            self.bill.forget()

    def pause(self) -> None:
        """Freezes the node; messages pile up."""
        self.is_paused = True

    def resume(self) -> None:
        """Lets a frozen node go on."""
        self.is_paused = False
        self._plan_batch()

    def set_clock(self, skew_ns: int) -> None:
        """Changes what the node's clock is off by."""
        self.skew_ns = skew_ns
        self._timer_at = None
        self._set_timer()

    def fail_store(self) -> None:
        """Lets every sync fail from now on."""
        self.store_failed = True
        self.deliver(ev.StoreFailed())

    def repair_store(self) -> None:
        """Makes syncs work again; what waited for one is done now."""
        self.store_failed = False
        if self.core is None:
            return
        self.disk.sync()
        withheld, self.withheld = self.withheld, []
        self._perform(withheld)
        self.deliver(ev.StoreRecovered())

    def keep_snapshot(self, start: int, effect: fx.PersistSnapshot) -> None:
        """Makes a snapshot safe, unless the node has stopped since it was asked for."""
        if start == self.starts and self.core is not None and not self.store_failed:
            self.disk.keep_snapshot(effect.snapshot, effect.spent)

    def tear_next_write(self, tear: Callable[[], None] | None) -> None:
        """Lets something happen in the place of the next sync; None lets nothing happen."""
        self._tear = tear

    def deliver(self, event: ev.Event) -> None:
        """Puts an event into the inbox of a running node."""
        if self.core is None:
            return
        self.inbox.append(event)
        if not self._is_busy:
            self._plan_batch()

    def _plan_batch(self) -> None:
        if self._is_busy or self.is_paused or not self.inbox:
            return
        self._is_busy = True
        self.surroundings.engine.after(0, partial(self._batch, self.starts))

    def _batch(self, start: int) -> None:
        """Takes everything that waits, and computes for as long as that takes."""
        if start != self.starts or self.core is None:
            return
        waiting, self.inbox = self.inbox, []
        busy_ns = self.bill.events_ns(waiting) if self.bill is not None else 0
        if busy_ns:
            self.surroundings.engine.after(busy_ns, partial(self._computed, start, waiting))
        else:
            self._step(start, self.core, waiting)

    def _computed(self, start: int, waiting: list[ev.Event]) -> None:
        if start != self.starts or self.core is None:
            return
        if self.is_paused:
            self.inbox[:0] = waiting
            self._is_busy = False
        else:
            self._step(start, self.core, waiting)

    def _step(self, start: int, core: Core, waiting: list[ev.Event]) -> None:
        """Steps a batch, then syncs, then performs."""
        around, recorder = self.surroundings, self.surroundings.recorder
        outgoing: list[fx.Effect] = []
        now, time = self._now(), around.engine.now
        for event in waiting:
            recorder.event(time, self.index, event)
            for effect in core.step(event, now):
                if isinstance(effect, fx.WakeAt):
                    self._wake_at = effect.time
                elif isinstance(effect, PERSISTENT):
                    recorder.effect(time, self.index, effect)
                    self.disk.write(effect)
                else:
                    outgoing.append(effect)
        signing_ns = self.bill.effects_ns(outgoing) if self.bill is not None else 0
        if self.store_failed and (self.disk.is_dirty or self.withheld):
            self.withheld += outgoing
            self._next_batch()
            return
        if around.sends_early:
            self._perform(outgoing)
            outgoing = []
        wait_ns = signing_ns
        if self.disk.is_dirty or around.sends_early:
            wait_ns += self._sync_ns()
        if wait_ns or around.sends_early:
            around.engine.after(wait_ns, partial(self._finish, start, outgoing))
        else:
            self._finish(start, outgoing)

    def _sync_ns(self) -> int:
        draw = self.draw_sync_ns
        return self.surroundings.sync_ns if draw is None else draw()

    def _finish(self, start: int, outgoing: list[fx.Effect]) -> None:
        if start != self.starts or self.core is None:
            return
        if self.store_failed and self.disk.is_dirty:
            self.withheld += outgoing
        elif self._tear is not None and self.disk.is_dirty:
            tear, self._tear = self._tear, None
            tear()
            return
        else:
            self.disk.sync()
            self._perform(outgoing)
        self._next_batch()

    def _next_batch(self) -> None:
        self._is_busy = False
        self._set_timer()
        if self.inbox:
            self._plan_batch()

    def _perform(self, outgoing: list[fx.Effect]) -> None:
        """Lets effects out, and tells them; those that a crash swallows before are untold."""
        around = self.surroundings
        for effect in outgoing:
            around.recorder.effect(around.engine.now, self.index, effect)
            around.perform(self.index, effect)

    # Clock

    def _now(self) -> int:
        """The node's own time, which never goes back."""
        now = self.surroundings.engine.now + self.skew_ns
        self._last_now = max(self._last_now, now)
        return self._last_now

    def _set_timer(self) -> None:
        """Plans the next tick; a timer that fires too early looks again."""
        if self._wake_at is None or self.core is None:
            return
        engine, time = self.surroundings.engine, self._wake_at - self.skew_ns
        if time <= engine.now:
            time = engine.now + MILLISECOND if self._spins() else engine.now
        if self._timer_at is None or time < self._timer_at:
            self._timer_at = time
            engine.at(time, partial(self._fire, self.starts, time))

    def _fire(self, start: int, time: int) -> None:
        if start != self.starts or self.core is None or self._timer_at != time:
            return
        self._timer_at = None
        if self._wake_at is None:
            return
        if self._wake_at <= self._now():
            self._wake_at = None
            self.deliver(ev.Tick())
        else:
            self._set_timer()

    def _spins(self) -> bool:
        """Whether the core keeps asking to be woken at this very instant."""
        now = self.surroundings.engine.now
        instant, count = self._ticks
        self._ticks = (now, count + 1 if instant == now else 1)
        if self._ticks[1] < SPINS_MAX:
            return False
        self.spins += 1
        return True
