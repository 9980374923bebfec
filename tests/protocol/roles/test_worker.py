"""What a worker sends for a job that it is drawn for, and when."""

from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest, encode
from protocol.job.commit_reveal import fingerprint_digest
from protocol.job.record import Phase, Status
from protocol.messages import (
    Commitment,
    Decline,
    Fingerprint,
    Payload,
    Reveal,
)
from protocol.roles.worker import Worker
from protocol.units import JobId
from tests.protocol.roles.test_worker_bids import PLACES
from tests.support.builders import (
    HandLedger,
    account_id,
    make_reveal,
)

SALT = b"s" * 32


class Story:
    """One worker under test, and everybody else by hand."""

    def __init__(self) -> None:
        self.ledger = HandLedger()
        self.job: JobId = self.ledger.start().identifier
        self.own, *self.others = self.ledger.running(self.job)
        self.worker = Worker(account_id(self.own), self.ledger.state)
        self.worker.offer(PLACES)
        self.worker.restore((), ())
        self.prepared: Reveal | None = None

    def finish(self) -> tuple[Payload, ...]:
        """Ends the worker's run, and returns what it sends."""
        event = ev.ExecutionEnded(self.job, 0, content_digest(b"right"), 10_000, 0)
        ((reveal, payload),) = self.worker.ended(event, lambda _: SALT)
        assert reveal is not None
        self.prepared = self.ledger.reveals[self.own, self.job] = reveal
        self.ledger.quiet.add(self.own)
        return (payload,)

    def react(self, *payloads: Payload) -> list[Payload]:
        """Makes the worker's operations final, and returns what it sends then."""
        entries = [self.ledger.operation(self.own, payload) for payload in payloads]
        return self.worker.react(self.ledger.commit(*entries)).operations

    def others_commit(self) -> list[Payload]:
        for number in self.others:
            self.ledger.send_commitment(number, make_reveal(self.job))
        return self.worker.react(self.ledger.facts).operations

    def wait(self, phase: Phase) -> list[Payload]:
        self.ledger.until(self.job, phase)
        return self.worker.react(self.ledger.facts).operations


def committed() -> Story:
    """A worker whose commitment is final, as is everybody else's."""
    story = Story()
    assert story.react(*story.finish()) == []
    return story


def test_a_drawn_worker_runs_and_commits_with_its_reveal_kept_first() -> None:
    story = Story()
    answer = story.worker.react(story.ledger.commit(None) or story.ledger.facts)
    assert [type(effect) for effect in answer.effects] == [fx.Execute]
    (payload,) = story.finish()
    assert isinstance(payload, Commitment)
    assert story.prepared is not None


def test_a_worker_sends_its_fingerprint_once_as_soon_as_all_have_committed() -> None:
    story = committed()
    sent = story.others_commit()
    assert story.prepared is not None
    assert sent == [Fingerprint(story.job, fingerprint_digest(story.prepared))]
    assert story.worker.react(story.ledger.facts).operations == []
    assert story.react(*sent) == []


def test_a_worker_reveals_only_when_reveals_are_open() -> None:
    story = committed()
    assert story.react(*story.others_commit()) == []
    assert story.wait(Phase.REVEALING) == [story.prepared]


def test_after_a_restart_a_worker_sends_what_it_still_owes() -> None:
    story = committed()
    (fingerprint,) = story.others_commit()
    again = Worker(account_id(story.own), story.ledger.state)
    assert story.prepared is not None
    again.restore((encode(story.prepared),), ())
    assert again.react(story.ledger.facts).operations == [fingerprint]


def test_after_a_restart_a_worker_does_not_repeat_what_is_under_way() -> None:
    story = committed()
    (fingerprint,) = story.others_commit()
    again = Worker(account_id(story.own), story.ledger.state)
    assert story.prepared is not None
    again.restore((encode(story.prepared),), (fingerprint,))
    assert again.react(story.ledger.facts).operations == []


def test_a_worker_that_was_too_late_with_its_fingerprint_still_reveals() -> None:
    story = committed()
    story.others_commit()
    sent = story.wait(Phase.REVEALING)
    assert sent == [story.prepared]
    own = story.ledger.state.jobs[story.job].executor(account_id(story.own))
    assert own is not None
    assert own.fingerprint is None


# Device classes


def test_a_worker_that_restarts_after_the_end_still_opens_its_commitment() -> None:
    story = committed()
    story.others_commit()
    story.ledger.until(story.job, Phase.REVEALING)
    for number in story.others:
        story.ledger.do(number, story.ledger.reveals[number, story.job])
    story.ledger.until(story.job, Phase.SETTLED)
    own = story.ledger.state.jobs[story.job].executor(account_id(story.own))
    assert own is not None
    assert own.status is Status.UNOPENED
    again = Worker(account_id(story.own), story.ledger.state)
    assert story.prepared is not None
    again.restore((encode(story.prepared),), ())
    sent = again.react(story.ledger.facts).operations
    assert sent == [story.prepared]
    story.ledger.do(story.own, *sent)
    assert again.react(story.ledger.facts).operations == []


