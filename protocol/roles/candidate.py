"""A staked account's part in the committees to come: register, say that it is there, attest.

All of it is free and asked for by itself, so a node that was evicted while it was away comes back
without its operator.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from protocol.errors import Rejected
from protocol.messages import EpochAttestation, EpochPayload, Lease, Payload, Registration
from protocol.signing import EPOCH, Scheme
from protocol.state import State
from protocol.units import MILLISECOND, AccountId

FRESH_ROUNDS: Final = 4
"""A ledger whose last commit is older than so many of its slowest rounds is still catching up."""


class Candidate:
    """Decides for one account.

    Args:
        seeds: Signing seed and random-function seed.
        state: What is final.
        scheme: Signature functions.
    """

    def __init__(self, seeds: tuple[bytes, bytes], state: State, scheme: Scheme) -> None:
        self._seed, vrf_seed = seeds
        self._account: AccountId = scheme.account_of(self._seed)
        self._vrf_key = scheme.vrf_key_of(vrf_seed)
        self._state = state
        self._scheme = scheme

    def duties(self, waiting: Sequence[Payload], now: int) -> tuple[EpochPayload, ...]:
        """Names what this account owes the ledger now.

        Args:
            waiting: What it has signed already and is not final.
            now: Nanoseconds since genesis. What a node that is days behind owed the epochs that
                it walks through would be void before anybody orders it.
        """
        parameters = self._state.parameters
        round_ms = parameters.idle_round_ms + parameters.leader_timeout_ms
        age_ms = now // MILLISECOND - self._state.commit_time_ms
        if age_ms > FRESH_ROUNDS * round_ms:
            return ()
        owed = (*self._attestations(), *self._candidacy())
        return tuple(one for one in owed if one not in waiting and self._would_pass(one))

    def _attestations(self) -> Iterator[EpochPayload]:
        for closed in self._state.epochs.owed_by(self._account):
            signature = self._scheme.sign(self._seed, EPOCH, closed.digest)
            yield EpochAttestation(closed.committee.epoch, closed.digest, signature)

    def _candidacy(self) -> Iterator[EpochPayload]:
        epochs, parameters = self._state.epochs, self._state.parameters
        if self._state.accounts.of(self._account).staked < parameters.stake_minimum:
            return
        if not epochs.is_registered(self._account, self._vrf_key):
            yield Registration(AccountId(self._vrf_key))
        elif epochs.may_lease(self._account):
            yield Lease(epochs.committee.beacon_at_start)

    def _would_pass(self, payload: EpochPayload) -> bool:
        try:
            self._state.preview(self._account, payload)
        except Rejected:
            return False
        return True
