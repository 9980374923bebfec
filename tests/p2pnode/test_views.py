"""What is shown of a core and of jobs in every phase."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from p2pnode import views
from p2pnode.settings import read_checkpoint
from p2pnode.views import UNFINISHED, account_view, find_job, job_line, job_view, ledger_view
from protocol import events as ev
from protocol.balances import YIELD_SCALE
from protocol.claims import Unavailable
from protocol.core import Core
from protocol.job.delivery import checkers
from protocol.job.record import Ending, Job, Phase, ResultOutcome, Status
from protocol.messages import StakeDeposit, StakeWithdrawal
from protocol.parameters import minimal, with_jury
from protocol.units import CREDIT, Digest, JobId
from tests.p2pnode.fake_ports import gift, lone_core
from tests.support.builders import HandLedger, account_id, make_genesis, make_offer, make_reveal
from tests.support.disputes import Court
from tests.support.town import Town

RECEIPT = {
    "id", "state", "finality", "requester", "executors", "spares", "confidence", "replicas",
    "result_digest", "payouts", "slashes", "fee", "refund", "timeline",
}  # fmt: skip
LEDGER = {"round", "final_index", "final_digest", "state_digest", "pending_operations"}
BALANCE = {
    "account", "available", "staked", "pledged", "unbonding", "escrow", "pending", "final",
}  # fmt: skip


def shown(job: Job) -> dict[str, Any]:
    """A receipt as a program reads it."""
    view = job_view(job)
    read: dict[str, Any] = json.loads(json.dumps(view))
    assert read == view
    return read


def stories() -> dict[str, Job]:
    """Jobs in every phase and with every ending, by a name."""
    seen: dict[str, Job] = {}
    for luck in range(24):
        for answers in ({}, {1: b"wrong"}, {n: bytes([n]) for n in range(1, 7)}):
            follow(HandLedger(luck=luck, signed=False), answers, seen)
    jury = make_genesis(parameters=with_jury(minimal(), 1))
    for luck in range(6):
        follow(HandLedger(jury, luck=luck, signed=False), {1: b"wrong"}, seen)
    ledger = HandLedger(signed=False)
    ended(seen, ledger.until(ledger.open(), Phase.REFUNDED))
    ledger = HandLedger(signed=False)
    ended(seen, ledger.until(ledger.start().identifier, *FINAL))
    dispute(seen)
    return seen


FINAL = (Phase.SETTLED, Phase.INCONCLUSIVE, Phase.REFUNDED)


def follow(ledger: HandLedger, answers: dict[int, bytes], seen: dict[str, Job]) -> None:
    job = ledger.open(0, make_offer(replicas=2, replicas_max=4))
    for _ in range(300):
        record = ledger.state.jobs[job]
        ended(seen, record)
        if record.terminal:
            return
        if record.phase is Phase.BIDDING and not record.bids:
            ledger.bid(job, *range(1, 7))
        elif ledger.running(job):
            number = ledger.running(job)[0]
            ledger.send_commitment(number, make_reveal(job, answers.get(number, b"right")))
        elif record.phase is Phase.REVEALING and ledger.committed(job):
            number = ledger.committed(job)[0]
            ledger.do(number, ledger.reveals[number, job])
        else:
            ledger.commit(*ledger.due_fingerprints(job))
    raise AssertionError("the job does not end")


def dispute(seen: dict[str, Job]) -> None:
    """A job made of steps, in which one executor does the last one wrongly."""
    court = Court(lies={0: 7})
    job = court.open()
    for phase in (Phase.DISPUTING, Phase.SUMMONING, Phase.JUDGING, Phase.SETTLED):
        ended(seen, court.play(job, phase))


def ended(seen: dict[str, Job], job: Job) -> None:
    name = job.phase.value if job.ending is None else f"{job.phase.value}: {job.ending.name}"
    seen.setdefault(name, job)
    statuses = {one.status for one in job.executors}
    seen.setdefault(f"{name} {sorted(one.value for one in statuses)}", job)


STORIES = stories()


def test_the_stories_tell_of_every_phase() -> None:
    assert {job.phase for job in STORIES.values()} == set(Phase)
    assert len({job.ending for job in STORIES.values()}) >= 3


@pytest.mark.parametrize("name", STORIES)
def test_a_job_in_any_phase_has_a_whole_receipt(name: str) -> None:
    job = STORIES[name]
    view = shown(job)
    assert set(view) >= RECEIPT
    assert view["state"] == job.phase.value
    for executor in view["executors"]:
        assert {"account", "reason", "status", "price", "weight"} <= set(executor)
        assert executor["reason"].startswith(("drawn", "called"))
    for row in (*view["payouts"], *view["slashes"]):
        assert set(row) >= {"account", "amount", "reason"}
    for milestone in view["timeline"]:
        assert set(milestone) == {"phase", "round", "at_ms"}
    assert job_line(job)["id"] == job.identifier.hex()
    assert_is_plain(view)


def assert_is_plain(view: dict[str, Any]) -> None:
    """Money and digests never as text of a Python value."""
    text = json.dumps(view)
    assert "b'" not in text
    assert "<" not in text


def test_a_settled_job_shows_who_was_paid_what() -> None:
    ledger = HandLedger()
    job = ledger.run(ledger.start(make_offer(replicas=2)).identifier)
    view = shown(job)
    assert view["state"] == "settled"
    assert view["result_digest"] == make_reveal(job.identifier).output.hex()
    assert view["outcome"] == "finished"
    paid = sum(row["amount"] for row in view["payouts"])
    assert paid + view["fee"] + view["refund"] == job.offer.budget
    assert view["replicas"] == len(view["executors"]) == 2
    assert view["timeline"][-1]["phase"] == "settled"


@pytest.mark.parametrize("outcome", UNFINISHED)
def test_an_agreed_failure_has_no_result_but_an_advice(outcome: ResultOutcome) -> None:
    ledger = HandLedger()
    settled = ledger.run(ledger.start(make_offer(replicas=2)).identifier)
    groups = tuple(replace(group, outcome=outcome) for group in settled.groups)
    view = shown(replace(settled, groups=groups, ending=Ending.UNFINISHED))
    assert view["state"] == "settled"
    assert view["result_digest"] is None
    assert view["outcome"] == outcome.name.lower()
    assert view["reason"] == f"the executors agree that the run {UNFINISHED[outcome]}"


def test_every_outcome_without_an_output_has_its_advice() -> None:
    assert {*UNFINISHED, ResultOutcome.FINISHED} == set(ResultOutcome)


def test_a_receipt_shows_until_when_payouts_wait_and_who_could_not_fetch_the_output() -> None:
    ledger = HandLedger()
    ledger.bid(ledger.open(0, make_offer(bid_window_rounds=100)), *range(1, 7))
    job = ledger.start(make_offer(retention_ms=60_000), bidders=(1, 2, 3)).identifier
    settled = shown(ledger.run(job))
    ends_ms = ledger.state.ledger_time_ms + 60_000
    assert settled["delivery"] == {
        "until_ms": ends_ms, "is_over": False, "is_claimed": False, "missing": [], "draw": None,
    }  # fmt: skip
    ledger.do(0, Unavailable(job))
    while not checkers(ledger.state.jobs[job]):
        ledger.commit()
    first, second, _ = checkers(ledger.state.jobs[job])
    for account in (first, second):
        ledger.do(ledger.numbers[account], Unavailable(job))
    after = shown(ledger.state.jobs[job])
    assert after["delivery"]["missing"] == [first.hex(), second.hex()]
    assert (after["state"], after["ending"], after["payouts"]) == ("settled", "undelivered", [])
    assert after["refund"] == settled["refund"] + sum(one["amount"] for one in settled["payouts"])


def test_those_who_did_not_serve_are_no_replicas() -> None:
    ledger = HandLedger()
    job = ledger.start(make_offer(replicas=2))
    while Status.MISSED not in {one.status for one in ledger.state.jobs[job.identifier].executors}:
        ledger.commit()
    record = ledger.state.jobs[job.identifier]
    view = shown(record)
    assert view["replicas"] == sum(one.status is not Status.MISSED for one in record.executors)
    assert "missed" in [one["status"] for one in view["executors"]]


def test_a_refunded_job_says_why() -> None:
    ledger = HandLedger()
    view = shown(ledger.until(ledger.open(), Phase.REFUNDED))
    assert view["ending"] in {one.name.lower() for one in Ending}
    assert view["reason"] in {one.value for one in Ending}
    assert view["draw"] is None or view["draw"]["order"] == []
    assert view["result_digest"] is None


def live(*payloads: object) -> Core:
    core = lone_core()
    core.step(ev.Restored(0, (), ()), 0)
    for ticket, payload in enumerate(payloads):
        core.step(ev.OperationRequested(ticket, payload), 1)  # type: ignore[arg-type]  # a union
    return core


def test_a_job_that_is_not_final_has_the_same_fields() -> None:
    core = live(make_offer())
    (operation,) = core.pool.operations(core.account)
    view = find_job(core, JobId(operation.identifier))
    assert view is not None
    assert set(view) >= RECEIPT
    assert view["state"] == "offered"
    assert view["finality"] in {"seen", "in_block"}
    json.dumps(view)


def test_what_is_no_job_is_not_found() -> None:
    core = live(gift())
    (operation,) = core.pool.operations(core.account)
    assert find_job(core, JobId(operation.identifier)) is None
    assert find_job(core, JobId(Digest(bytes(32)))) is None


def test_the_ledger_is_shown_before_and_after_the_first_commit() -> None:
    core = live(gift())
    view = ledger_view(core)
    assert set(view) >= LEDGER
    assert (view["final_index"], view["final_digest"]) == (0, "")
    now = 1
    while core.state.index < 2:
        now += 10**8
        core.step(ev.Tick(), now)
        assert now < 10**11
    view = ledger_view(core)
    assert view["final_index"] == core.state.index
    assert view["state_digest"] == core.state.digest.hex()
    assert len(str(view["final_digest"])) == 64
    json.dumps(view)


def test_the_newest_certified_end_is_shown_as_a_checkpoint_takes_it() -> None:
    town = Town()
    core = cast(Core, SimpleNamespace(state=town.state))
    assert views._checkpoint(core) == ""
    town.close(0, 1, 2)
    first = town.state.epochs.closed[-1].digest
    assert views._checkpoint(core) == "", "nobody has signed it yet"
    town.commit(*[(number, town.attestation(number)) for number in (0, 1, 2)])
    assert views._checkpoint(core) == f"0:{first.hex()}"
    assert read_checkpoint(views._checkpoint(core)) == (0, first)
    town.close(0, 1, 2)
    assert views._checkpoint(core) == f"0:{first.hex()}", "the newer one is not certified"


def test_an_account_that_nobody_funded_has_nothing_and_every_field() -> None:
    core = live()
    unknown, known = (account_view(core, account_id(number)) for number in (9, 0))
    assert set(unknown) == set(known) >= BALANCE
    assert not unknown["exists"]
    assert known["exists"]
    assert known["available"] == core.state.accounts.of(account_id(0)).available


def test_an_account_shows_what_its_open_jobs_hold() -> None:
    ledger = HandLedger()
    ledger.open(0, make_offer(budget=7 * CREDIT))
    core = lone_core(ledger.genesis)
    core.state = ledger.state
    view = account_view(core, account_id(0))
    assert view["escrow"] == 7 * CREDIT
    json.dumps(view)


def test_an_account_shows_what_is_leaving_its_stake() -> None:
    ledger = HandLedger()
    ledger.deposit(0, amount=3 * CREDIT)
    ledger.do(0, StakeDeposit(5 * CREDIT))
    ledger.do(0, StakeWithdrawal(3 * CREDIT))
    core = lone_core(ledger.genesis)
    core.state = ledger.state
    (entry,) = json.loads(json.dumps(account_view(core, account_id(0))))["unbonding"]
    assert entry["amount"] == 3 * CREDIT


def test_an_account_shows_how_many_of_its_operations_are_not_final() -> None:
    core = live(gift(), gift(amount=2 * CREDIT))
    assert account_view(core, core.account)["pending"] == 2


def test_an_account_shows_what_its_stake_earns_and_why() -> None:
    ledger = HandLedger()
    for _ in range(42):
        ledger.commit(step_ms=14_000, authors=range(7))
    ledger.commit(step_ms=14_000, authors=range(7), closes=True)
    core = lone_core(ledger.genesis)
    core.state = ledger.state
    earns = account_view(core, account_id(0))["yield"]
    accrued = 10_000 * CREDIT * 602_000 * 836 // (31_536_000_000 * 10_000)
    assert earns == {
        "earned": 0,
        "accrued": ledger.state.accounts.of(account_id(0)).due(ledger.state.accounts.yield_index)
        // YIELD_SCALE,
        "rate_bp": 836,
        "why": "90 % of all credits are staked; without the bonus for uptime: "
        "1 of the last 144 epochs kept",
        "epochs": [
            {
                "epoch": 0,
                "elapsed_ms": 602_000,
                "rate_bp": 836,
                "for_1000": earns["accrued"] // 10,
                "up": False,
                "staked": 10_000 * CREDIT,
                "amount": earns["accrued"],
            }
        ],
    }
    assert abs(int(earns["accrued"]) - accrued) < accrued // 1_000
