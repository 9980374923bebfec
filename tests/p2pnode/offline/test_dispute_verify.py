"""A dispute is judged again from a transcript, and whatever does not follow is named."""

import json
from functools import cache
from pathlib import Path

import pytest

from p2pnode.genesis import write_genesis
from protocol.job.record import Job
from tests.p2pnode.offline.test_lottery_verify import Record, Spoil, transcript, verify
from tests.support.builders import make_genesis
from tests.support.disputes import TERMS, Court


@cache
def disputed_job(*, is_silent: bool = False, at: int = 4) -> Job:
    court = Court(lies={0: at}, bribed={1})
    job = court.open()
    if is_silent:
        court.silent = {court.executor(job, 0)}
    return court.play(job)


def swap_a_pair(record: Record) -> None:
    record["disputes"][0]["sides"][0]["opened"][1].reverse()


def name_another_step(record: Record) -> None:
    record["disputes"][0]["step"] += 1


def blame_the_winner(record: Record) -> None:
    record["disputes"][0]["losers"] = [1 - record["disputes"][0]["losers"][0]]


def call_it_a_conviction(record: Record) -> None:
    record["disputes"][0]["convicting"] = True


def seed_of_the_jury(record: Record) -> None:
    record["disputes"][0]["jury"]["seed"] = record["draw"]["seed"]


def turn_the_jury(record: Record) -> None:
    record["disputes"][0]["jury"]["order"].reverse()


def hide_a_vote(record: Record) -> None:
    juror = next(one for one in record["executors"] if one["duty"] == "step_juror")
    juror["output"] = None


def blame_who_answered(record: Record) -> None:
    dispute = record["disputes"][0]
    dispute["losers"] = [1 - dispute["losers"][0]]


@pytest.fixture
def terms(tmp_path: Path) -> list[str]:
    write_genesis(tmp_path / "genesis", make_genesis(12, parameters=TERMS))
    return ["--genesis", str(tmp_path / "genesis")]


@pytest.mark.parametrize("at", [0, 3, 4, 7])
def test_a_dispute_is_judged_again_to_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], terms: list[str], at: int
) -> None:
    assert verify(transcript(disputed_job(at=at)), tmp_path, *terms) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["checked"]) >= {
        "search of dispute 0",
        "jury of dispute 0",
        "verdict of dispute 0",
    }


def test_silence_is_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], terms: list[str]
) -> None:
    record = transcript(disputed_job(is_silent=True))
    assert verify(record, tmp_path, *terms) == 0
    assert "silence in dispute 0" in json.loads(capsys.readouterr().out)["checked"]
    blame_who_answered(record)
    assert verify(record, tmp_path, *terms) == 1


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (swap_a_pair, "level 1 of a trace"),
        (name_another_step, "step of dispute 0"),
        (blame_the_winner, "verdict of dispute 0"),
        (call_it_a_conviction, "verdict of dispute 0"),
        (hide_a_vote, "verdict of dispute 0"),
        (seed_of_the_jury, "seed of the jury of dispute 0"),
        (turn_the_jury, "order of the jury of dispute 0"),
    ],
)
def test_a_spoilt_dispute_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    terms: list[str],
    spoil: Spoil,
    what: str,
) -> None:
    record = transcript(disputed_job())
    spoil(record)
    assert verify(record, tmp_path, *terms) == 1
    assert json.loads(capsys.readouterr().out)["first_difference"]["what"] == what


def test_what_is_no_transcript_of_a_dispute_is_bad_input(tmp_path: Path) -> None:
    record = transcript(disputed_job())
    record["disputes"][0]["sides"][0]["trace"] = "no digest"
    assert verify(record, tmp_path) == 2
