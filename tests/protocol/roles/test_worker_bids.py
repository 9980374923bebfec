"""What a worker bids for, with what, and why it does not."""

import pytest
from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.messages import Bid, Cancellation, Offer
from protocol.roles import worker as worker_module
from protocol.roles.worker import Worker
from protocol.units import CREDIT
from tests.support.builders import HandLedger, account_id, digest, make_genesis, make_offer

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
        ({"denied_requesters": frozenset({account_id(0)})}, "is on this node's deny-list"),
        ({"terms": (ev.Terms("onnx", 1_001),)}, "this node's price is above the offer's cap"),
        ({"terms": (ev.Terms("onnx", 1, refusal="cuda:0 is hot"),)}, "cuda:0 is hot"),
    ],
)
def test_a_worker_says_why_it_does_not_bid(changes: dict[str, object], explanation: str) -> None:
    ledger = HandLedger()
    ledger.open()
    (said,) = explanations(ledger, bidder(1, ledger, **changes))
    assert explanation in said


def test_a_worker_asks_the_price_of_the_kind() -> None:
    ledger = HandLedger()
    ledger.open()
    worker = bidder(1, ledger, price=999, terms=(ev.Terms("onnx", 7), ev.Terms("wasm", 8)))
    (bid,) = worker.react(ledger.facts).operations
    assert isinstance(bid, Bid)
    assert bid.price == 7


def test_a_worker_does_not_bid_below_the_sandbox_level_asked_for() -> None:
    ledger = HandLedger()
    ledger.open(0, make_offer(sandbox_level=2))
    (said,) = explanations(ledger, bidder(1, ledger, sandbox_level=1))
    assert said == "this node's sandbox level is below 2, which the offer asks"
    bids = bidder(1, ledger, sandbox_level=2).react(ledger.facts).operations
    assert [one.sandbox_level for one in bids if isinstance(one, Bid)] == [2]


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


def test_a_bid_that_could_not_be_signed_is_made_again() -> None:
    ledger = HandLedger()
    ledger.open()
    worker = bidder(1, ledger)
    (bid,) = worker.react(ledger.facts).operations
    worker.refused(bid)
    assert worker.react(ledger.facts).operations == [bid]
