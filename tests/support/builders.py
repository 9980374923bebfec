"""Values of the protocol with every argument defaulted, and a ledger that is driven by hand.

`HandLedger` stands for the whole network: it orders what it is given into commits, one leader after
the other, and keeps a state. Workers and liars are plain calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from msgspec.structs import replace

from protocol.encoding import content_digest, digest_of, encode
from protocol.facts import OperationFailed, StateFact
from protocol.job.commit_reveal import commitment_digest, fingerprint_digest, fingerprint_due
from protocol.job.record import Executor, Job, Phase, ResultOutcome, Status
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.ledger.ordering import Commit
from protocol.messages import (
    VERSION,
    Allocation,
    Bid,
    Block,
    Commitment,
    Fingerprint,
    Genesis,
    Limits,
    Offer,
    Operation,
    Payload,
    Reference,
    Reveal,
    StakeDeposit,
    Validator,
    VerifiedOperation,
    network_of,
    sign_operation,
)
from protocol.parameters import Parameters, minimal
from protocol.signing import OPERATION, REAL
from protocol.state import State
from protocol.units import CREDIT, AccountId, CommitIndex, Digest, JobId, MemberIndex, Round

STAKE = 10_000 * CREDIT
RICHES = 1_000 * CREDIT
SECOND_MS = 1_000


@cache
def account_seed(number: int) -> bytes:
    return b"account" + number.to_bytes(25, "big")


@cache
def account_id(number: int) -> AccountId:
    return REAL.account_of(account_seed(number))


@cache
def vrf_key(number: int) -> AccountId:
    return AccountId(REAL.vrf_key_of(b"random!" + number.to_bytes(25, "big")))


def make_genesis(
    validators: int = 7,
    stake: int = STAKE,
    available: int = RICHES,
    parameters: Parameters | None = None,
    others: Iterable[int] = (),
) -> Genesis:
    """Members 0 to n - 1 have a stake and money, `others` money alone."""
    holders = [*range(validators), *others]
    return Genesis(
        name="test",
        time_ms=0,
        seed=bytes(32),
        parameters=parameters if parameters is not None else minimal(),
        validators=tuple(
            Validator(account_id(number), vrf_key(number), stake) for number in range(validators)
        ),
        allocations=tuple(Allocation(account_id(number), available) for number in holders),
        faucet=None,
    )


def make_offer(
    *,
    kind: str = "onnx",
    time_ms: int = 60 * SECOND_MS,
    replicas: int = 3,
    replicas_max: int = 4,
    tolerated_error_ppm: int = 20_000,
    price_cap: int = 1_000,
    budget: int = 10 * CREDIT,
    speed_target_ms: int = 0,
    **changes: object,
) -> Offer:
    offer = Offer(
        kind=kind,
        artefact=content_digest(b"artefact"),
        inputs=(),
        size_bytes=100,
        device="any",
        limits=Limits(time_ms, 2**28, 2**20, 10**12),
        result_class="exact",
        tolerated_error_ppm=tolerated_error_ppm,
        replicas=replicas,
        replicas_max=replicas_max,
        price_cap=price_cap,
        budget=budget,
        bid_window_rounds=6,
        deadline_ms=60 * SECOND_MS,
        speed_target_ms=speed_target_ms,
        sandbox_level=0,
        retention_ms=0,
    )
    return replace(offer, **changes)


def make_bid(
    job: JobId, price: int = 1_000, device: str = "cpu", estimate_ms: int = 10 * SECOND_MS
) -> Bid:
    return Bid(job, price, device, estimate_ms, 0)


def make_reveal(
    job: JobId,
    output: bytes = b"right",
    outcome: ResultOutcome = ResultOutcome.FINISHED,
    elapsed_ms: int = 10 * SECOND_MS,
    fuel: int = 0,
) -> Reveal:
    return Reveal(job, outcome.value, content_digest(output), elapsed_ms, fuel, bytes(32))


def make_operation(
    genesis: Genesis,
    number: int,
    nonce: int,
    payload: Payload,
    last_epoch: int = 100,
    signed: bool = True,
) -> VerifiedOperation:
    """An operation of a numbered account, really signed unless speed matters more."""
    operation = Operation(
        version=VERSION,
        network=network_of(genesis),
        account=account_id(number),
        nonce=nonce,
        last_epoch=last_epoch,
        payload=payload,
    )
    if not signed:
        body = encode(operation)
        return VerifiedOperation(digest_of(OPERATION, body), operation, body)
    return sign_operation(operation, account_seed(number), REAL)


def make_state(genesis: Genesis | None = None) -> State:
    genesis = genesis if genesis is not None else make_genesis()
    return State(genesis, Committee.of_genesis(genesis), REAL)


def ledger_of_outsiders(workers: int = 6, stake: int = STAKE) -> "HandLedger":
    """Account 0 is the whole committee; the others staked without a vote, and may withdraw it."""
    others = range(1, workers + 1)
    available = RICHES + stake + minimal().operation_fee
    ledger = HandLedger(make_genesis(1, available=available, others=others))
    ledger.deposit(*others, amount=stake)
    return ledger


@dataclass
class HandLedger:
    """A state and the commits that it is given."""

    genesis: Genesis = field(default_factory=make_genesis)
    step_ms: int = SECOND_MS
    """Time from one commit to the next."""
    luck: int = 3
    """Varies all beacons; with 3, and the terms of `minimal`, no auditor joins the default job."""
    signed: bool = True
    quiet: set[int] = field(default_factory=set)
    """Accounts that send no fingerprint unless told to."""
    facts: list[StateFact] = field(default_factory=list)
    commits: list[tuple[Commit, tuple[VerifiedOperation | None, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = make_state(self.genesis)
        self.numbers = {account_id(number): number for number in range(64)}
        self.reveals: dict[tuple[int, JobId], Reveal] = {}

    def operation(self, number: int, payload: Payload) -> VerifiedOperation:
        nonce = self.state.next_nonce(account_id(number)) or 0
        return make_operation(self.genesis, number, nonce, payload, signed=self.signed)

    def commit(
        self,
        *entries: VerifiedOperation | None,
        step_ms: int | None = None,
        equivocations: tuple[tuple[MemberIndex, Round], ...] = (),
        authors: Iterable[int] = (),
        closes: bool = False,
    ) -> tuple[StateFact, ...]:
        """Orders entries in one commit, with one empty block of each author."""
        index = CommitIndex(self.state.index + 1)
        name = index.to_bytes(8, "big") + self.luck.to_bytes(8, "big")
        commit = Commit(
            index=index,
            leader_round=Round(self.state.leader_round + 1),
            leader=digest_of(b"leader", name),
            digest=digest_of(b"commit", name),
            time_ms=self.state.commit_time_ms + (self.step_ms if step_ms is None else step_ms),
            beacon=digest_of(b"beacon", name),
            blocks=tuple(self._block(number) for number in authors),
            equivocations=equivocations,
            epoch=self.state.committee.epoch,
            closes=closes,
        )
        facts = self.state.apply(commit, entries)
        self.commits.append((commit, entries))
        assert self.state.accounts.conserved()
        self.facts += facts
        return facts

    def turn(self, epochs: int = 1) -> None:
        """Ends epochs, with all members there."""
        for _ in range(epochs):
            members = [self.numbers[one.account] for one in self.state.committee.members]
            self.commit(authors=members, closes=True)

    def reload(self) -> None:
        """Writes the state out, and goes on with what is loaded."""
        pages = list(self.state.encode_pages())
        committee, root = self.state.committee, self.state.digest
        self.state = State.load(self.genesis, committee, REAL, pages, root)
        assert list(self.state.encode_pages()) == pages

    def do(self, number: int, payload: Payload) -> tuple[StateFact, ...]:
        """Orders one operation alone; it must succeed."""
        facts = self.commit(self.operation(number, payload))
        assert not [fact for fact in facts if isinstance(fact, OperationFailed)], facts
        return facts

    def fail(self, number: int, payload: Payload) -> OperationFailed:
        """Orders one operation alone; it must fail."""
        facts = self.commit(self.operation(number, payload))
        (failure,) = (fact for fact in facts if isinstance(fact, OperationFailed))
        return failure

    def open(self, number: int = 0, offer: Offer | None = None) -> JobId:
        entry = self.operation(number, offer if offer is not None else make_offer())
        facts = self.commit(entry)
        assert not [fact for fact in facts if isinstance(fact, OperationFailed)], facts
        return JobId(entry.identifier)

    def deposit(self, *numbers: int, amount: int = STAKE) -> None:
        """Stake that several accounts put in, which no vote weighs."""
        for number in numbers:
            self.do(number, StakeDeposit(amount))

    def bid(self, job: JobId, *numbers: int, price: int = 1_000, device: str = "cpu") -> None:
        """Bids of several accounts in one commit."""
        bid = make_bid(job, price, device)
        self.commit(*(self.operation(number, bid) for number in numbers))

    def until(self, job: JobId, *phases: Phase, most: int = 400) -> Job:
        """Commits with nothing but fingerprints, until the job is in one of the phases."""
        for _ in range(most):
            if self.state.jobs[job].phase in phases:
                return self.state.jobs[job]
            self.commit(*self.due_fingerprints(job))
        raise AssertionError(f"the job stays {self.state.jobs[job].phase}")

    def start(self, offer: Offer | None = None, bidders: Iterable[int] = range(1, 7)) -> Job:
        """A job of account 0 with its executors drawn."""
        job = self.open(0, offer)
        self.bid(job, *bidders)
        return self.until(job, Phase.EXECUTING)

    def running(self, job: JobId) -> tuple[int, ...]:
        """Numbers of the accounts that now run the job, in the order of calling."""
        return self._numbers(self.state.jobs[job].having(Status.RUNNING))

    def committed(self, job: JobId) -> tuple[int, ...]:
        return self._numbers(self.state.jobs[job].having(Status.COMMITTED))

    def send_commitment(self, number: int, reveal: Reveal) -> tuple[StateFact, ...]:
        self.reveals[number, reveal.job] = reveal
        digest = commitment_digest(account_id(number), reveal)
        return self.do(number, Commitment(reveal.job, digest))

    def send_fingerprint(self, number: int, reveal: Reveal) -> tuple[StateFact, ...]:
        return self.do(number, Fingerprint(reveal.job, fingerprint_digest(reveal)))

    def due_fingerprints(self, job: JobId) -> tuple[VerifiedOperation, ...]:
        """The fingerprints of all who owe one and are not quiet."""
        record = self.state.jobs[job]
        due = self._numbers(each for each in record.executors if fingerprint_due(record, each))
        return tuple(
            self.operation(n, Fingerprint(job, fingerprint_digest(self.reveals[n, job])))
            for n in due
            if n not in self.quiet
        )

    def run(self, job: JobId, answers: dict[int, bytes] | None = None) -> Job:
        """Everybody drawn commits and reveals until the job ends; answers default to right."""
        answers = answers or {}
        for _ in range(400):
            record = self.state.jobs[job]
            if record.terminal:
                return record
            if self.running(job):
                for number in self.running(job):
                    output = answers.get(number, b"right")
                    self.send_commitment(number, make_reveal(job, output))
            elif record.phase is Phase.REVEALING:
                for number in self.committed(job):
                    self.do(number, self.reveals[number, job])
            else:
                self.commit(*self.due_fingerprints(job))
        raise AssertionError("the job does not end")

    def _block(self, number: int) -> VerifiedBlock:
        """A block of which only the author matters."""
        author = self.state.committee.index_of(account_id(number))
        at_round = Round(self.state.leader_round + 1)
        own = Reference(author, Round(at_round - 1), bytes(32))
        block = Block(
            version=VERSION,
            network=network_of(self.genesis),
            epoch=self.state.committee.epoch,
            round=at_round,
            author=author,
            own=own,
            parents=(),
            weak=(),
            content=bytes(32),
            checkpoint=None,
            proof=b"",
            time_ms=0,
        )
        return VerifiedBlock(block, digest_of(b"block", encode(block)), b"", b"")

    def _numbers(self, executors: Iterable[Executor]) -> tuple[int, ...]:
        return tuple(self.numbers[executor.account] for executor in executors)


def digest(text: bytes) -> Digest:
    return content_digest(text)
