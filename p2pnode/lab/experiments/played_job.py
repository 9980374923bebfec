"""Plays whole jobs on a state of the node's own, one commit after the other, without a network.

Everything that decides anything is the protocol's: offers, draws, audits, verdicts, payments. Only
the order of operations is given, as a ledger would give it, and what each worker answers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from protocol.encoding import content_digest, digest_of
from protocol.job.commit_reveal import (
    commitment_digest,
    fingerprint_digest,
    fingerprint_due,
    reveal_due,
)
from protocol.job.record import Job, Phase, ResultOutcome, Status
from protocol.ledger.committee import Committee
from protocol.ledger.ordering import Commit
from protocol.messages import (
    VERSION,
    Allocation,
    Bid,
    Commitment,
    Fingerprint,
    Genesis,
    Limits,
    Offer,
    Operation,
    Payload,
    Reveal,
    Validator,
    VerifiedOperation,
    network_of,
    sign_operation,
)
from protocol.parameters import Parameters
from protocol.simulator.scheme import FAKE
from protocol.state import State
from protocol.units import CREDIT, AccountId, CommitIndex, JobId, Round

Answer = Callable[[Job], Payload | None]
"""What a worker sends next for a job; None for nothing yet."""

PRICE: Final = 1_000
SECONDS: Final = 10
STEP_MS: Final = 300
WAIT_MS: Final = 12_000
"""When nobody has anything to say, time passes faster."""
COMMITS_MAX: Final = 600


def seed_of(number: int) -> bytes:
    """The key of a numbered account."""
    return b"played".ljust(28, b".") + number.to_bytes(4, "big")


def account_of(number: int) -> AccountId:
    """A numbered account; 0 is the requester."""
    return FAKE.account_of(seed_of(number))


def offer_of(parameters: Parameters, **terms: int) -> Offer:
    """Terms of a job metered by fuel, which pays `PRICE` for each of ten seconds."""
    fuel = SECONDS * parameters.fuel_per_second
    return Offer(
        kind="wasm",
        artefact=content_digest(b"artefact"),
        inputs=(),
        size_bytes=100,
        device="any",
        limits=Limits(60_000, 2**28, 2**20, fuel),
        result_class="exact",
        tolerated_error_ppm=terms.get("tolerated_error_ppm", 20_000),
        replicas=terms.get("replicas", 1),
        replicas_max=terms.get("replicas_max", 6),
        price_cap=PRICE,
        budget=10 * CREDIT,
        bid_window_rounds=parameters.bid_window_rounds_min,
        deadline_ms=60_000,
        speed_target_ms=0,
        sandbox_level=0,
        retention_ms=0,
    )


@dataclass(slots=True)
class Runner:
    """A worker that runs what it is drawn for, and says that it found an output."""

    number: int
    parameters: Parameters
    output: bytes = b"right"

    def __call__(self, job: Job) -> Payload | None:
        """Sends what is due."""
        own = job.executor(account_of(self.number))
        if own is None:
            return None
        reveal = self._reveal(job)
        if own.status is Status.RUNNING:
            return Commitment(job.identifier, commitment_digest(own.account, reveal))
        if fingerprint_due(job, own):
            return Fingerprint(job.identifier, fingerprint_digest(reveal))
        return reveal if reveal_due(job, own) else None

    def _reveal(self, job: Job) -> Reveal:
        return Reveal(
            job=job.identifier,
            outcome=ResultOutcome.FINISHED.value,
            output=content_digest(self.output),
            elapsed_ms=SECONDS * 1_000,
            fuel=SECONDS * self.parameters.fuel_per_second,
            salt=bytes(32),
        )


class Played:
    """A ledger of one requester and many workers, each with the same stake.

    Args:
        parameters: The network's terms.
        workers: How many there are; they are numbered from 1 on.
        luck: Varies all beacons.
    """

    def __init__(self, parameters: Parameters, workers: int, luck: int = 0) -> None:
        holders = range(workers + 1)
        self.parameters = parameters
        self._genesis = Genesis(
            name="played",
            time_ms=0,
            seed=bytes(32),
            parameters=parameters,
            validators=tuple(
                Validator(
                    account_of(one), AccountId(FAKE.vrf_key_of(seed_of(one))), 10_000 * CREDIT
                )
                for one in holders
            ),
            allocations=tuple(Allocation(account_of(one), 10_000 * CREDIT) for one in holders),
            faucet=None,
        )
        self._network = network_of(self._genesis)
        self._luck = luck.to_bytes(8, "big")
        self.state = State(self._genesis, Committee.of_genesis(self._genesis), FAKE)

    def play(self, offer: Offer, bidders: Iterable[int], answers: Mapping[int, Answer]) -> Job:
        """Plays one job to the end, late reveals included.

        Args:
            offer: Its terms.
            bidders: Who bids, at `PRICE`.
            answers: What each worker does; who is not named stays silent.
        """
        entry = self._signed(0, offer)
        self._commit((entry,))
        job = JobId(entry.identifier)
        bid = Bid(job, PRICE, "cpu", SECONDS * 1_000, 0)
        self._commit(tuple(self._signed(number, bid) for number in bidders))
        for _ in range(COMMITS_MAX):
            record = self.state.jobs[job]
            if record.terminal and not record.having(Status.UNOPENED):
                return record
            said = [(number, answer(record)) for number, answer in answers.items()]
            entries = tuple(self._signed(number, one) for number, one in said if one is not None)
            is_idle = not entries and record.phase in (Phase.COMPARING, Phase.REVEALING)
            self._commit(entries, WAIT_MS if is_idle or record.terminal else STEP_MS)
        raise AssertionError(f"the job stays {self.state.jobs[job].phase}")

    def wealth(self, number: int) -> int:
        """What an account has, available and staked, in millionths."""
        owned = self.state.accounts.of(account_of(number))
        return owned.available + owned.staked

    def checks(self, number: int) -> int:
        """The cross-checks that a worker has passed in a row."""
        return self.state.reputation_of(account_of(number)).checks

    def _signed(self, number: int, payload: Payload) -> VerifiedOperation:
        nonce = self.state.next_nonce(account_of(number))
        assert nonce is not None, "everybody has an account from the start"
        operation = Operation(
            version=VERSION,
            network=self._network,
            account=account_of(number),
            nonce=nonce,
            last_epoch=100,
            payload=payload,
        )
        return sign_operation(operation, seed_of(number), FAKE)

    def _commit(self, entries: tuple[VerifiedOperation, ...], step_ms: int = STEP_MS) -> None:
        index = CommitIndex(self.state.index + 1)
        name = index.to_bytes(8, "big") + self._luck
        commit = Commit(
            index=index,
            leader_round=Round(self.state.leader_round + 1),
            leader=digest_of(b"leader", name),
            digest=digest_of(b"commit", name),
            time_ms=self.state.commit_time_ms + step_ms,
            beacon=digest_of(b"beacon", name),
            blocks=(),
            equivocations=(),
            epoch=self.state.committee.epoch,
            closes=False,
        )
        self.state.apply(commit, entries)
