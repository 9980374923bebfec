"""The state's record of epochs: who takes part now, who will next, and how the last ones ended.

Everything here is a function of the final sequence. An epoch costs work in proportion to its
committee and to the accounts that registered or renewed a lease in it, never to all accounts.
"""

from collections.abc import Callable, Iterable, Iterator

from protocol.entries import CANDIDATE, Section, Table
from protocol.errors import Reason, Rejected
from protocol.facts import (
    BoundaryDisputed,
    CommitteeTooLight,
    EpochCertified,
    EpochClosed,
    StateFact,
)
from protocol.ledger.certificate import Boundary, Closed
from protocol.ledger.certified import EpochCertificate, certificate_of
from protocol.ledger.committee import Committee, CommitteeMember, members_digest
from protocol.ledger.election import Candidate, check_rest, elect, is_in_second_half
from protocol.ledger.epoch_record import (
    CLOSED_MAX,
    CLOSED_MIN,
    NEVER,
    NOBODY,
    Activity,
    EpochRecord,
    Registered,
    record_of,
    seats_of,
)
from protocol.ledger.ordering import Commit
from protocol.messages import EpochAttestation, EpochPayload, Genesis, Lease, Registration
from protocol.signing import EPOCH, Scheme
from protocol.units import (
    BASIS,
    AccountId,
    Credits,
    Digest,
    Epoch,
    MemberIndex,
    Round,
    Weight,
)


