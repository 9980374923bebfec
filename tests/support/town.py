"""A state whose epochs are driven by hand."""

from dataclasses import dataclass, field

import pytest

from protocol.economy.emission import Emission
from protocol.encoding import digest_of
from protocol.errors import Reason, Rejected
from protocol.facts import (
    StateFact,
)
from protocol.ledger.ordering import Commit
from protocol.messages import (
    EpochAttestation,
    EpochPayload,
    Lease,
    Payload,
    VerifiedOperation,
)
from protocol.parameters import Parameters, minimal
from protocol.signing import EPOCH, REAL
from protocol.units import CommitIndex, Digest, MemberIndex, Round
from tests.support.builders import (
    RICHES,
    STAKE,
    account_id,
    account_seed,
    make_genesis,
    make_operation,
    make_state,
)
from tests.support.dag_builder import Loom

ANN, BEA, CID, DOT, NEW = (account_id(number) for number in (0, 1, 2, 3, 9))
MEMBERS = 4


@dataclass
class Town:
    """A state whose epochs have one commit; whoever is named took part in it."""

    members: int = MEMBERS
    parameters: Parameters = field(default_factory=minimal)

    def __post_init__(self) -> None:
        available = STAKE + RICHES
        self.genesis = make_genesis(
            self.members, parameters=self.parameters, available=available, others=[9]
        )
        self.state = make_state(self.genesis)
        self.nonces: dict[int, int] = {}
        self.applied: list[tuple[Commit, list[VerifiedOperation]]] = []
        """Every commit so far, with its operations."""
        self.facts: list[tuple[StateFact, ...]] = []
        """What each of them brought."""

    @property
    def accounts(self) -> list[bytes]:
        return [member.account for member in self.state.committee.members]

    def commit(
        self,
        *sent: tuple[int, Payload],
        closes: bool = False,
        present: dict[int, int] | None = None,
        equivocations: tuple[tuple[MemberIndex, Round], ...] = (),
    ) -> tuple[StateFact, ...]:
        """Orders operations; `present` gives the round of the block of each numbered account.

        What an epoch paid is not among the facts that it returns.
        """
        state = self.state
        loom = Loom(state.committee)
        rows = {account_id(number): last for number, last in (present or {}).items()}
        blocks = tuple(
            loom.weave(index, rows[member.account], [])
            for index, member in enumerate(state.committee.members)
            if member.account in rows
        )
        index = CommitIndex(state.index + 1)
        name = index.to_bytes(8, "big")
        entries = [self.operation(number, payload) for number, payload in sent]
        commit = Commit(
            index=index,
            leader_round=Round(20 if closes else 1),
            leader=digest_of(b"leader", name),
            digest=digest_of(b"commit", name),
            time_ms=state.commit_time_ms + 1_000,
            beacon=digest_of(b"beacon", name),
            blocks=blocks,
            equivocations=equivocations,
            epoch=state.committee.epoch,
            base_round=Round(20 * state.committee.epoch),
            closes=closes,
        )
        self.applied.append((commit, entries))
        facts = state.apply(commit, entries)
        self.facts.append(facts)
        return tuple(fact for fact in facts if not isinstance(fact, Emission))

    def close(self, *numbers: int) -> tuple[StateFact, ...]:
        """Ends the epoch; those named were there in its last round."""
        return self.commit(closes=True, present=dict.fromkeys(numbers, 20))

    def operation(self, number: int, payload: Payload) -> VerifiedOperation:
        nonce = self.nonces.get(number, 0)
        self.nonces[number] = nonce + 1
        return make_operation(self.genesis, number, nonce, payload)

    def lease(self) -> Lease:
        return Lease(self.state.committee.beacon_at_start)

    def attestation(self, number: int, boundary: Digest | None = None) -> EpochAttestation:
        closed = self.state.epochs.closed[-1]
        digest = boundary or closed.digest
        signature = REAL.sign(account_seed(number), EPOCH, digest)
        return EpochAttestation(closed.committee.epoch, digest, signature)

    def refusal(self, number: int, payload: EpochPayload) -> Reason:
        with pytest.raises(Rejected) as caught:
            self.state.epochs.check(account_id(number), payload)
        return caught.value.reason
