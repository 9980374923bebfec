"""A dispute between two results of a job made of steps: a search for the first step they differ in.

Each result came with the root of its trace (`protocol.tree.trace`). Level by level both sides open
the node that they are at; where the left halves differ the search goes left, else right, until one
leaf is left: a step before which both agree and after which they do not. Nothing is stored but what
the sides said, so that whoever has the record walks the same way again.

A side is everybody who found the same. The first of them speaks for all; when half of its clock is
gone, everybody may. Each side has one clock for all its answers, like a chess player. When it has
run out, what the side bound itself to was never opened, and the dispute is lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from protocol.errors import Reason, Rejected
from protocol.job.transcript import Draw
from protocol.step_messages import StepPair
from protocol.tree.trace import NO_STEP, height_of, node_of, padding_of, top_of
from protocol.units import AccountId, Digest, Milliseconds

FIRST, SECOND = 0, 1
"""The two sides."""


class Ground(Enum):
    """What a verdict rests on; the value is the sentence shown to people."""

    SILENCE = "a side did not open its trace in time"
    STEP = "a jury ran the step in which they differ"
    NO_JURY = "no jury agreed on the step in which they differ"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a dispute ended."""

    ground: Ground
    losers: tuple[int, ...]
    """Numbers of the sides whose result is out."""
    convicting: bool
    """Whether enough of a jury agreed to take the losers' pledges."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two neighbours in a trace."""

    left: Digest
    right: Digest


