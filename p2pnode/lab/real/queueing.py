"""The packets that are on their way between nodes, each with the time at which it arrives.

Times are whole nanoseconds. Packets of one directed pair keep their order, as on one path of a real
network: a packet that would overtake the one before it arrives together with it.
"""

import heapq
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from p2pnode.network import LinkRule
from protocol.simulator.network import Pair
from protocol.units import MILLISECOND, SECOND

BACKLOG_NS = SECOND
"""What a slow link holds at most, as time that it needs for it; more is lost, as in a router."""

LATE_NS = 5 * MILLISECOND
"""A packet that is given back so long after its time counts as late."""


@dataclass(slots=True)
class Lateness:
    """How punctual the queue's owner was, which no rule asks to be anything but punctual.

    Attributes:
        packets: Given back after a delay.
        late: Those of them that were late.
        most_ns: The longest after its time that any was given back.
    """

    packets: int = 0
    late: int = 0
    most_ns: int = 0


@dataclass(slots=True)
class _Path:
    """How far one directed pair has got."""

    free_at_ns: int = 0
    last_due_ns: int = 0


class PacketQueue:
    """Takes packets and gives them back when they arrive.

    Attributes:
        rules: For each directed pair that is not whole.
        cut: Packets that met a cut, by source.
        lost: Packets that were lost by chance or for want of room, by source.
        lateness: Of what was given back.
    """

    def __init__(self, chance: random.Random) -> None:
        self.rules: dict[Pair, LinkRule] = {}
        self.cut: Counter[int] = Counter()
        self.lost: Counter[int] = Counter()
        self.lateness = Lateness()
        self._chance = chance
        self._paths: dict[Pair, _Path] = {}
        self._heap: list[tuple[int, int, int, bytes]] = []
        self._sequence = 0

    def send(self, pair: Pair, packet: bytes, now_ns: int) -> bool:
        """Take a packet; True when it arrives at once, and is not kept here."""
        rule = self.rules.get(pair)
        path = self._paths.get(pair)
        if rule is None and (path is None or path.last_due_ns <= now_ns):
            return True
        rule = rule or LinkRule()
        if rule.mute or rule.cut:
            self.cut[pair[0]] += 1
            return False
        path = self._paths.setdefault(pair, _Path())
        waits_ns = max(0, path.free_at_ns - now_ns)
        if waits_ns > BACKLOG_NS or (rule.loss and self._chance.random() < rule.loss):
            self.lost[pair[0]] += 1
            return False
        taken_ns = 8 * len(packet) * SECOND // rule.rate_bps if rule.rate_bps else 0
        path.free_at_ns = now_ns + waits_ns + taken_ns
        due_ns = max(path.last_due_ns, path.free_at_ns + self._travel_ns(rule))
        path.last_due_ns = due_ns
        self._sequence += 1
        heapq.heappush(self._heap, (due_ns, self._sequence, pair[1], packet))
        return False

    def arrived(self, now_ns: int) -> Iterator[tuple[int, bytes]]:
        """Give back target and packet of all that have arrived."""
        while self._heap and self._heap[0][0] <= now_ns:
            due_ns, _, target, packet = heapq.heappop(self._heap)
            self._note(now_ns - due_ns)
            yield target, packet

    def seconds_until_next(self, now_ns: int, longest: float) -> float:
        """How long nothing arrives, at most so long."""
        if not self._heap:
            return longest
        return min(longest, max(0, self._heap[0][0] - now_ns) / SECOND)

    def _note(self, late_ns: int) -> None:
        lateness = self.lateness
        lateness.packets += 1
        lateness.late += late_ns > LATE_NS
        lateness.most_ns = max(lateness.most_ns, late_ns)

    def _travel_ns(self, rule: LinkRule) -> int:
        travel_ms = rule.delay_ms
        if rule.jitter_ms:
            travel_ms += self._chance.uniform(0, rule.jitter_ms)
        if rule.tail_ms:
            travel_ms += self._chance.expovariate(1 / rule.tail_ms)
        return round(travel_ms * MILLISECOND)
