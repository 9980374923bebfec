"""What a worker does in a dispute, on either side and on the jury."""

from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.job import trial
from protocol.job.record import Duty, Phase
from protocol.messages import Payload
from protocol.roles.worker import Worker
from protocol.step_messages import StepPair
from tests.protocol.roles.test_worker import PLACES, SALT
from tests.support.builders import account_id
from tests.support.disputes import Court


class Disputed:
    """A job of steps in dispute, and a worker of one side under test."""

    def __init__(self) -> None:
        self.court = Court(lies={0: 5})
        self.job = self.court.open()
        self.court.play(self.job, Phase.DISPUTING)
        members = self.court.record(self.job).disputes[0].sides[0].members
        self.own = self.court.ledger.numbers[members[0]]
        self.worker = self.started()

    def started(self, pending: tuple[Payload, ...] = ()) -> Worker:
        worker = Worker(account_id(self.own), self.court.ledger.state)
        worker.offer(replace(PLACES, classes=()))
        worker.restore((), pending)
        return worker

    def effects(self, worker: Worker | None = None) -> list[fx.Effect]:
        """What is asked of the devices for the disputed job."""
        every = (worker or self.worker).react(self.court.ledger.facts).effects
        return [one for one in every if isinstance(one, fx.Computing) and one.job == self.job]

    def answer(self) -> StepPair:
        pair = self.court.pair_of(self.own, self.job)
        assert pair is not None
        return pair


def test_a_side_is_asked_once_for_each_level_and_answers_with_what_it_is_told() -> None:
    case = Disputed()
    (effect,) = case.effects()
    assert isinstance(effect, fx.OpenTrace)
    assert (effect.job, effect.question.level) == (case.job, 0)
    assert case.effects() == []
    pair = case.answer()
    assert case.worker.ended(ev.TraceOpened(pair), lambda _: SALT) == ((None, pair),)
    case.court.answer(case.job)
    (effect,) = case.effects()
    assert isinstance(effect, fx.OpenTrace)
    assert effect.question.level == 1


def test_an_answer_that_could_not_be_signed_is_asked_for_again() -> None:
    case = Disputed()
    asked = case.effects()
    case.worker.refused(case.answer())
    assert case.effects() == asked


def test_after_a_restart_an_answer_that_is_under_way_is_not_repeated() -> None:
    case = Disputed()
    assert case.effects(case.started((case.answer(),))) == []
    assert len(case.effects(case.started())) == 1


def test_a_side_keeps_what_the_step_begins_with_for_the_jury() -> None:
    case = Disputed()
    record = case.court.play(case.job, Phase.SUMMONING)
    assert case.effects() == [fx.KeepStep(case.job, record.offer, record.requester, 5)]
    case.court.play(case.job, Phase.JUDGING)
    assert case.effects() == []


def test_a_juror_is_told_the_one_step_and_who_has_what_it_begins_with() -> None:
    case = Disputed()
    record = case.court.play(case.job, Phase.JUDGING)
    juror = next(one for one in record.executors if one.duty is Duty.STEP_JUROR)
    case.own = case.court.ledger.numbers[juror.account]
    effects = case.effects(case.started())
    (order,) = (one.step for one in effects if isinstance(one, fx.Execute))
    step = trial.step_in_question(record)
    assert step is not None
    assert order == fx.StepOrder(5, step.given, trial.holders_of(record))
