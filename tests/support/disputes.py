"""Jobs made of steps on a ledger that is driven by hand, with executors who lie from a step on."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from protocol.encoding import content_digest
from protocol.job import trial
from protocol.job.record import Duty, Job, Phase
from protocol.messages import Offer, Reveal
from protocol.parameters import Parameters, minimal
from protocol.step_messages import StepPair
from protocol.tree.trace import Trace
from protocol.units import Digest, JobId
from tests.support.builders import HandLedger, account_id, make_genesis, make_offer

TERMS = replace(minimal(), jury_size=3, audit_floor=0, exposure_multiple=2_000)
"""With a pledge of so many pays the beacon hardly ever sends an auditor."""


def steps_offer(steps: int, **terms: object) -> Offer:
    return make_offer(result_class=f"stepped/{steps}", **terms)


def run_of(steps: int, lies_at: int | None = None, lie: bytes = b"lie") -> tuple[Digest, ...]:
    """What a run leaves after each step; wrong from one step on."""
    return tuple(
        content_digest(b"%s %d" % (b"step" if lies_at is None or at < lies_at else lie, at))
        for at in range(steps)
    )


@dataclass
class Court:
    """A ledger with workers, some of whom lie, fall silent or vote wrongly."""

    parameters: Parameters = TERMS
    members: int = 12
    steps: int = 8
    lies: dict[int, int] = field(default_factory=dict)
    """By the number of an executor in the order of calling: the step from which on it lies."""
    silent: set[int] = field(default_factory=set)
    """Accounts that open nothing of their traces."""
    bribed: set[int] = field(default_factory=set)
    """Places of jurors, in the order of calling, who find something else."""
    idle: set[int] = field(default_factory=set)
    """Places of jurors who never answer."""
    bribe: bytes = b"bribe"

    def __post_init__(self) -> None:
        self.ledger = HandLedger(make_genesis(self.members, parameters=self.parameters))
        self.traces: dict[int, tuple[Digest, ...]] = {}

    def open(self, bidders: range = range(1, 4), **terms: object) -> JobId:
        """A job whose executors are drawn; everybody else has worked on such jobs before."""
        before = self.ledger.open(0, steps_offer(self.steps, **terms))
        self.ledger.bid(before, *range(1, self.members))
        job = self.ledger.open(0, steps_offer(self.steps, **terms))
        self.ledger.bid(job, *bidders)
        self.ledger.until(job, Phase.EXECUTING)
        return job

    def executor(self, job: JobId, place: int) -> int:
        return self.ledger.numbers[self.record(job).executors[place].account]

    def record(self, job: JobId) -> Job:
        return self.ledger.state.jobs[job]

    def reveal_of(self, number: int, job: JobId) -> Reveal:
        place = [one.account for one in self.record(job).executors].index(account_id(number))
        at = self.lies.get(place)
        leaves = run_of(self.steps, at, b"lie of %d" % place)
        self.traces[number] = leaves
        return Reveal(job, 0, leaves[-1], 10_000, 0, bytes(32), Trace(leaves).root)

    def vote_of(self, number: int, job: JobId) -> Reveal:
        record = self.record(job)
        step = trial.step_in_question(record)
        assert step is not None
        found = run_of(self.steps)[step.index]
        if self.place(number, job) in self.bribed:
            found = content_digest(self.bribe)
        return Reveal(job, 0, found, 10_000, 0, bytes(32))

    def place(self, number: int, job: JobId) -> int:
        jurors = [one for one in self.record(job).executors if one.duty is Duty.STEP_JUROR]
        return [one.account for one in jurors].index(account_id(number))

    def pair_of(self, number: int, job: JobId) -> StepPair | None:
        question = trial.question_to(self.record(job), account_id(number))
        if question is None:
            return None
        trace = Trace(self.traces[number])
        left, right = trace.halves(question.begin, question.height)
        before: tuple[Digest, ...] = ()
        if question.before_height:
            before = trace.ending(question.begin, question.before_height)
        return StepPair(job, question.dispute, question.level, left, right, before)

    def play(self, job: JobId, *phases: Phase) -> Job:
        """Everybody does what it has to until the job ends, or is in one of the phases."""
        for _ in range(2_000):
            record = self.record(job)
            if record.terminal or record.phase in phases:
                return record
            self.turn(job, record)
        raise AssertionError(f"the job stays {self.record(job).phase}")

    def turn(self, job: JobId, record: Job) -> None:
        ledger = self.ledger
        if record.phase is Phase.JUDGING:
            running = [n for n in ledger.running(job) if self.place(n, job) not in self.idle]
            for number in running:
                ledger.send_commitment(number, self.vote_of(number, job))
            if not running:
                ledger.commit()
        elif ledger.running(job):
            for number in ledger.running(job):
                ledger.send_commitment(number, self.reveal_of(number, job))
        elif record.phase is Phase.REVEALING:
            for number in ledger.committed(job):
                ledger.do(number, ledger.reveals[number, job])
        elif record.phase is Phase.DISPUTING:
            self.answer(job)
        else:
            ledger.commit(*ledger.due_fingerprints(job))

    def answer(self, job: JobId) -> None:
        ledger = self.ledger
        answers = [
            (number, self.pair_of(number, job))
            for number in sorted(self.traces)
            if number not in self.silent
        ]
        entries = [ledger.operation(number, pair) for number, pair in answers if pair is not None]
        ledger.commit(*entries)