class Epochs:
    """Committees and candidates as of the last commit; owned and changed by the state alone.

    Attributes:
        committee: The members of the running epoch.
        closed: The last two epochs that are over, the oldest first; where an older one has no
            certificate yet, all from that one on, up to `CLOSED_MAX`.
        stopped: Why no further epoch may begin; empty while all is well.
    """

    def __init__(
        self,
        genesis: Genesis,
        committee: Committee,
        scheme: Scheme,
        stake_of: Callable[[AccountId], Credits],
    ) -> None:
        self.committee = committee
        self.closed: tuple[Closed, ...] = ()
        self.stopped = ""
        self._parameters = genesis.parameters
        self._scheme = scheme
        self._stake_of = stake_of
        self._registered = Table[AccountId, Registered]()
        for one in genesis.validators:
            self._registered.set(one.account, Registered(one.vrf_key, NEVER))
        self._recorded = {one.account: stake_of(one.account) for one in genesis.validators}
        """Stakes at the last boundary, of everybody who may be elected at the next one."""
        self._last_rounds: dict[MemberIndex, Round] = {}
        self._newcomers: dict[AccountId, None] = {}
        self._leased: dict[AccountId, None] = {}
        self._convicted: dict[AccountId, None] = {}
        self._weights: tuple[Weight, ...] = (committee.total,)
        """Of the committees of a day, the running one last."""
        self._following: tuple[CommitteeMember, ...] = ()
        """The next committee, between its election and the end of this epoch."""
        self._activity = NOBODY
        self._record: EpochRecord | None = None
        """What was taken down last; None since something in it has changed."""

    @property
    def epoch(self) -> Epoch:
        """The running epoch."""
        return self.committee.epoch

    @property
    def before(self) -> Committee | None:
        """The members of the epoch before the running one; None in the first."""
        return self.closed[-1].committee if self.closed else None

    def committee_of(self, epoch: int) -> Committee | None:
        """The members of the running epoch or of the one before it."""
        known = (self.committee, self.before)
        return next((one for one in known if one is not None and one.epoch == epoch), None)

    def is_registered(self, account: AccountId, vrf_key: bytes) -> bool:
        """Whether an account has registered this key."""
        known = self._registered.find(account)
        return known is not None and known.vrf_key == vrf_key

    def may_lease(self, account: AccountId) -> bool:
        """Whether a lease could bring an account a seat that it has not."""
        known = self._registered.find(account)
        is_outside = self.committee.index_of(account) is None and account not in self._leased
        return is_outside and known is not None and known.since < self.epoch

    @property
    def leased(self) -> Iterable[AccountId]:
        """Who renewed a lease in the running epoch."""
        return self._leased.keys()

    def owed_by(self, account: AccountId) -> Iterator[Closed]:
        """The closed epochs whose end an account was a member to, and has not attested."""
        for closed in self.closed:
            index = closed.committee.index_of(account)
            if index is not None and index not in closed.signatures | closed.disputing:
                yield closed

    def certificate(self, epoch: Epoch) -> EpochCertificate | None:
        """The certificate of one of the last epochs, once a quorum of its members agrees."""
        followers = (*self.closed[1:], None)
        for closed, next_closed in zip(self.closed, followers, strict=True):
            if closed.boundary.epoch == epoch and closed.is_certified:
                following = next_closed.committee if next_closed is not None else self.committee
                return certificate_of(closed, following.members)
        return None

    # Operations

    def check(self, account: AccountId, payload: EpochPayload) -> None:
        """Judges an operation; changes nothing.

        Raises:
            Rejected: with the rule that it breaks.
        """
        match payload:
            case Registration():
                self._check_stake(account)
                known = self._registered.find(account)
                if known is not None and known.since == self.epoch:
                    raise Rejected(Reason.ALREADY_COUNTED)
            case Lease():
                self._check_stake(account)
                known = self._registered.find(account)
                if known is None:
                    raise Rejected(Reason.NOT_REGISTERED)
                if known.lease >= self._epoch_leased(payload):
                    raise Rejected(Reason.ALREADY_COUNTED)
            case EpochAttestation():
                self._check_attestation(account, payload)

    def check_withdrawal(self, account: AccountId, amount: Credits) -> None:
        """Judges what the members would have at stake after a withdrawal; changes nothing.

        Raises:
            Rejected: `SEAT_NEEDED` when they could not form the next committee.
        """
        seats = [(member.account, member.vrf_key) for member in self.committee.members]
        standing = [one for seat in seats for one in self._candidate(*seat)]
        check_rest(standing, account, amount, self._weight_needed())

    def enter(self, account: AccountId, payload: EpochPayload) -> tuple[StateFact, ...]:
        """Gives a checked operation its effect; returns what to report."""
        match payload:
            case Registration(vrf_key):
                known = self._registered.find(account)
                lease = known.lease if known is not None else NEVER
                self._registered.set(account, Registered(vrf_key, self.epoch, lease))
                self._newcomers[account] = None
            case Lease():
                known, epoch = self._registered.find(account), self._epoch_leased(payload)
                assert known is not None, "the lease was checked"
                self._registered.set(account, Registered(known.vrf_key, known.since, epoch))
                if epoch == self.epoch:
                    self._leased[account] = None
            case EpochAttestation():
                return self._attest(account, payload)
        return ()

    def _check_stake(self, account: AccountId) -> None:
        if self._stake_of(account) < self._parameters.stake_minimum:
            raise Rejected(Reason.INSUFFICIENT_STAKE, "a candidate has the minimum at stake")

    def _epoch_leased(self, lease: Lease) -> Epoch:
        """Names the epoch that a lease is for; one for the last epoch is late, but no fault."""
        for committee in (self.committee, self.before):
            if committee is not None and committee.beacon_at_start == lease.beacon:
                return committee.epoch
        raise Rejected(Reason.WRONG_EPOCH)

    def _check_attestation(self, account: AccountId, attestation: EpochAttestation) -> None:
        closed = self._closed(attestation)
        index = closed.committee.index_of(account)
        if index is None:
            raise Rejected(Reason.NOT_A_MEMBER)
        if index in closed.signatures or index in closed.disputing:
            raise Rejected(Reason.ALREADY_COUNTED)
        is_late = closed not in self.closed[-CLOSED_MIN:]
        if is_late and attestation.boundary != closed.digest:
            raise Rejected(Reason.WRONG_EPOCH, "another end can be attested for two epochs only")
        self._scheme.verify(account, EPOCH, attestation.boundary, attestation.signature)

    def _closed(self, attestation: EpochAttestation) -> Closed:
        for closed in self.closed:
            if closed.committee.epoch == attestation.epoch:
                return closed
        raise Rejected(Reason.WRONG_EPOCH)

    def _attest(self, account: AccountId, attestation: EpochAttestation) -> tuple[StateFact, ...]:
        self._record = None
        closed = self._closed(attestation)
        epoch, index = closed.committee.epoch, closed.committee.index_of(account)
        assert index is not None, "the attestation was checked"
        if attestation.boundary != closed.digest:
            closed.disputing[index] = None
            if closed.is_contradicted:
                self.stopped = f"members signed another end of epoch {epoch}"
            return (BoundaryDisputed(epoch, account),)
        was_certified = closed.is_certified
        closed.signatures[index] = attestation.signature
        return (EpochCertified(epoch),) if closed.is_certified and not was_certified else ()

    # Boundary

    def note(self, commit: Commit) -> None:
        """Notes who took part in a commit."""
        last_rounds = self._last_rounds
        for block in commit.blocks:
            author, block_round = block.block.author, block.block.round
            if block_round > last_rounds.get(author, 0):
                last_rounds[author] = block_round

    def convict(self, account: AccountId) -> None:
        """Takes an account's seat: it has to come back as a candidate."""
        self._convicted[account] = None

    def elect(self, commit: Commit) -> tuple[StateFact, ...]:
        """Chooses the next committee at the last commit of the epoch, for the state's root.

        Returns:
            What to report when there is none.
        """
        self._record = None
        parameters = self._parameters
        members = elect(self._candidates(commit.leader_round), parameters.committee_max)
        weight = Weight(sum(member.weight for member in members))
        needed = self._weight_needed()
        if weight < needed:
            self.stopped = f"the next committee would weigh {weight}, and at least {needed} must"
            return (CommitteeTooLight(self.epoch, len(members), weight, needed),)
        self._following = members
        self._activity = Activity(tuple(self._newcomers), tuple(self._leased))
        return ()

    def close(self, commit: Commit, state_digest: Digest) -> tuple[StateFact, ...]:
        """Ends the epoch with its last commit, and begins the next one if there is a committee.

        Args:
            commit: The commit that closes the epoch.
            state_digest: The state after it, with the elected members in it.

        Returns:
            What to report.
        """
        if self.stopped:
            return ()
        old = self.committee
        boundary = Boundary(
            old.network,
            old.epoch,
            commit.index,
            commit.digest,
            state_digest,
            members_digest(self._following),
            commit.beacon,
        )
        self._turn(boundary)
        before, after = _accounts_of(old), _accounts_of(self.committee)
        return (
            EpochClosed(
                old.epoch,
                commit.index,
                commit.leader_round,
                len(self.committee),
                self.committee.total,
                joined=tuple(account for account in after if account not in before),
                left=tuple(account for account in before if account not in after),
            ),
        )

    def _weight_needed(self) -> Weight:
        """The least that the next committee may weigh, rounded down; at least 1."""
        return Weight(max(1, self._weights[0] * self._parameters.committee_weight_min // BASIS))

    def _candidates(self, closing_round: Round) -> Iterator[Candidate]:
        """Yields members that were active to the end, and others that renewed their lease."""
        for number, member in enumerate(self.committee.members):
            last_round = self._last_rounds.get(MemberIndex(number), 0)
            if is_in_second_half(last_round, closing_round):
                yield from self._candidate(member.account, member.vrf_key)
        for account in self._leased:
            is_rich = self._stake_of(account) >= self._parameters.stake_minimum
            if is_rich and self.committee.index_of(account) is None:
                yield from self._candidate(account, None)

    def _candidate(self, account: AccountId, used_key: bytes | None) -> Iterator[Candidate]:
        """Yields an account unless it is barred; a key registered in this epoch counts later."""
        known, recorded = self._registered.find(account), self._recorded.get(account)
        assert known is not None, "members and those with a lease are registered"
        vrf_key = known.vrf_key if known.since < self.epoch else used_key
        if vrf_key is not None and recorded is not None and account not in self._convicted:
            yield Candidate(account, vrf_key, recorded, self._stake_of(account))

    def _turn(self, boundary: Boundary) -> None:
        """Begins the next epoch."""
        self._record = None
        old = self.committee
        closed = (*self.closed, Closed(boundary, boundary.digest, old))
        while len(closed) > CLOSED_MIN and (closed[0].is_certified or len(closed) > CLOSED_MAX):
            closed = closed[1:]
        self.closed = closed
        self.committee = Committee(
            old.network,
            Epoch(old.epoch + 1),
            self._following,
            boundary.beacon,
            churn_profile=self._parameters.churn_profile,
            origin=boundary.digest,
        )
        touched = (*_accounts_of(old), *_accounts_of(self.committee), *self._newcomers)
        self._recorded = {account: self._stake_of(account) for account in (*touched, *self._leased)}
        self._weights = (*self._weights, self.committee.total)
        self._weights = self._weights[-self._parameters.committee_weight_epochs :]
        self._last_rounds = {}
        self._newcomers, self._leased, self._convicted = {}, {}, {}
        self._following, self._activity = (), NOBODY

    # Entries of the state

    @property
    def registered(self) -> Section[AccountId, Registered]:
        """Everybody that ever asked for a seat."""
        return self._registered.section(CANDIDATE)

    def record(self) -> EpochRecord:
        """Takes down the running epoch and the last ones."""
        if self._record is None:
            self._record = EpochRecord(
                seats_of(self.committee),
                tuple(record_of(closed) for closed in self.closed),
                tuple(sorted(self._recorded.items())),
                self._weights,
                self._following,
                self.stopped,
            )
        return self._record

    def activity(self) -> Activity:
        """Takes down, at the end of an epoch, who asked for a seat in it."""
        return self._activity

    def load(self, record: EpochRecord) -> None:
        """Takes over what another state took down."""
        self._record = None
        network, is_churn = self.committee.network, self._parameters.churn_profile
        self.committee = record.seats.committee(network, churn_profile=is_churn)
        self.closed = tuple(one.closed(churn_profile=is_churn) for one in record.closed)
        self._recorded = dict(record.recorded)
        self._weights = record.weights
        self._following = record.following
        self.stopped = record.stopped

    def load_activity(self, activity: Activity) -> None:
        """Takes over what another state took down."""
        self._activity = activity
        self._newcomers = dict.fromkeys(activity.newcomers)
        self._leased = dict.fromkeys(activity.leased)

    def resume(self, boundary: Boundary) -> None:
        """Begins the epoch after a loaded state that ends one.

        Raises:
            Rejected: `WRONG_EPOCH` when the boundary is not the end of the loaded epoch.
        """
        told = (boundary.network, boundary.epoch, boundary.committee)
        if told != (self.committee.network, self.epoch, members_digest(self._following)):
            raise Rejected(Reason.WRONG_EPOCH, "the state does not end at this boundary")
        self._turn(boundary)


def _accounts_of(committee: Committee) -> tuple[AccountId, ...]:
    return tuple(member.account for member in committee.members)
