"""The one way from the network to the driver: gossip may be dropped, joins and leaves never."""

import math

import trio

from p2pnode.interfaces import Gossiped, KeyInUse, NetworkEvent, PeerJoined, PeerLeft, Received
from p2pnode.network.counters import Counters
from p2pnode.network.limits import EVENT_LIMIT


class Events:
    """Hands events to the driver without ever waiting for it."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._sender, self.receiver = trio.open_memory_channel[NetworkEvent](math.inf)

    def joined(self, account: bytes) -> None:
        """A peer is usable in both directions."""
        self._put(PeerJoined(account))

    def left(self, account: bytes) -> None:
        """The last connection to a joined peer is gone."""
        self._put(PeerLeft(account))

    def gossiped(self, topic: str, account: bytes, payload: bytes) -> None:
        """A gossip payload passed the gate."""
        if self._has_room("gossip"):
            self._put(Gossiped(topic, account, payload))

    def received(self, account: bytes, payload: bytes) -> None:
        """A peer sent a payload to this node alone."""
        if self._has_room("received"):
            self._put(Received(account, payload))

    def key_in_use(self, running_ms: int) -> None:
        """Another node has this node's key, and has run for longer."""
        self._put(KeyInUse(running_ms))

    def close(self) -> None:
        """End the driver's loop over the events."""
        self._sender.close()

    def _has_room(self, kind: str) -> bool:
        # The channel itself is unbounded, so that a join or a leave always finds room; what
        # strangers can produce at will is bounded here.
        if self._sender.statistics().current_buffer_used < EVENT_LIMIT:
            return True
        self._counters.add(f"dropped_{kind}_events")
        return False

    def _put(self, event: NetworkEvent) -> None:
        try:
            self._sender.send_nowait(event)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._counters.add("dropped_events_after_close")
