"""What a worker sends for a job that it is drawn for, and when."""

import pytest
from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest, encode
from protocol.job.commit_reveal import fingerprint_digest
from protocol.job.record import Phase, Status
from protocol.messages import (
    Bid,
    Cancellation,
    Commitment,
    Decline,
    Fingerprint,
    Offer,
    Payload,
    Reveal,
)
from protocol.roles import worker as worker_module
from protocol.roles.worker import Worker
from protocol.units import CREDIT, JobId
from tests.support.builders import (
    HandLedger,
    account_id,
    digest,
    make_genesis,
    make_offer,
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

FULL = "cpu/x86_64-avx2/ort-1.32.0"
BOARD = "cuda/sm90-NVIDIA-H200/ort-1.32.0"
PLACES = ev.WorkerOffered(
    kinds=frozenset({"onnx", "wasm"}),
    devices=frozenset({"cpu"}),
    price=1_000,
    allowed=None,
    parallel=1,
    sandbox_level=0,
    classes=(("wasm", "cpu"), ("onnx", FULL)),
)


def devices_bid(offer: Offer, offered: ev.WorkerOffered = PLACES) -> list[str]:
    """The devices that a worker bids with for an offer; none where it does not bid."""
    ledger = HandLedger()
    worker = Worker(account_id(1), ledger.state)
    worker.offer(offered)
    ledger.open(0, offer)
    sent = worker.react(ledger.facts).operations
    return [payload.device for payload in sent if isinstance(payload, Bid)]


def test_a_worker_names_its_class_in_full_only_where_results_depend_on_it() -> None:
    assert devices_bid(make_offer(result_class="class-exact")) == [FULL]
    assert devices_bid(make_offer(result_class="exact")) == ["cpu"]


def test_a_worker_bids_with_the_class_that_the_kind_of_the_job_runs_on() -> None:
    mixed = replace(PLACES, classes=(("wasm", "cpu"), ("onnx", BOARD)))
    assert devices_bid(make_offer(result_class="class-exact"), mixed) == [BOARD]
    assert devices_bid(make_offer(kind="wasm", result_class="class-exact"), mixed) == ["cpu"]


def test_a_worker_does_not_bid_for_a_device_that_the_kind_would_not_run_on() -> None:
    mixed = replace(PLACES, devices=frozenset({"cpu", "cuda"}), classes=(("onnx", BOARD),))
    assert devices_bid(make_offer(device="cpu"), mixed) == []
    assert devices_bid(make_offer(device="cuda"), mixed) == ["cuda"]
    assert devices_bid(make_offer(device="cuda"), PLACES) == []


def test_a_kind_without_a_class_of_its_own_runs_on_any_device_offered() -> None:
    plain = replace(PLACES, devices=frozenset({"cpu", "cuda"}), classes=())
    assert devices_bid(make_offer(device="cuda", result_class="class-exact"), plain) == ["cuda"]


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


# Bidding


def explanations(ledger: HandLedger, worker: Worker) -> list[str]:
    """Why a worker does not bid for what is on offer."""
    answer = worker.react(ledger.facts)
    assert answer.operations == []
    reports = [effect for effect in answer.effects if isinstance(effect, fx.Report)]
    return [one.fact.explanation for one in reports if isinstance(one.fact, fx.NotBidding)]


def bidder(number: int = 1, ledger: HandLedger | None = None, **changes: object) -> Worker:
    state = (ledger or HandLedger()).state
    worker = Worker(account_id(number), state)
    worker.offer(replace(PLACES, **changes))  # type: ignore[arg-type]  # names are those of fields
    return worker


@pytest.mark.parametrize(
    ("changes", "explanation"),
    [
        ({"kinds": frozenset({"wasm"})}, "this node does not run the kind 'onnx'"),
        ({"price": 1_001}, "this node's price is above the offer's cap"),
        (
            {"devices": frozenset[str](), "classes": ()},
            "this node has no device of the class 'any'",
        ),
        ({"allowed": frozenset({digest(b"another")})}, "is not on this node's allow-list"),
        ({"denied": frozenset({make_offer().artefact})}, "is on this node's deny-list"),
    ],
)
def test_a_worker_says_why_it_does_not_bid(changes: dict[str, object], explanation: str) -> None:
    ledger = HandLedger()
    ledger.open()
    (said,) = explanations(ledger, bidder(1, ledger, **changes))
    assert explanation in said


def test_accounts_without_money_or_stake_do_not_bid() -> None:
    ledger = HandLedger(make_genesis(others=(9,)))
    ledger.open()
    assert explanations(ledger, bidder(9, ledger)) == [
        "this account has staked less than the network's minimum"
    ]
    assert explanations(ledger, bidder(10, ledger)) == [
        "this account does not exist yet: it has never been funded"
    ]


def test_a_stake_that_does_not_cover_the_exposure_is_not_risked() -> None:
    ledger = HandLedger(make_genesis(stake=1_000 * CREDIT, available=10**6 * CREDIT))
    dear = make_offer(price_cap=10 * CREDIT, budget=500_000 * CREDIT)
    ledger.open(0, dear)
    (said,) = explanations(ledger, bidder(1, ledger, price=10 * CREDIT))
    assert said == "this account's free stake does not cover the job's exposure"


def test_a_node_that_offers_nothing_says_nothing() -> None:
    ledger = HandLedger()
    ledger.open()
    assert Worker(account_id(1), ledger.state).react(ledger.facts).effects == []


def test_nobody_bids_for_its_own_job_or_twice() -> None:
    ledger = HandLedger()
    job = ledger.open()
    assert bidder(0, ledger).react(ledger.facts).operations == []
    worker = bidder(1, ledger)
    assert [type(bid) for bid in worker.react(ledger.facts).operations] == [Bid]
    assert worker.react(ledger.facts).operations == []
    again = bidder(1, ledger)
    again.restore((), (Bid(job, 1_000, "cpu", 1, 0),))
    assert again.react(ledger.facts).operations == []


def test_bids_are_open_for_a_few_jobs_at_a_time_and_for_others_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "BIDS_EACH", 2)
    ledger = HandLedger()
    jobs = [ledger.open() for _ in range(3)]
    worker = bidder(1, ledger)
    answer = worker.react(ledger.facts)
    assert [one.job for one in answer.operations if isinstance(one, Bid)] == jobs[:2]
    assert len([one for one in answer.effects if isinstance(one, fx.Report)]) == 1
    ledger.do(0, Cancellation(jobs[0]))
    again = worker.react(ledger.facts)
    assert [one.job for one in again.operations if isinstance(one, Bid)] == jobs[2:]


def test_what_could_not_be_signed_is_asked_for_again() -> None:
    story = committed()
    (fingerprint,) = story.others_commit()
    story.worker.refused(fingerprint)
    assert story.worker.react(story.ledger.facts).operations == [fingerprint]


def test_a_bid_that_could_not_be_signed_is_made_again() -> None:
    ledger = HandLedger()
    ledger.open()
    worker = bidder(1, ledger)
    (bid,) = worker.react(ledger.facts).operations
    worker.refused(bid)
    assert worker.react(ledger.facts).operations == [bid]


def test_what_the_operator_has_struck_off_is_declined_when_drawn() -> None:
    story = Story()
    story.worker.offer(replace(PLACES, allowed=frozenset()))
    answer = story.worker.react(story.ledger.facts)
    assert answer.effects == []
    assert answer.operations == [Decline(story.job, unavailable=False)]
    assert story.worker.react(story.ledger.facts).operations == []


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
