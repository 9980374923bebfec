"""The identities of gossip messages that were met before, bounded in time and in number."""

from collections import OrderedDict

import trio

from p2pnode.network.limits import SEEN_LIMIT, SEEN_SECONDS


class SeenMessages:
    """Stands in for the library's cache, which runs a thread and has no bound."""

    def __init__(self) -> None:
        self._times: OrderedDict[bytes, float] = OrderedDict()

    def has(self, identity: bytes) -> bool:
        """Whether a message was met before."""
        return identity in self._times

    def add(self, identity: bytes) -> None:
        """Remember a message; the oldest is forgotten when there are too many."""
        self._times[identity] = trio.current_time()
        if len(self._times) > SEEN_LIMIT:
            self._times.popitem(last=False)

    def forget_expired(self) -> None:
        """Drop what is so old that it no longer travels."""
        oldest = trio.current_time() - SEEN_SECONDS
        while self._times and next(iter(self._times.values())) < oldest:
            self._times.popitem(last=False)
