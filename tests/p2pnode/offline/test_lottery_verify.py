import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from p2pnode.cli.entry import main
from p2pnode.facts import plain
from p2pnode.genesis import write_genesis
from p2pnode.views import job_view
from protocol.job.record import Duty, Job
from protocol.job.transcript import Candidate, Draw
from protocol.parameters import minimal
from protocol.units import CREDIT
from tests.support.builders import HandLedger, account_id, make_genesis, make_offer

Record = dict[str, Any]
Spoil = Callable[[Record], None]
LUCKY_MAX = 200
HEAVIER = "cpu/x86_64-avx2/ort-1.32.0"
LIGHTER = "cpu/x86_64-avx512f/ort-1.32.0"


@cache
def audited_job() -> Job:
    """A job of six bidders whose beacon sent an auditor."""
    return next(
        job
        for job in (_job(luck) for luck in range(LUCKY_MAX))
        if job.audit is not None and job.audit.drawn is not None
    )


@cache
def spared_job() -> Job:
    return next(
        job
        for job in (_job(luck) for luck in range(LUCKY_MAX))
        if job.audit is not None and job.audit.drawn is None
    )


def _job(luck: int) -> Job:
    """Two executors of six bidders: five at the cap, and one that costs half of it."""
    ledger = HandLedger(luck=luck)
    offer = ledger.open()
    ledger.bid(offer, *range(1, 6))
    ledger.bid(offer, 6, price=500)
    return ledger.run(offer)


@cache
def job_of_one_class() -> Job:
    """A job of one device class with an auditor; two bidders of another class are outweighed."""
    genesis = make_genesis(parameters=replace(minimal(), audit_floor=10_000))
    ledger = HandLedger(genesis)
    job = ledger.open(0, make_offer(result_class="class-exact", replicas=2))
    ledger.bid(job, 1, 2, device=LIGHTER)
    ledger.bid(job, 3, 4, 5, 6, device=HEAVIER)
    return ledger.run(job)


@cache
def job_with_a_late_spare() -> Job:
    """An auditor contradicts a lone executor, so that a spare of that audit's draw runs, too."""
    genesis = make_genesis(parameters=replace(minimal(), audit_floor=10_000))
    ledger = HandLedger(genesis)
    started = ledger.start(make_offer(replicas=2, replicas_max=6))
    liar = ledger.running(started.identifier)[0]
    return ledger.run(started.identifier, {liar: b"wrong"})


def transcript(job: Job) -> Record:
    """What a node shows of a job, with all that its weights and its audit follow from."""
    record = json.loads(json.dumps(job_view(job)))
    assert isinstance(record, dict)
    record |= {"price_cap": job.offer.price_cap, "replicas_max": job.offer.replicas_max}
    if job.audit is not None and job.audit.drawn is not None:
        record["audit"]["draw"] = draw_record(job.audit.drawn)
    return record


def draw_record(drawn: Draw) -> Record:
    return {
        "index": drawn.index,
        "beacon": drawn.beacon.hex(),
        "seed": drawn.seed.hex(),
        "order": plain(drawn.order),
        "candidates": [candidate_record(one) for one in drawn.candidates],
        "passed_over": [
            {"account": one.account.hex(), "reason": one.reason.name.lower()}
            for one in drawn.passed_over
        ],
        "outweighed": [candidate_record(one) for one in drawn.outweighed],
    }


def candidate_record(candidate: Candidate) -> Record:
    return {
        "account": candidate.account.hex(),
        "weight": candidate.weight,
        "free_stake": candidate.free_stake,
        "reputation": candidate.reputation,
        "price": candidate.price,
    }


def verify(record: Record, folder: Path, *flags: str) -> int:
    path = folder / "transcript.json"
    path.write_text(json.dumps(record))
    return main(["lottery", "verify", str(path), "--json", *flags])


def terms(folder: Path, job: Job | None = None) -> list[str]:
    """The terms of the network that a job ran on: all audit where the offer is of this file."""
    audits = minimal().audit_floor if job is None else 10_000
    parameters = replace(minimal(), audit_floor=audits)
    write_genesis(folder / "genesis", make_genesis(parameters=parameters))
    return ["--genesis", str(folder / "genesis")]


