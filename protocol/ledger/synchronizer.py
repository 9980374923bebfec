"""Fetching what is known to be missing, and finding out what is missing.

Gossip is a hint: a block names its ancestors, so a missing one is asked for by digest; and
neighbours compare summaries in turn, so that what nobody named is found too. Answers are closures
in bulk, never one layer a round trip.
"""

from dataclasses import dataclass, field
from typing import Final

from protocol.units import MILLISECOND, AccountId, Digest

RETRY_MS: Final = 1_000
"""A missing block is asked for again, from another peer, after this long."""

SUMMARY_MIN_MS: Final = 1_000
SUMMARY_MAX_MS: Final = 10_000
"""Summaries are exchanged this seldom while they show no difference."""

WANTED_MAX: Final = 256
"""Digests in one request."""

MISSING_MAX: Final = 4_096
"""Missing blocks tracked at a time; catch-up in bulk finds the rest."""

FAR_AHEAD_ROUNDS: Final = 8
"""A neighbour that leads by more than this has blocks that are not just on their way."""

ANSWER_INTERVAL_MS: Final = 50
"""One peer's requests are answered at most this often: answers are far larger than requests."""

SUMMARY_INTERVAL_MS: Final = 500
"""One peer's summaries are compared at most this often: what it seems to lack is far larger."""


@dataclass(slots=True)
class _Missing:
    """A block that something refers to and nobody has sent yet."""

    asked_at: int
    tries: int = 0


