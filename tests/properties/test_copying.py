"""Copying what others found earns nothing and convicts nobody, whoever is drawn in what order.

A copier never runs the job. At each of its turns it looks at everything that the ledger shows, and
sends the best that can be made of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from protocol.job.commit_reveal import (
    commitment_digest,
    fingerprint_digest,
    fingerprint_due,
    reveal_due,
)
from protocol.job.record import Ending, Fault, Job, Phase, Slash, Status
from protocol.messages import Commitment, Fingerprint, Payload, Reveal
from protocol.parameters import minimal
from protocol.units import Digest, JobId
from tests.support.builders import (
    STAKE,
    HandLedger,
    account_id,
    make_genesis,
    make_offer,
    make_reveal,
)

TERMS = minimal()
BIDDERS = range(1, 7)
CASES = 200
FORFEIT_STEP_MS = 12_000


@dataclass
class Play:
    """One job among honest workers, liars that agree with one another, and copiers."""

    ledger: HandLedger
    liars: frozenset[int] = frozenset()
    copiers: frozenset[int] = frozenset()
    place: int = 0
    """Which of the results that it sees a copier takes; 0 is the most common one."""
    copied: Counter[str] = field(default_factory=Counter)
    _reveals: dict[int, Reveal] = field(default_factory=dict)

    def run(self, job: JobId) -> Job:
        """Lets everybody answer in each commit, until no pledge is left."""
        for _ in range(400):
            record = self.ledger.state.jobs[job]
            if record.terminal and not record.having(Status.UNOPENED):
                return record
            answers = [(number, self._answer(record, number)) for number in BIDDERS]
            entries = [self.ledger.operation(n, answer) for n, answer in answers if answer]
            self.ledger.commit(*entries, step_ms=300 if entries else FORFEIT_STEP_MS)
        raise AssertionError("the job does not end")

    def _answer(self, job: Job, number: int) -> Payload | None:
        own = job.executor(account_id(number))
        if own is None:
            return None
        if own.status is Status.RUNNING:
            self._reveals[number] = self._result(job, number)
            digest = commitment_digest(account_id(number), self._reveals[number])
            return Commitment(job.identifier, digest)
        if fingerprint_due(job, own):
            return self._fingerprint(job, number)
        return self._reveals[number] if reveal_due(job, own) else None

    def _result(self, job: Job, number: int) -> Reveal:
        if number not in self.copiers:
            return make_reveal(job.identifier, b"wrong" if number in self.liars else b"right")
        junk = make_reveal(job.identifier, b"never run")
        seen = [each.reveal.output for each in job.executors if each.reveal]
        return replace(junk, output=self._taken(seen, "digest")) if seen else junk

    def _fingerprint(self, job: Job, number: int) -> Fingerprint | None:
        if number not in self.copiers:
            return Fingerprint(job.identifier, fingerprint_digest(self._reveals[number]))
        seen = [each.fingerprint for each in job.executors if each.fingerprint]
        return Fingerprint(job.identifier, self._taken(seen, "fingerprint")) if seen else None

    def _taken(self, seen: Sequence[Digest], kind: str) -> Digest:
        self.copied[kind] += 1
        ranked = [digest for digest, _ in Counter(seen).most_common()]
        return ranked[min(self.place, len(ranked) - 1)]


def drawn_play(case: int) -> tuple[Play, JobId]:
    """A job with up to two liars, mostly executors, and a copier, mostly the next spare."""
    random = Random(case)  # noqa: S311  the case is its own seed
    audits = random.choice([TERMS.audit_floor, TERMS.audit_floor, 10_000])
    genesis = make_genesis(parameters=replace(TERMS, audit_floor=audits))
    ledger = HandLedger(genesis, luck=case, signed=False)
    replicas = random.randint(1, 4)
    offer = make_offer(replicas=replicas, replicas_max=random.randint(max(2, replicas), 6))
    started = ledger.start(offer, BIDDERS)
    spares = [ledger.numbers[account] for account in started.spares]
    order = [*ledger.running(started.identifier), *spares]
    copier = random.choice([spares[0], spares[0], *BIDDERS])
    order.remove(copier)
    liars = random.sample(order[: len(order) // 2 + 1], random.randint(0, 2))
    play = Play(ledger, frozenset(liars), frozenset({copier}), random.randint(0, 1))
    return play, started.identifier


def called_as_spares(job: Job) -> set[bytes]:
    """Everybody called after the results of others could first be compared."""
    compared_ms = next(step.time_ms for step in job.timeline if step.phase is Phase.COMPARING)
    return {each.account for each in job.executors if each.called_ms >= compared_ms}


def test_a_spare_that_copies_is_never_paid() -> None:
    seen: Counter[str] = Counter()
    for case in range(CASES):
        play, job = drawn_play(case)
        record = play.run(job)
        (copier,) = play.copiers
        account = account_id(copier)
        assert account not in {payout.account for payout in record.payouts}, f"case {case}"
        dishonest = {account, *map(account_id, play.liars)}
        assert {slash.account for slash in record.slashes} <= dishonest, f"case {case}"
        seen.update(play.copied)
        seen["called"] += record.executor(account) is not None
        seen["spare"] += account in called_as_spares(record)
        seen["slashed"] += account in {slash.account for slash in record.slashes}
        seen[str(record.ending)] += 1
    assert min(seen["fingerprint"], seen["slashed"]) > CASES // 3, seen
    assert seen["spare"] > CASES // 10, seen
    assert seen["digest"] == 0, "no digest is public when a lone copier is called"


def two_liars_and_one_honest(copiers: int, luck: int) -> tuple[Play, JobId, int]:
    """Three executors, of whom two lie, and spares of whom the first ones copy."""
    ledger = HandLedger(signed=False, luck=luck)
    started = ledger.start(make_offer(replicas=3, replicas_max=5))
    first, second, honest = ledger.running(started.identifier)
    spares = [ledger.numbers[account] for account in started.spares[:copiers]]
    play = Play(ledger, frozenset({first, second}), frozenset(spares))
    return play, started.identifier, honest


def unaudited(copiers: int) -> tuple[Play, Job, int]:
    """The first such job, run to its end, that the beacon spares an audit."""
    for luck in range(100):
        play, job, honest = two_liars_and_one_honest(copiers, luck)
        record = play.run(job)
        if record.audit is not None and record.audit.drawn is None:
            return play, record, honest
    raise AssertionError("every job is audited")


def test_two_liars_and_a_copying_spare_do_not_convict_the_honest() -> None:
    play, record, honest = unaudited(copiers=1)
    assert play.copied == {"fingerprint": 1}
    (copier,) = play.copiers
    exposure = record.executors[0].exposure
    lost = Slash(account_id(copier), exposure, Fault.UNOPENED_COMMITMENT)
    assert record.slashes == (lost,)
    assert play.ledger.state.accounts.of(account_id(honest)).staked == STAKE
    assert (record.ending, record.confidence_bp) == (Ending.EXHAUSTED, 4_969)


def test_what_a_later_spare_could_have_copied_convicts_nobody() -> None:
    play, record, honest = unaudited(copiers=2)
    assert play.copied == {"fingerprint": 2, "digest": 1}
    assert [step.phase for step in record.timeline].count(Phase.REVEALING) == 2
    assert (record.ending, record.convicting) == (Ending.ACCEPTED, False)
    assert {slash.reason for slash in record.slashes} == {Fault.UNOPENED_COMMITMENT}
    assert play.ledger.state.accounts.of(account_id(honest)).staked == STAKE
