"""A jury's draw is recomputed from a transcript, and whatever does not follow is named."""

import json
from functools import cache
from pathlib import Path

import pytest

from p2pnode.genesis import write_genesis
from protocol.job.record import Job
from protocol.parameters import minimal, with_jury
from tests.p2pnode.offline.test_lottery_verify import Record, Spoil, transcript, verify
from tests.support.builders import HandLedger, make_genesis, make_offer

JURY = with_jury(minimal(), 1)


@cache
def judged_job() -> Job:
    """A liar of three is contradicted, and a jury of one decides; one more worker bid elsewhere."""
    genesis = make_genesis(9, parameters=JURY)
    ledger = HandLedger(genesis)
    ledger.run(ledger.start(make_offer(), (6, 7, 8)).identifier)
    started = ledger.start(make_offer(), range(1, 6))
    liar = ledger.running(started.identifier)[0]
    return ledger.run(started.identifier, {liar: b"wrong"})


def swap_jurors(record: Record) -> None:
    """The second in the order sits in judgement instead of the first."""
    juror = next(one for one in record["executors"] if one["duty"] == "juror")
    juror["account"] = "88" * 32


def invent_a_jury(record: Record) -> None:
    record["jury"] = None


def seat_an_executor(record: Record) -> None:
    executor = next(one for one in record["draw"]["candidates"])
    record["jury"]["candidates"].append(executor | {"account": record["executors"][0]["account"]})


def pay_a_juror_more(record: Record) -> None:
    record["jury"]["candidates"][-1]["price"] += 1


def weigh_a_juror(record: Record) -> None:
    record["jury"]["candidates"][0]["weight"] += 1


def seed_of_jury(record: Record) -> None:
    record["jury"]["seed"] = record["draw"]["seed"]


def shorten_the_jury(record: Record) -> None:
    record["jury"]["order"].pop()


def test_a_jury_is_retraced_to_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_genesis(tmp_path / "genesis", make_genesis(9, parameters=JURY))
    record = transcript(judged_job())
    outsiders = {one["account"] for one in record["jury"]["candidates"]}
    assert outsiders - {bid["account"] for bid in record["bids"]}, "some never bid for this job"
    assert verify(record, tmp_path, "--genesis", str(tmp_path / "genesis")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["skipped"]) == (True, [])
    assert {"seed of the jury", "order of the jury"} <= set(found["checked"])


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (swap_jurors, "order of the jurors"),
        (invent_a_jury, "jurors"),
        (seat_an_executor, "candidates of the jury"),
        (pay_a_juror_more, "price of "),
        (weigh_a_juror, "weight in the jury"),
        (seed_of_jury, "seed of the jury"),
        (shorten_the_jury, "place "),
    ],
)
def test_a_difference_about_the_jury_is_named(
    spoil: Spoil, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_genesis(tmp_path / "genesis", make_genesis(9, parameters=JURY))
    record = transcript(judged_job())
    spoil(record)
    assert verify(record, tmp_path, "--genesis", str(tmp_path / "genesis")) == 1
    found = json.loads(capsys.readouterr().out)["first_difference"]
    assert found["what"].startswith(what), found