@dataclass(slots=True)
class _Peer:
    """What is remembered of a neighbour."""

    epoch: int = 0
    tips: tuple[int, ...] = ()
    """Highest rounds, of its epoch."""
    answered_at: int | None = None
    compared_at: int | None = None
    closure_asked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A request to send: the named blocks, and the closure above `have` when asked for."""

    peer: AccountId
    wanted: tuple[Digest, ...]
    closure: bool


@dataclass(slots=True)
class Synchronizer:
    """Which peer to ask for what, and when.

    Peers are asked in turn, so one that does not answer delays a block by one retry only.
    """

    epoch: int = 0
    """The running epoch here."""
    _peers: dict[AccountId, _Peer] = field(default_factory=dict)
    _missing: dict[Digest, _Missing] = field(default_factory=dict)
    _turn: int = 0
    _summary_at: int = 0
    _summary_wait_ms: int = SUMMARY_MIN_MS

    @property
    def peers(self) -> tuple[AccountId, ...]:
        """The neighbours, in the order in which they joined."""
        return tuple(self._peers)

    @property
    def has_peers(self) -> bool:
        """Whether there is any neighbour."""
        return bool(self._peers)

    def begin(self, epoch: int, now: int) -> None:
        """Looks for nothing of the ended epoch any more; summaries are due at once."""
        self.epoch = epoch
        self._missing.clear()
        for known in self._peers.values():
            known.closure_asked_at = None
            if known.epoch != epoch:
                known.tips = ()
        self.hurry(now)

    def tell_epoch(self, peer: AccountId, epoch: int, theirs: tuple[int, ...]) -> None:
        """Takes in the tips of a neighbour that is in another epoch."""
        known = self._peers.get(peer)
        if known is not None:
            known.epoch, known.tips = epoch, theirs

    def join(self, peer: AccountId, now: int) -> None:
        """Adds a neighbour; summaries are due at once, since it may know what we lack."""
        self._peers.setdefault(peer, _Peer())
        self.hurry(now)

    def leave(self, peer: AccountId) -> None:
        """Forgets a neighbour."""
        self._peers.pop(peer, None)

    def hurry(self, now: int) -> None:
        """Makes the next summary due now: something differs."""
        self._summary_wait_ms = SUMMARY_MIN_MS
        self._summary_at = min(self._summary_at, now)

    def hurry_next(self) -> None:
        """Makes summaries frequent again without sending one now: the last one differed."""
        self._summary_wait_ms = SUMMARY_MIN_MS

    def stay_frequent(self, now: int) -> None:
        """Brings the next summary as near as frequent ones are."""
        self._summary_wait_ms = SUMMARY_MIN_MS
        self._summary_at = min(self._summary_at, now + SUMMARY_MIN_MS * MILLISECOND)

    def relax(self) -> None:
        """Makes summaries rarer: the last one showed no difference."""
        self._summary_wait_ms = min(SUMMARY_MAX_MS, self._summary_wait_ms * 2)

    def miss(self, digests: tuple[Digest, ...], sender: AccountId, now: int) -> Question | None:
        """Notes missing blocks; returns what to ask of whoever referred to them."""
        fresh = []
        for digest in digests:
            if digest not in self._missing and len(self._missing) < MISSING_MAX:
                self._missing[digest] = _Missing(now)
                fresh.append(digest)
        if not fresh or sender not in self._peers:
            return None
        closure = self._may_ask_closure(sender, now)
        return Question(sender, tuple(fresh[:WANTED_MAX]), closure)

    def found(self, digest: Digest) -> None:
        """Notes that a block is here."""
        self._missing.pop(digest, None)

    def tell(
        self, peer: AccountId, theirs: tuple[int, ...], mine: tuple[int, ...], *, is_still: bool
    ) -> bool:
        """Takes in a neighbour's tips; returns whether it has blocks that we lack.

        Blocks on their way look missing for a moment, so a small lead counts only when the
        neighbour had it at its previous summary already, or when nothing has come for so long
        that nothing can be on its way.
        """
        known = self._peers.get(peer)
        if known is None:
            return False
        previous, known.tips = known.tips if known.epoch == self.epoch else (), theirs
        known.epoch = self.epoch
        if not previous or is_still:
            return _is_ahead(theirs, mine, 0)
        return _is_ahead(previous, mine, 0) or _is_ahead(theirs, mine, FAR_AHEAD_ROUNDS)

    def ask_closure(self, peer: AccountId, now: int) -> Question | None:
        """Returns a request for everything above our tips, unless one is under way."""
        if peer in self._peers and self._may_ask_closure(peer, now):
            return Question(peer, (), True)
        return None

    def answered(self, peer: AccountId, mine: tuple[int, ...]) -> bool:
        """Notes a neighbour's answer; returns whether to ask it for more."""
        known = self._peers.get(peer)
        if known is None:
            return False
        known.closure_asked_at = None
        if known.epoch != self.epoch:
            return known.epoch > self.epoch
        return _is_ahead(known.tips, mine, 0)

    def may_answer(self, peer: AccountId, now: int) -> bool:
        """Whether a neighbour's request is answered now; bounds what requests can cost us."""
        known = self._peers.get(peer)
        if known is None:
            return False
        past = known.answered_at
        if past is not None and now < past + ANSWER_INTERVAL_MS * MILLISECOND:
            return False
        known.answered_at = now
        return True

    def may_compare(self, peer: AccountId, now: int) -> bool:
        """Whether a neighbour's summary is looked at now; bounds what summaries can cost us."""
        known = self._peers.get(peer)
        if known is None:
            return False
        past = known.compared_at
        if past is not None and now < past + SUMMARY_INTERVAL_MS * MILLISECOND:
            return False
        known.compared_at = now
        return True

    def summary_due(self, now: int) -> AccountId | None:
        """Returns the neighbour to send a summary to, when one is due."""
        if now < self._summary_at or not self._peers:
            return None
        self._summary_at = now + self._summary_wait_ms * MILLISECOND
        return self._next_peer()

    def retries(self, now: int) -> tuple[Question, ...]:
        """Returns what to ask again, one peer for all that is overdue."""
        overdue = [
            digest
            for digest, missing in self._missing.items()
            if now >= missing.asked_at + RETRY_MS * MILLISECOND
        ][:WANTED_MAX]
        if not overdue or not self._peers:
            return ()
        for digest in overdue:
            missing = self._missing[digest]
            missing.asked_at = now
            missing.tries += 1
        peer = self._next_peer()
        return (Question(peer, tuple(overdue), self._may_ask_closure(peer, now)),)

    def is_at_rest(self, now: int) -> bool:
        """Whether nothing is looked for and no summary is due."""
        return not self._missing and now < self._summary_at

    @property
    def is_missing(self) -> bool:
        """Whether any block is looked for."""
        return bool(self._missing)

    def keep_missing(self, digests: tuple[Digest, ...]) -> None:
        """Stops looking for all blocks but these: nobody waits for the others any more."""
        wanted = frozenset(digests)
        for digest in [digest for digest in self._missing if digest not in wanted]:
            del self._missing[digest]

    def next_time(self, now: int) -> int:
        """Returns when this needs to be looked at again."""
        if not self._peers:
            return now + SUMMARY_MAX_MS * MILLISECOND
        if not self._missing:
            return self._summary_at
        asked_at = min(missing.asked_at for missing in self._missing.values())
        return min(self._summary_at, asked_at + RETRY_MS * MILLISECOND)

    def _next_peer(self) -> AccountId:
        peers = tuple(self._peers)
        self._turn = (self._turn + 1) % len(peers)
        return peers[self._turn]

    def _may_ask_closure(self, peer: AccountId, now: int) -> bool:
        known = self._peers[peer]
        past = known.closure_asked_at
        if past is not None and now < past + RETRY_MS * MILLISECOND:
            return False
        known.closure_asked_at = now
        return True


def _is_ahead(theirs: tuple[int, ...], mine: tuple[int, ...], margin: int) -> bool:
    return any(other > own + margin for other, own in zip(theirs, mine, strict=False))