@dataclass(frozen=True, slots=True)
class Side:
    """Everybody who found one result, and what they opened of its trace."""

    members: tuple[AccountId, ...]
    output: Digest
    """The result, which is what the last step left."""
    trace: Digest
    remaining_ms: Milliseconds
    """Ledger time that is left for all further answers."""
    opened: tuple[Pair, ...] = ()
    """From the root on."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """Two results and the search for the first step that they differ in."""

    steps: int
    sides: tuple[Side, Side]
    asked_ms: Milliseconds
    """Ledger time from which the clocks of those who have not answered run."""
    is_urgent: bool = False
    """Whether half of a clock has gone by since then."""
    before: tuple[Digest, ...] = ()
    """What the step before the last pair left, and its neighbours on the way up."""
    jury: Draw | None = None
    """Who could be called to run the one step."""
    verdict: Verdict | None = None

    @property
    def level(self) -> int:
        """How many levels both sides have opened."""
        return min(len(side.opened) for side in self.sides)

    @property
    def is_searching(self) -> bool:
        """Whether a side still has to answer."""
        return self.verdict is None and self.level < height_of(self.steps)

    @property
    def deadline_ms(self) -> Milliseconds:
        """Ledger time at which the next clock runs out, or first half of it."""
        shortest_ms = min(self.sides[side].remaining_ms for side in self.awaited)
        return Milliseconds(self.asked_ms + (shortest_ms if self.is_urgent else shortest_ms // 2))

    @property
    def awaited(self) -> tuple[int, ...]:
        """The sides that have not opened this level yet."""
        return tuple(at for at, side in enumerate(self.sides) if len(side.opened) == self.level)


class Place(NamedTuple):
    """Where a search stands."""

    begin: int
    """First leaf below."""
    height: int
    """Levels from here to the leaves."""
    nodes: tuple[Digest, Digest]
    """What each side has here."""
    agreed: Digest | None
    """The greatest subtree that ends just before and is the same on both sides; None at the
    beginning."""
    agreed_height: int


@dataclass(frozen=True, slots=True)
class DisputedStep:
    """The one step that a dispute comes down to."""

    index: int
    """From 0."""
    given: Digest | None
    """What both sides agree it began with; None for the inputs of the job."""
    claims: tuple[Digest, Digest]
    """What each side says that it left."""


def place_of(dispute: Dispute) -> Place:
    """Follows what both sides opened down to where they differ first."""
    *_, place = _way(dispute)
    return place


def disputed_step(dispute: Dispute) -> DisputedStep:
    """Names the step that is left when both sides have opened every level."""
    assert dispute.level == height_of(dispute.steps), "the search is over"
    place = place_of(dispute)
    claims = place.nodes
    if place.begin == dispute.steps - 1:
        first, second = zip(place.nodes, dispute.sides, strict=True)
        claims = (_last_claim(*first), _last_claim(*second))
    given = place.agreed
    if place.agreed_height:
        given = dispute.before[0]
    return DisputedStep(place.begin, given, claims)


def open_level(
    dispute: Dispute, account: AccountId, payload: StepPair, now_ms: Milliseconds
) -> Dispute:
    """Takes in what one side opens.

    Raises:
        Rejected: `NOT_EXECUTOR` for whoever is of no side, `WRONG_PHASE` for a level that is not
            asked for, `ALREADY_DONE`, or `BAD_PROOF` for what the trace does not have there.
    """
    number = _side_of(dispute, account)
    side = dispute.sides[number]
    if len(side.opened) > payload.level:
        raise Rejected(Reason.ALREADY_DONE, "this level of the trace is open")
    if payload.level != dispute.level or not dispute.is_searching:
        raise Rejected(Reason.WRONG_PHASE, f"level {dispute.level} is asked for")
    place = place_of(dispute)
    if node_of(payload.left, payload.right) != place.nodes[number]:
        raise Rejected(Reason.BAD_PROOF, "the trace has another pair there")
    if _middle(place) >= dispute.steps and payload.right != padding_of(place.height - 1):
        raise Rejected(Reason.BAD_PROOF, "there is no step any more")
    before = dispute.before
    if is_before_asked(place, number):
        before = _checked(payload.before, place)
    elif payload.before:
        raise Rejected(Reason.BAD_PROOF, "nothing else is asked for")
    spent_ms = now_ms - dispute.asked_ms
    opened = replace(
        side,
        opened=(*side.opened, Pair(payload.left, payload.right)),
        remaining_ms=Milliseconds(side.remaining_ms - spent_ms),
    )
    first, second = dispute.sides
    sides = (opened, second) if number == FIRST else (first, opened)
    answered = replace(dispute, sides=sides, before=before)
    if answered.level == dispute.level:
        return answered
    return replace(answered, asked_ms=now_ms, is_urgent=False)


def is_before_asked(place: Place, side: int) -> bool:
    """Whether a side also has to show what the step before the last pair left."""
    return side == FIRST and place.height == 1 and place.agreed_height > 0


def pass_deadline(dispute: Dispute, now_ms: Milliseconds) -> Dispute:
    """Asks everybody when half of a clock is gone; ends the dispute when one has run out."""
    if not dispute.is_urgent:
        return replace(dispute, is_urgent=True)
    silent = tuple(
        at for at in dispute.awaited if dispute.asked_ms + dispute.sides[at].remaining_ms <= now_ms
    )
    return replace(dispute, verdict=Verdict(Ground.SILENCE, silent, convicting=False))


def end_by_votes(dispute: Dispute, votes: Sequence[Digest], seats: int) -> Dispute:
    """Ends a dispute by what jurors found that the step leaves.

    More than half of the seats decide which claims are wrong; more than two thirds take a pledge,
    and only where they confirm one of the sides: where both are wrong, three machines that disagree
    say as much about the step as about anybody.

    Args:
        dispute: A dispute whose search is over.
        votes: What each juror found.
        seats: How many jurors were wanted; who is silent counts as against.
    """
    claims = disputed_step(dispute).claims
    for found in sorted(set(votes)):
        agreeing = votes.count(found)
        if 2 * agreeing > seats:
            losers = tuple(at for at in (FIRST, SECOND) if claims[at] != found)
            enough = agreeing >= seats - (seats - 1) // 3
            convicting = enough and len(losers) == 1
            return replace(dispute, verdict=Verdict(Ground.STEP, losers, convicting))
    return replace(dispute, verdict=Verdict(Ground.NO_JURY, (), convicting=False))


def _way(dispute: Dispute) -> Iterator[Place]:
    """All places from the roots to where the search stands."""
    first, second = dispute.sides
    height = height_of(dispute.steps)
    place = Place(0, height, (first.trace, second.trace), None, 0)
    yield place
    for one, other in zip(first.opened, second.opened, strict=False):
        height, middle = place.height - 1, _middle(place)
        if one.left != other.left or middle >= dispute.steps:
            nodes = (one.left, other.left)
            place = place._replace(height=height, nodes=nodes)
        else:
            place = Place(middle, height, (one.right, other.right), one.left, height)
        yield place


def _middle(place: Place) -> int:
    """The first leaf of the right half."""
    return place.begin + (1 << (place.height - 1))


def _last_claim(leaf: Digest, side: Side) -> Digest:
    """What a side says that the last step left: nothing, where its trace is not of its result."""
    return leaf if leaf == side.output else NO_STEP


def _side_of(dispute: Dispute, account: AccountId) -> int:
    for number, side in enumerate(dispute.sides):
        if account in side.members:
            return number
    raise Rejected(Reason.NOT_EXECUTOR, "its result is not in dispute")


def _checked(before: tuple[Digest, ...], place: Place) -> tuple[Digest, ...]:
    is_whole = len(before) == place.agreed_height + 1
    if not is_whole or top_of(before[0], before[1:]) != place.agreed:
        raise Rejected(Reason.BAD_PROOF, "it does not lead to what both sides have before")
    return before