@pytest.mark.parametrize("job", [spared_job, audited_job])
def test_an_honest_transcript_is_retraced_to_the_end(
    job: Callable[[], Job], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(transcript(job()), tmp_path, *terms(tmp_path)) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["skipped"], found["first_difference"]) == (True, [], None)
    assert {"seed of the draw", "weights", "order of the draw", "executors"} < set(found["checked"])
    assert ("order of the audit" in found["checked"]) == (job is audited_job)


def test_what_a_transcript_does_not_tell_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = transcript(audited_job())
    del record["price_cap"], record["replicas_max"], record["audit"]["draw"]
    assert verify(record, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == [
        "weights: the transcript lacks price_cap",
        "length of the order of the draw: the transcript lacks replicas_max",
        "chance of the audit: name the network's --genesis",
        "draw of the auditor: the transcript lacks audit.draw",
    ]


def test_what_a_node_shows_by_itself_can_be_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "transcript.json"
    path.write_text(json.dumps(job_view(audited_job())))
    assert main(["lottery", "verify", str(path)]) == 0
    assert "as computed: order of the draw" in capsys.readouterr().out


@pytest.mark.parametrize("job", [job_of_one_class, job_with_a_late_spare])
def test_classes_and_spares_after_an_audit_are_retraced_to_the_end(
    job: Callable[[], Job], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    duties = [executor.duty for executor in job().executors]
    assert (duties[-1] is Duty.AUDITOR) == (job is job_of_one_class)
    assert Duty.AUDITOR in duties
    assert verify(transcript(job()), tmp_path, *terms(tmp_path, job())) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["skipped"]) == (True, [])
    assert ("device class" in found["checked"]) == (job is job_of_one_class)


def test_without_the_networks_terms_the_choice_of_a_class_is_named_as_unchecked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(transcript(job_of_one_class()), tmp_path) == 0
    unchecked = "choice of the device class: name the network's --genesis"
    assert unchecked in json.loads(capsys.readouterr().out)["skipped"]
    assert verify(transcript(job_of_one_class()) | {"replicas_min": None}, tmp_path) == 0


def take_the_lighter_class(record: Record) -> None:
    """Candidates of the lighter class, drawn among themselves in the right order."""
    told = record["draw"]
    told["candidates"], told["outweighed"] = told["outweighed"], told["candidates"]
    told["passed_over"] = [
        {"account": one["account"], "reason": "other_class"} for one in told["outweighed"]
    ]


def rename_classes(record: Record) -> None:
    """As if those who were drawn had bid from a class of their own each."""
    for bid in record["bids"]:
        bid["device"] = f"cpu/{bid['account'][:8]}"


def forget_the_outweighed(record: Record) -> None:
    record["draw"]["outweighed"] = []


def outweigh_one_of_the_class(record: Record) -> None:
    moved = record["draw"]["candidates"].pop()
    record["draw"]["outweighed"].append(moved)
    apart = {"account": moved["account"], "reason": "other_class"}
    record["draw"]["passed_over"].append(apart)


def outweigh_a_stranger(record: Record) -> None:
    stranger = record["draw"]["outweighed"][0] | {"account": "77" * 32}
    record["draw"]["outweighed"].append(stranger)


def compare_all_classes(record: Record) -> None:
    record["result_class"] = "exact"


def lighten_the_outweighed(record: Record) -> None:
    record["draw"]["outweighed"][0]["weight"] -= 1


def audit_from_another_class(record: Record) -> None:
    other = record["draw"]["outweighed"][0]
    record["audit"]["draw"]["candidates"].append(other)


def hide_from_the_audit(record: Record) -> None:
    del record["audit"]["draw"]["candidates"][0]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (take_the_lighter_class, "device class"),
        (rename_classes, "device class"),
        (forget_the_outweighed, "bidders of other classes"),
        (outweigh_one_of_the_class, "part of "),
        (outweigh_a_stranger, "price of "),
        (compare_all_classes, "bidders of other classes"),
        (lighten_the_outweighed, "weight of "),
        (audit_from_another_class, "device class of "),
        (hide_from_the_audit, "bidders left out of the audit"),
    ],
)
def test_a_difference_about_device_classes_is_named(
    spoil: Spoil, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of_one_class()
    record = transcript(job)
    spoil(record)
    assert verify(record, tmp_path, *terms(tmp_path, job)) == 1
    found = json.loads(capsys.readouterr().out)["first_difference"]
    assert found["what"].startswith(what), found
    if spoil is take_the_lighter_class:
        assert (found["computed"], found["recorded"]) == (HEAVIER, LIGHTER)


def swap_order(record: Record) -> None:
    order = record["draw"]["order"]
    order[0], order[1] = order[1], order[0]


def change_beacon(record: Record) -> None:
    record["draw"]["beacon"] = "00" * 32


def change_seed(record: Record) -> None:
    record["draw"]["seed"] = "00" * 32


def grow_weight(record: Record) -> None:
    record["draw"]["candidates"][0]["weight"] += 1


def grow_stake(record: Record) -> None:
    record["draw"]["candidates"][0]["free_stake"] += CREDIT


def raise_price(record: Record) -> None:
    record["draw"]["candidates"][0]["price"] += 1


def drop_candidate(record: Record) -> None:
    del record["draw"]["candidates"][2]


def drop_bidder(record: Record) -> None:
    """A bidder hidden entirely: from the bids, the candidates and the order."""
    hidden = record["draw"]["order"][0]
    record["bids"] = [bid for bid in record["bids"] if bid["account"] != hidden]
    kept = [one for one in record["draw"]["candidates"] if one["account"] != hidden]
    record["draw"]["candidates"] = kept
    record["draw"]["order"].remove(hidden)


def cut_order(record: Record) -> None:
    record["draw"]["order"].pop()


def swap_executors(record: Record) -> None:
    executors = record["executors"]
    executors[0], executors[1] = executors[1], executors[0]


def call_requester(record: Record) -> None:
    record["executors"][0]["account"] = account_id(0).hex()


def bid_of_requester(record: Record) -> None:
    record["bids"][0]["account"] = record["requester"]


def change_number(record: Record) -> None:
    record["audit"]["number"] -= 1


def lower_chance(record: Record) -> None:
    record["audit"]["denominator"] *= 2


def hide_auditor(record: Record) -> None:
    record["audit"]["auditors"] = []


def weigh_auditor(record: Record) -> None:
    record["audit"]["draw"]["candidates"][0]["weight"] += 1


def seed_of_audit(record: Record) -> None:
    record["audit"]["draw"]["seed"] = record["draw"]["seed"]


def let_executor_audit(record: Record) -> None:
    executor = next(one for one in record["executors"] if one["duty"] == "executor")
    record["audit"]["draw"]["candidates"][0]["account"] = executor["account"]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (swap_order, "place 1 in the order of the draw"),
        (change_beacon, "seed of the draw"),
        (change_seed, "seed of the draw"),
        (grow_weight, "weight of "),
        (grow_stake, "weight of "),
        (raise_price, "price of "),
        (drop_candidate, "bidders"),
        (drop_bidder, "executors"),
        (cut_order, "place "),
        (swap_executors, "order of the executors"),
        (call_requester, "executors"),
        (bid_of_requester, "bidders"),
        (change_number, "number of the audit"),
        (lower_chance, "chance of the audit"),
        (hide_auditor, "auditors"),
        (weigh_auditor, "weight in the audit of "),
        (seed_of_audit, "seed of the audit"),
        (let_executor_audit, "candidates of the audit"),
    ],
)
def test_the_first_difference_is_named(
    spoil: Spoil, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = transcript(audited_job())
    honest = copy.deepcopy(record)
    spoil(record)
    assert record != honest
    assert verify(record, tmp_path, *terms(tmp_path)) == 1
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["ok"] is False
    assert found["first_difference"]["what"].startswith(what)
    assert "the rules give" in told.err


def test_an_auditor_without_a_cause_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = transcript(spared_job())
    record["audit"]["auditors"] = [record["draw"]["order"][-1]]
    assert verify(record, tmp_path) == 1
    assert json.loads(capsys.readouterr().out)["first_difference"]["what"] == "auditors"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 3}', "\xff", "[" * 100_000])
def test_what_is_no_transcript_is_a_mistake_of_the_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "transcript.json"
    path.write_text(text, encoding="latin-1")
    assert main(["lottery", "verify", str(path)]) == 2
    assert "p2pnode job ID --json" in capsys.readouterr().err


def test_a_job_without_a_draw_cannot_be_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = transcript(spared_job()) | {"draw": None}
    assert verify(record, tmp_path) == 2
    assert "has no draw" in capsys.readouterr().err
    assert main(["lottery", "verify", str(tmp_path / "nothing")]) == 2
