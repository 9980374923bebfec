"""One random interleaving of everything that moves money, judged after every commit.

`python -m tests.properties.interleaving --count 10000` plays many; a seed gives the same play.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from random import Random

from msgspec.structs import replace

from protocol.balances import Account
from protocol.facts import OperationApplied, OperationFailed, Settled, Slashed, StateFact
from protocol.job.commit_reveal import commitment_digest, fingerprint_digest
from protocol.job.record import Job, Phase, Status
from protocol.messages import (
    Cancellation,
    Commitment,
    CustodyTerms,
    CustodyUnstaking,
    CustodyWithdrawal,
    EquivocationEvidence,
    Fingerprint,
    Genesis,
    Lease,
    Payload,
    Registration,
    Reveal,
    StakeDeposit,
    StakeWithdrawal,
    Transfer,
)
from protocol.parameters import minimal
from protocol.units import CREDIT, JobId, MemberIndex, Round
from tests.support.builders import (
    HandLedger,
    account_id,
    make_bid,
    make_genesis,
    make_offer,
    make_reveal,
    vrf_key,
)
from tests.support.contradiction import contradict

MEMBERS = 3
PEOPLE = 7
COLD = 7
HOT = PEOPLE - 1
EVERYBODY = range(PEOPLE + 1)
TERMS = replace(
    minimal(),
    uptime_epochs=2,
    unbonding_ms=40_000,
    committee_weight_min=0,
)
TURNS = 30
AMOUNTS = (1, CREDIT // 10, 7 * CREDIT, 900 * CREDIT, 1_000 * CREDIT, 2**61)


@cache
def founded() -> Genesis:
    """Three members; three with money alone, one of them in custody; its withdrawal key."""
    genesis = make_genesis(
        MEMBERS,
        stake=2_000 * CREDIT,
        available=3_000 * CREDIT,
        parameters=TERMS,
        others=range(MEMBERS, PEOPLE + 1),
    )
    terms = CustodyTerms(account_id(HOT), account_id(COLD), 50 * CREDIT)
    return replace(genesis, custodies=(terms,))


@dataclass(frozen=True, slots=True)
class Offence:
    """A contradiction that nobody has told of yet."""

    number: int
    epoch: int
    evidence: EquivocationEvidence
    stake: int
    """What its author's vote weighed."""
    lost: int
    """What its author had lost when that epoch began."""