def test_a_reveal_is_spent_once_its_commitment_is_open_and_its_job_over() -> None:
    story = committed()
    story.others_commit()
    assert story.worker.spent() == ()
    story.ledger.until(story.job, Phase.REVEALING)
    for number in story.others:
        story.ledger.do(number, story.ledger.reveals[number, story.job])
    story.ledger.until(story.job, Phase.SETTLED)
    assert story.worker.spent() == (), "it still has to open what it committed to"
    assert story.prepared is not None
    story.react(story.prepared)
    assert story.worker.spent() == (story.job,)
    assert story.worker.spent() == (), "once is enough"
    again = Worker(account_id(story.own), story.ledger.state)
    again.restore((encode(story.prepared),), ())
    assert again.spent() == (story.job,), "nobody had dropped it before the restart"


def test_after_a_restart_a_job_that_the_replay_does_not_reach_is_not_over() -> None:
    story = committed()
    assert story.prepared is not None
    behind = HandLedger()
    worker = Worker(account_id(story.own), behind.state)
    remembered = story.ledger.state.index
    worker.restore((encode(story.prepared),), (), remembered)
    assert worker.spent() == (), "the job may come with the blocks that are missing"
    while behind.state.index < remembered:
        behind.commit()
    assert worker.spent() == (story.job,), "it has left the state long ago"


# Bidding


def test_what_could_not_be_signed_is_asked_for_again() -> None:
    story = committed()
    (fingerprint,) = story.others_commit()
    story.worker.refused(fingerprint)
    assert story.worker.react(story.ledger.facts).operations == [fingerprint]


def test_what_the_operator_has_struck_off_is_declined_when_drawn() -> None:
    story = Story()
    story.worker.offer(replace(PLACES, allowed=frozenset()))
    answer = story.worker.react(story.ledger.facts)
    assert answer.effects == []
    assert answer.operations == [Decline(story.job, unavailable=False)]
    assert story.worker.react(story.ledger.facts).operations == []


def test_what_is_not_taken_any_more_is_declined_when_drawn_and_what_runs_goes_on() -> None:
    hot = replace(PLACES, terms=(ev.Terms("onnx", 1_000, refusal="cuda:0 is hot"),))
    story = Story()
    story.worker.offer(hot)
    answer = story.worker.react(story.ledger.facts)
    assert (answer.effects, answer.operations) == ([], [Decline(story.job, unavailable=False)])
    running = Story()
    (effect,) = running.worker.react(running.ledger.facts).effects
    assert isinstance(effect, fx.Execute)
    running.worker.offer(hot)
    again = running.worker.react(running.ledger.facts)
    assert (again.effects, again.operations) == ([], [])


def test_nothing_is_run_or_declined_before_the_operators_choice_is_known() -> None:
    story = Story()
    untold = Worker(account_id(story.own), story.ledger.state)
    untold.restore((), ())
    answer = untold.react(story.ledger.facts)
    assert (answer.effects, answer.operations) == ([], [])


def test_a_run_that_cannot_start_is_declined() -> None:
    story = Story()
    ended = story.worker.ended(ev.ExecutionImpossible(story.job, unavailable=True), lambda _: SALT)
    assert ended == ((None, Decline(story.job, unavailable=True)),)


def test_a_declined_job_is_not_run_again_before_the_decline_is_final() -> None:
    story = Story()
    (effect,) = story.worker.react(story.ledger.facts).effects
    assert isinstance(effect, fx.Execute)
    story.worker.ended(ev.ExecutionImpossible(story.job, unavailable=True), lambda _: SALT)
    story.ledger.commit()
    again = story.worker.react(story.ledger.facts)
    assert story.own in story.ledger.running(story.job)
    assert (again.effects, again.operations) == ([], [])


def test_the_end_of_an_unknown_run_is_passed_over() -> None:
    story = Story()
    event = ev.ExecutionEnded(JobId(bytes(32)), 0, content_digest(b"right"), 1, 0)
    assert story.worker.ended(event, lambda _: SALT) == ()


def test_a_run_that_nobody_waits_for_any_more_is_stopped() -> None:
    story = Story()
    story.worker.react(story.ledger.facts)
    for number in story.others:
        story.ledger.send_commitment(number, make_reveal(story.job))
    story.ledger.until(story.job, Phase.REVEALING, Phase.EXECUTING)
    while not story.ledger.state.jobs[story.job].terminal:
        for number in story.ledger.committed(story.job):
            if story.ledger.state.jobs[story.job].phase is Phase.REVEALING:
                story.ledger.do(number, story.ledger.reveals[number, story.job])
        for number in story.ledger.running(story.job):
            if number not in (story.own, *story.others):
                story.ledger.send_commitment(number, make_reveal(story.job))
        story.ledger.commit(*story.ledger.due_fingerprints(story.job))
    answer = story.worker.react(story.ledger.facts)
    assert fx.StopExecution(story.job) in answer.effects
