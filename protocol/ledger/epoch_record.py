"""What a state keeps of its epochs, as plain values: the entries that roots and snapshots hold.

A snapshot is taken where an epoch ended. The record of that place still has the ended epoch as the
running one, and the members of the next: how the epoch ended is told by its boundary, which names
the root of this very record and so cannot be in it.
"""

from dataclasses import dataclass
from typing import Final

from protocol.ledger.certificate import Boundary, Closed
from protocol.ledger.committee import Committee, CommitteeMember
from protocol.units import AccountId, Credits, Digest, Epoch, MemberIndex, Signature, Weight

NEVER: Final = Epoch(-1)
CLOSED_MIN: Final = 2
"""Ended epochs that are kept in any case: attestations of the last one are still on their way."""
CLOSED_MAX: Final = 8
"""And at most, while the oldest has no certificate: without it nobody can prove what came after.

With 64 seats these take some 80 KB of the record. A late attestation can only agree: whoever
attests another end so late has little to lose, and is refused instead of heard.
"""


@dataclass(frozen=True, slots=True)
class Registered:
    """An account that may ask for a seat."""

    vrf_key: bytes
    since: Epoch
    """The epoch in which this key was registered; it counts two epochs later."""
    lease: Epoch = NEVER
    """The newest epoch that it said it was there in."""


@dataclass(frozen=True, slots=True)
class Seats:
    """One epoch's committee."""

    epoch: Epoch
    members: tuple[CommitteeMember, ...]
    beacon: Digest
    origin: bytes
    """Digest of the boundary before it; empty in the first epoch."""

    def committee(self, network: Digest, *, churn_profile: bool) -> Committee:
        """Makes the committee that votes."""
        return Committee(
            network,
            self.epoch,
            self.members,
            self.beacon,
            churn_profile=churn_profile,
            origin=self.origin,
        )


@dataclass(frozen=True, slots=True)
class ClosedRecord:
    """An epoch that is over, and what its members said of its end."""

    boundary: Boundary
    seats: Seats
    signatures: tuple[tuple[MemberIndex, Signature], ...]
    disputing: tuple[MemberIndex, ...]

    def closed(self, *, churn_profile: bool) -> Closed:
        """Makes what further signatures are added to."""
        boundary = self.boundary
        committee = self.seats.committee(boundary.network, churn_profile=churn_profile)
        disputing = dict.fromkeys(self.disputing)
        return Closed(boundary, boundary.digest, committee, dict(self.signatures), disputing)


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """The running epoch and the last ones; changes at ends, and with each attestation."""

    seats: Seats
    closed: tuple[ClosedRecord, ...]
    """The last ones that are over, the oldest first."""
    recorded: tuple[tuple[AccountId, Credits], ...]
    """Stakes at the last boundary, of everybody who may be elected at the next one."""
    weights: tuple[Weight, ...]
    """Of the committees of a day, the running one last."""
    following: tuple[CommitteeMember, ...]
    """The next committee; there only at the end of an epoch."""
    stopped: str


@dataclass(frozen=True, slots=True)
class Activity:
    """Who asked for a seat in an epoch that has ended; their stakes are recorded at its end.

    What members did in the running epoch is in no entry: it follows from the ordered blocks, and
    all that is left of it at the end is the next committee.
    """

    newcomers: tuple[AccountId, ...] = ()
    leased: tuple[AccountId, ...] = ()


NOBODY: Final = Activity()


def seats_of(committee: Committee) -> Seats:
    """Takes down a committee."""
    return Seats(committee.epoch, committee.members, committee.beacon_at_start, committee.origin)


def record_of(closed: Closed) -> ClosedRecord:
    """Takes down an ended epoch."""
    return ClosedRecord(
        closed.boundary,
        seats_of(closed.committee),
        tuple(sorted(closed.signatures.items())),
        tuple(sorted(closed.disputing)),
    )
