"""Whatever accounts do and in whatever order: money is conserved and every job ends once.

Now and then the state is written out and goes on as it was loaded; at the end another copy, which
was never written out, must have come to the same.
"""

from collections import Counter
from collections.abc import Iterable

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from protocol.claims import Unavailable
from protocol.facts import OperationApplied, Settled, Slashed, StateFact
from protocol.job.commit_reveal import RUNNING_PHASES, commitment_digest, fingerprint_digest
from protocol.job.delivery import waiting
from protocol.job.record import Duty, Fault, Phase, ResultOutcome, Status
from protocol.messages import (
    Cancellation,
    Commitment,
    Decline,
    Fingerprint,
    Payload,
    Reveal,
    StakeDeposit,
    StakeWithdrawal,
    Transfer,
)
from protocol.parameters import minimal
from protocol.tree.tree import Tree
from protocol.units import CREDIT, JobId, MemberIndex, Round
from tests.support.builders import (
    RICHES,
    HandLedger,
    account_id,
    make_bid,
    make_genesis,
    make_offer,
    make_reveal,
    make_state,
)

MEMBERS = 4
PEOPLE = 8
NEWCOMER = 9
NUMBERS = st.integers(0, PEOPLE - 1)
AMOUNTS = st.sampled_from([1, CREDIT // 10, 5 * CREDIT, 900 * CREDIT, 9_500 * CREDIT, 2**62])
PLEDGING = (Status.RUNNING, Status.COMMITTED, Status.REVEALED, Status.UNOPENED, Status.LATE)
ANSWERS = st.sampled_from([*[b"right"] * 7, b"wrong", b"other"])
KEPT_SHORTLY_MS = 600_000
OUTCOMES = st.sampled_from([*[ResultOutcome.FINISHED] * 6, ResultOutcome.TIME_LIMIT])


class Market(RuleBasedStateMachine):
    """Four members that may contradict themselves, and four with stake alone, which may leave."""

    @initialize(
        jury=st.integers(0, 1),
        stake=st.sampled_from([1_000, 1_002, 10_000]),
        kept_ms=st.sampled_from([KEPT_SHORTLY_MS, 10**9]),
    )
    def begin(self, jury: int, stake: int, kept_ms: int) -> None:
        parameters = replace(minimal(), jury_size=jury, ended_job_kept_ms=kept_ms)
        outsiders = range(MEMBERS, PEOPLE)
        genesis = make_genesis(
            MEMBERS,
            stake=stake * CREDIT,
            available=RICHES + stake * CREDIT,
            parameters=parameters,
            others=outsiders,
        )
        self.ledger = HandLedger(genesis)
        self.ledger.deposit(*outsiders, amount=stake * CREDIT)
        self.reveals: dict[tuple[int, JobId], Reveal] = {}
        self.ended: Counter[JobId] = Counter()
        self.punished: set[object] = set()

    def send(self, number: int, payload: Payload) -> bool:
        entry = self.ledger.operation(number, payload)
        facts = self.ledger.commit(entry, entry)
        self.note(facts)
        applied = [fact for fact in facts if isinstance(fact, OperationApplied)]
        assert len(applied) <= 1, "a copy of an operation has no effect"
        return bool(applied)

    def note(self, facts: Iterable[StateFact]) -> None:
        self.ended.update(fact.job for fact in facts if isinstance(fact, Settled))

    def jobs(self, *phases: Phase) -> list[JobId]:
        jobs = self.ledger.state.jobs
        return [job for job, record in jobs.items() if not phases or record.phase in phases]

    @rule(number=NUMBERS, recipient=st.integers(0, NEWCOMER), amount=AMOUNTS)
    def transfer(self, number: int, recipient: int, amount: int) -> None:
        self.send(number, Transfer(account_id(recipient), amount))

    @rule(number=NUMBERS, amount=AMOUNTS)
    def deposit(self, number: int, amount: int) -> None:
        self.send(number, StakeDeposit(amount))

    @rule(number=NUMBERS, amount=AMOUNTS)
    def withdraw(self, number: int, amount: int) -> None:
        before = self.ledger.state.accounts.of(account_id(number))
        if self.send(number, StakeWithdrawal(amount)):
            after = self.ledger.state.accounts.of(account_id(number))
            assert after.slashable == before.slashable, "what is withdrawn still answers"
            event(f"withdrew, left: {'something' if after.staked else 'nothing'}")

    @rule(number=NUMBERS)
    def withdraw_all_that_is_free(self, number: int) -> None:
        free = self.ledger.state.accounts.of(account_id(number)).free_stake
        if free:
            self.withdraw(number, free)

    @rule(
        number=NUMBERS,
        replicas=st.integers(1, 4),
        more=st.integers(0, 3),
        error=st.sampled_from([1_000, 20_000, 200_000]),
        metered=st.booleans(),
    )
    def offer(self, number: int, replicas: int, more: int, error: int, metered: bool) -> None:
        terms = make_offer(
            kind="wasm" if metered else "onnx",
            replicas=replicas,
            replicas_max=replicas + more,
            tolerated_error_ppm=error,
            speed_target_ms=20_000,
            retention_ms=60_000 if metered else 0,
        )
        self.send(number, terms)

    @precondition(lambda self: self.jobs(Phase.BIDDING))
    @rule(numbers=st.sets(NUMBERS), price=st.integers(1, 1_100), wait=st.integers(0, 16))
    def bid(self, numbers: set[int], price: int, wait: int) -> None:
        for job in self.jobs(Phase.BIDDING):
            for number in sorted(numbers):
                self.send(number, make_bid(job, price))
        self.pass_time(wait, 500)

    @rule(requester=NUMBERS, replicas_max=st.integers(2, 5), absent=NUMBERS)
    def draw(self, requester: int, replicas_max: int, absent: int) -> None:
        retention_ms = 600_000 if replicas_max % 2 else 0
        offer = make_offer(replicas=2, replicas_max=replicas_max, retention_ms=retention_ms)
        if self.send(requester, offer):
            self.bid(set(range(PEOPLE)) - {absent}, 1_000, 16)

    @precondition(lambda self: self.jobs())
    @rule(number=NUMBERS, unavailable=st.booleans(), data=st.data())
    def leave(self, number: int, unavailable: bool, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs()))
        self.send(number, Cancellation(job))
        self.send(number, Decline(job, unavailable))

    @precondition(lambda self: self.jobs(*RUNNING_PHASES))
    @rule(data=st.data())
    def commit_results(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs(*RUNNING_PHASES)))
        for number in self.ledger.running(job):
            reveal = make_reveal(job, data.draw(ANSWERS), data.draw(OUTCOMES), fuel=10**9)
            if not data.draw(st.integers(0, 7)):
                continue
            digest = commitment_digest(account_id(number), reveal)
            if self.send(number, Commitment(job, digest)):
                self.reveals[number, job] = reveal

    @precondition(lambda self: self.reveals)
    @rule(data=st.data())
    def send_fingerprints(self, data: st.DataObject) -> None:
        """Most send their own, some another's, some none."""
        self.pass_time(data.draw(st.integers(0, 10)), 500)
        for number, job in sorted(self.reveals):
            fate = data.draw(st.integers(0, 15))
            if fate:
                reveal = self.reveals[number, job] if fate > 1 else make_reveal(job)
                self.send(number, Fingerprint(job, fingerprint_digest(reveal)))

    @precondition(lambda self: self.reveals)
    @rule(data=st.data())
    def open_results(self, data: st.DataObject) -> None:
        self.pass_time(data.draw(st.integers(0, 10)), 500)
        for number, job in sorted(self.reveals):
            if data.draw(st.integers(0, 7)):
                self.send(number, self.reveals[number, job])

    @precondition(lambda self: self.jobs(Phase.EXECUTING))
    @rule(answers=st.lists(ANSWERS, min_size=PEOPLE, max_size=PEOPLE))
    def work(self, answers: list[bytes]) -> None:
        for job in self.jobs(Phase.EXECUTING):
            for _ in range(20):
                for number in self.ledger.running(job):
                    reveal = make_reveal(job, answers[number], fuel=10**9)
                    digest = commitment_digest(account_id(number), reveal)
                    self.send(number, Commitment(job, digest))
                    self.reveals[number, job] = reveal
                self.pass_time(1, 500)
                for number in self.ledger.committed(job):
                    reveal = self.reveals[number, job]
                    self.send(number, Fingerprint(job, fingerprint_digest(reveal)))
                    self.send(number, reveal)

    @rule(requester=NUMBERS, absent=NUMBERS, liar=NUMBERS)
    def contradict(self, requester: int, absent: int, liar: int) -> None:
        """One of those drawn may lie, and everybody else works, jurors included."""
        self.draw(requester, 4, absent)
        self.work([b"wrong" if number == liar else b"right" for number in range(PEOPLE)])
        for job in self.ledger.state.jobs.values():
            if any(one.duty is Duty.JUROR for one in job.executors):
                event(f"a jury sat, slashed: {len(job.slashes)}")

    @precondition(lambda self: any(job.delivering for job in self.ledger.state.jobs.values()))
    @rule(numbers=st.sets(NUMBERS))
    def doubt_an_output(self, numbers: set[int]) -> None:
        """Requesters claim, and some of the checkers that are drawn then say the same."""
        doubted = [job for job in self.ledger.state.jobs.values() if job.delivering]
        for job in doubted:
            self.send(self.ledger.numbers[job.requester], Unavailable(job.identifier))
        self.pass_time(8, 500)
        for job in doubted:
            for number in sorted(numbers):
                self.send(number, Unavailable(job.identifier))
            after = self.ledger.state.jobs.get(job.identifier)
            if after is not None and after.delivery is not None and after.delivery.drawn:
                missing = len(after.delivery.missing)
                event(f"checked, missing: {missing}, unpaid: {not after.payouts}")

    @precondition(lambda self: self.reveals)
    @rule(data=st.data(), number=NUMBERS)
    def copy_a_result(self, data: st.DataObject, number: int) -> None:
        author, job = data.draw(st.sampled_from(sorted(self.reveals)))
        if number != author and (number, job) not in self.reveals:
            assert not self.send(number, self.reveals[author, job])

    @rule(count=st.integers(1, 12), step_ms=st.sampled_from([1, 1_000, 14_000, 60_000]))
    def pass_time(self, count: int, step_ms: int) -> None:
        for _ in range(count):
            self.note(self.ledger.commit(None, step_ms=step_ms))

    @rule(member=st.integers(0, MEMBERS - 1), at_round=st.integers(1, 3))
    def equivocate(self, member: int, at_round: int) -> None:
        pairs = ((MemberIndex(member), Round(at_round)),)
        facts = [*self.ledger.commit(equivocations=pairs), *self.ledger.commit(equivocations=pairs)]
        self.note(facts)
        slashed = [fact for fact in facts if isinstance(fact, Slashed) and fact.job is None]
        assert len(slashed) == (0 if pairs in self.punished else 1), "punished exactly once"
        self.punished.add(pairs)

    @rule()
    def go_on_from_a_snapshot(self) -> None:
        self.ledger.reload()

    @invariant()
    def the_digest_is_the_root_over_every_entry(self) -> None:
        state = self.ledger.state
        assert Tree().updated(state._entries.packed()).root == state.digest == state.tree.root

    @invariant()
    def money_is_conserved(self) -> None:
        accounts = self.ledger.state.accounts
        assert accounts.conserved()
        assert accounts.recount() == accounts.totals

    @invariant()
    def nothing_is_negative_and_pledges_are_covered(self) -> None:
        accounts = self.ledger.state.accounts
        for identifier in accounts:
            account = accounts.of(identifier)
            assert min(account.available, account.staked, account.escrow) >= 0
            assert all(entry.amount > 0 for entry in account.unbonding)
            assert all(amount > 0 for _, amount in account.pledges)
            assert account.pledged <= account.staked

    @invariant()
    def escrows_belong_to_open_jobs_and_payouts_that_wait(self) -> None:
        state = self.ledger.state
        for identifier, job in state.jobs.items():
            held = waiting(job) if job.terminal else job.offer.budget
            assert state.accounts.escrow_of(identifier) == held
            paid = sum(payout.amount for payout in job.payouts)
            if job.terminal:
                assert paid + job.fee + job.refund == job.offer.budget
            assert (identifier in state.open_jobs) is not job.terminal
            assert self.ended[identifier] == job.terminal, "a job ends exactly once"

    @invariant()
    def pledges_belong_to_unfinished_duties(self) -> None:
        state = self.ledger.state
        for account in state.accounts:
            for job, amount in state.accounts.of(account).pledges:
                duty = state.jobs[job].executor(account)
                assert duty is not None
                assert duty.status in PLEDGING
                assert amount <= duty.exposure
                assert not state.jobs[job].terminal or duty.status is Status.UNOPENED

    @invariant()
    def nobody_is_convicted_without_the_jury(self) -> None:
        state = self.ledger.state
        for job in state.jobs.values():
            if any(slash.reason is Fault.WRONG_RESULT for slash in job.slashes):
                duties = {one.account: one.duty for one in job.executors}
                agreeing = [one for one in job.groups[0].members if duties[one] is Duty.JUROR]
                assert len(agreeing) >= state.parameters.jury_size

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for _ in range(40):
            for _ in range(20):
                self.pass_time(1, 14_000)
        assert not self.ledger.state.open_jobs, "silence ends every job"
        is_short = self.ledger.genesis.parameters.ended_job_kept_ms == KEPT_SHORTLY_MS
        assert not self.ledger.state.jobs or not is_short, "and every ended job leaves"
        state = self.ledger.state
        for job in state.jobs.values():
            event(f"a job ended: {job.ending}")
            for slash in job.slashes:
                event(f"slashed: {slash.reason}")
        assert not any(state.accounts.of(account).pledges for account in state.accounts)
        again = make_state(self.ledger.genesis)
        for commit, entries in self.ledger.commits:
            again.apply(commit, entries)
        assert again.digest == state.digest, "the same commits give the same state"


Market.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMarket = Market.TestCase