@dataclass
class Interleaving:
    """A play: `run` takes its turns, and raises at the first promise that does not hold."""

    seed: int
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311  the seed names the play
        self.ledger = HandLedger(founded(), luck=self.seed, signed=False)
        self.state = self.ledger.state
        self.reveals: dict[tuple[int, JobId], Reveal] = {}
        self.settled: Counter[JobId] = Counter()
        self.punished: set[tuple[int, int, int]] = set()
        self.offences: list[Offence] = []
        self.lost: Counter[int] = Counter()
        self.lost_before: Counter[int] = Counter()

    def run(self, turns: int = TURNS) -> Counter[str]:
        moves = (self._pay, self._stake, self._unstake, self._own, self._offer, self._work)
        moves += (self._work, self._work, self._wait, self._contradict, self._cancel)
        moves += (self._turn, self._seek_seat, self._offend, self._offend, self._tell, self._tell)
        for number in range(PEOPLE):
            self._send(number, StakeDeposit(1_000 * CREDIT))
        for _ in range(turns):
            if not self.is_over:
                self.random.choice(moves)()
        for _ in range(12):
            if not self.is_over:
                self._commit(step_ms=14_000)
        self.seen["halted for want of members"] += self.is_over
        return self.seen

    # Moves

    def _pay(self) -> None:
        recipient = self.random.choice([*EVERYBODY, 9])
        self._send(self._anyone(), Transfer(account_id(recipient), self._amount()))

    def _stake(self) -> None:
        self._send(self._anyone(), StakeDeposit(self._amount()))

    def _unstake(self) -> None:
        number = self._anyone()
        free = self.state.accounts.of(account_id(number)).free_stake
        self._send(number, StakeWithdrawal(self.random.choice([max(1, free), self._amount()])))

    def _own(self) -> None:
        hot, amount = account_id(HOT), self._amount()
        payload = self.random.choice(
            [
                CustodyWithdrawal(hot, amount),
                CustodyUnstaking(hot, amount),
                CustodyTerms(hot, account_id(COLD), amount // 2),
            ]
        )
        self._send(self.random.choice([COLD, COLD, HOT, 0]), payload)

    def _offer(self) -> None:
        replicas = self.random.randint(1, 3)
        most = replicas + self.random.randint(0, 2)
        offer = make_offer(replicas=replicas, replicas_max=most, speed_target_ms=20_000)
        if not self._send(self._anyone(), offer):
            return
        job = list(self.state.jobs)[-1]
        for number in self.random.sample(range(PEOPLE), 5):
            self._send(number, make_bid(job, self.random.randint(1, 1_000)))
        for _ in range(14):
            self._commit(step_ms=300)

    def _work(self) -> None:
        for identifier, job in list(self.state.open_jobs.items()):
            for number in self.ledger.running(identifier):
                self._answer(number, job)
            for number in self.ledger.committed(identifier):
                if self.random.random() < 0.9 and (number, identifier) in self.reveals:
                    self._open(number, self.reveals[number, identifier])
        self._commit(step_ms=500)

    def _answer(self, number: int, job: Job) -> None:
        if self.random.random() < 0.1:
            return
        output = b"wrong" if self.random.random() < 0.15 else b"right"
        reveal = make_reveal(job.identifier, output, fuel=10**9)
        digest = commitment_digest(account_id(number), reveal)
        if self._send(number, Commitment(job.identifier, digest)):
            self.reveals[number, job.identifier] = reveal

    def _open(self, number: int, reveal: Reveal) -> None:
        phase = self.state.jobs[reveal.job].phase
        if phase is Phase.REVEALING:
            self._send(number, reveal)
        else:
            self._send(number, Fingerprint(reveal.job, fingerprint_digest(reveal)))

    def _cancel(self) -> None:
        number = self._anyone()
        self._send(number, make_offer())
        if self.state.jobs:
            job = self.random.choice(list(self.state.jobs)[-2:])
            self._send(self.random.choice([number, self._anyone()]), Cancellation(job))

    def _wait(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self._commit(step_ms=self.random.choice([1_000, 14_000, 60_000]))

    def _contradict(self) -> None:
        member, at_round = self._seat(), self.random.randint(1, 4)
        identifier = self.state.committee.members[member].account
        before = self.state.accounts.of(identifier)
        pair = (MemberIndex(member), Round(at_round))
        slashed = [
            fact
            for _ in range(2)
            for fact in self._commit(equivocations=(pair,), step_ms=1)
            if isinstance(fact, Slashed) and fact.account == identifier and fact.job is None
        ]
        named = (self.epoch, *pair)
        assert len(slashed) == (named not in self.punished), "a contradiction is punished once"
        if slashed:
            least = before.slashable * TERMS.equivocation_slash_min // 10_000
            assert slashed[0].amount >= least, "unbonding stake answers, too"
            self.seen["slashed for a contradiction"] += 1
            self.seen["slashed while unbonding"] += bool(before.unbonding)
        self.punished.add(named)

    def _turn(self) -> None:
        """An epoch ends, and now and then a member was not there."""
        before = self.epoch
        self._commit(closes=True)
        if self.epoch == before:
            return
        self.seen["epochs"] += 1
        self.lost_before = self.lost.copy()
        for one in self.state.committee.members:
            staked = self.state.accounts.of(one.account).staked
            assert one.weight <= max(1, staked // CREDIT), "a vote weighs no more than is staked"

    def _seek_seat(self) -> None:
        number = self._anyone()
        beacon = self.state.committee.beacon_at_start
        payload = self.random.choice([Registration(vrf_key(number)), Lease(beacon), Lease(beacon)])
        self._send(number, payload)

    def _offend(self) -> None:
        """A member contradicts itself unseen, and often hurries to withdraw its stake."""
        member = self.state.committee.members[self._seat()]
        number = self.ledger.numbers[member.account]
        at_round = self.random.randint(5, 9)
        evidence = contradict(self.state.committee, number, at_round)
        stake, lost = member.weight * CREDIT, self.lost_before[number]
        self.offences.append(Offence(number, self.epoch, evidence, stake, lost))
        if self.random.random() < 0.7:
            self._send(number, StakeWithdrawal(max(1, self._held(number).free_stake)))

    def _tell(self) -> None:
        """Somebody brings evidence: all that answered for the contradiction is still there."""
        if not self.offences:
            return
        offence = self.offences.pop(self.random.randrange(len(self.offences)))
        self._check_kept(offence)
        before, is_late = self._held(offence.number), self.epoch > offence.epoch + 1
        reporter = self.random.choice([n for n in range(PEOPLE) if n != offence.number])
        if self._send(reporter, offence.evidence):
            assert not is_late
            least = before.slashable * TERMS.equivocation_slash_min // 10_000
            after = self._held(offence.number)
            assert before.slashable - after.slashable >= least, "unbonding stake answers, too"
            self.seen["told"] += 1
            self.seen["told after leaving"] += not before.staked and bool(before.slashable)
        self.seen["told too late"] += is_late
        kept = [one.epoch for one in self.state._punishment.record().punished]
        assert min(kept, default=self.epoch) >= self.epoch - 1, "the record stays small"

    def _check_kept(self, offence: Offence) -> None:
        if self.epoch <= offence.epoch + 1:
            lost = self.lost[offence.number] - offence.lost
            left = self._held(offence.number).slashable
            assert left >= offence.stake - lost, "nobody leaves before its epoch is over"

    # Judging

    def _send(self, number: int, payload: Payload) -> bool:
        entry = self.ledger.operation(number, payload)
        facts = self._commit(entry, entry, step_ms=50)
        applied = [fact for fact in facts if isinstance(fact, OperationApplied)]
        assert len(applied) <= 1, "a copy of an operation has no effect"
        if applied and number == HOT and isinstance(payload, Transfer):
            assert payload.recipient in map(account_id, (COLD, HOT)), "custody holds"
        self.seen[f"{type(payload).__name__} {'done' if applied else 'refused'}"] += 1
        for fact in facts:
            if isinstance(fact, OperationFailed):
                self.seen[fact.reason.name] += 1
        return bool(applied)

    def _commit(self, *entries: object, **terms: object) -> tuple[StateFact, ...]:
        before = {number: self._held(number) for number in EVERYBODY}
        seated = [self.ledger.numbers[one.account] for one in self.state.committee.members]
        authors = [one for one in seated if self.random.random() < 0.9]
        facts = self.ledger.commit(*entries, authors=authors, **terms)  # type: ignore[arg-type]
        self.settled.update(fact.job for fact in facts if isinstance(fact, Settled))
        self._check_sums()
        self._check_jobs(facts)
        for number, held in before.items():
            self._check_stake(number, held, facts)
        for offence in self.offences:
            self._check_kept(offence)
        return facts

    def _check_sums(self) -> None:
        accounts = self.state.accounts
        assert accounts.recount() == accounts.totals
        assert accounts.totals.all == accounts.genesis_supply + accounts.minted
        assert accounts.backed(), "the pool holds what is owed"
        for identifier in accounts:
            held = accounts.of(identifier)
            amounts = [held.available, held.staked, held.escrow, held.free_stake]
            amounts += [entry.amount for entry in held.unbonding]
            amounts += [held.custody.allowance] if held.custody else []
            assert min(amounts) >= 0, "nothing is negative"

    def _check_jobs(self, facts: tuple[StateFact, ...]) -> None:
        for fact in facts:
            if not isinstance(fact, Settled):
                continue
            job = self.state.jobs[fact.job]
            assert self.settled[fact.job] == 1, "a job ends once"
            paid = sum(payout.amount for payout in job.payouts)
            assert paid + job.fee + job.refund == job.offer.budget
            assert job.fee >= paid * TERMS.fee_share // 10_000, "each payout burns its share"
            assert not self.state.accounts.escrow_of(fact.job)
            self.seen[f"ended {job.phase.value}"] += 1
            self.seen["slashed by a job"] += len(job.slashes)
            waiting = job.having(Status.UNOPENED)
            self.seen["unopened"] += len(waiting)

    def _check_stake(self, number: int, before: Account, facts: tuple[StateFact, ...]) -> None:
        """Stake leaves only as a slash, as the fee of a failure, or when its time has come."""
        identifier = account_id(number)
        after, now_ms = self._held(number), self.state.ledger_time_ms
        due = sum(entry.amount for entry in before.unbonding if entry.release_ms <= now_ms)
        slashed = sum(
            fact.amount
            for fact in facts
            if isinstance(fact, Slashed) and fact.account == identifier
        )
        fees = TERMS.operation_fee * sum(
            isinstance(fact, OperationFailed) and fact.account == identifier for fact in facts
        )
        self.lost[number] += slashed + fees
        lost = before.slashable - after.slashable
        assert lost <= due + slashed + fees, "no stake escapes"
        assert all(entry.release_ms <= now_ms + TERMS.unbonding_ms for entry in after.unbonding)
        soonest = before.unbonding[0].release_ms if before.unbonding else now_ms
        early = [one for one in after.unbonding if one.release_ms < soonest]
        assert all(one.release_ms >= now_ms for one in early), "nothing is released sooner"
        assert len(after.unbonding) <= TERMS.unbondings_max
        overdue = [one for one in after.unbonding if one.release_ms <= now_ms - 15_000]
        self.seen["held back"] += bool(overdue)

    def _held(self, number: int) -> Account:
        return self.state.accounts.of(account_id(number))

    @property
    def is_over(self) -> bool:
        """Nothing is ordered any more once nobody with a stake was there at an epoch's end."""
        return bool(self.state.epochs.stopped)

    @property
    def epoch(self) -> int:
        return self.state.committee.epoch

    def _seat(self) -> int:
        return self.random.randrange(len(self.state.committee))

    def _anyone(self) -> int:
        return self.random.randrange(PEOPLE)

    def _amount(self) -> int:
        return self.random.choice(AMOUNTS)


def play(seeds: range) -> Counter[str]:
    """Plays one interleaving for each seed and counts what happened."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            seen += Interleaving(seed).run()
        except AssertionError as broken:
            raise AssertionError(f"interleaving {seed}: {broken}") from broken
    return seen


def main(arguments: list[str]) -> int:
    """Plays many interleavings and shows what they came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.interleaving")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args(arguments)
    seen = play(range(options.first, options.first + options.count))
    for name, count in sorted(seen.items()):
        print(f"{count:>9} {name}")
    print(f"{options.count} interleavings, every promise held")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
