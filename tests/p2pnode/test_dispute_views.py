"""What is shown of a dispute, to programs and in a sentence."""

import json

from p2pnode.cli.receipt import receipt_lines
from p2pnode.dispute_views import dispute_reason, dispute_view
from p2pnode.views import job_view
from protocol.job.record import Phase
from tests.support.disputes import Court


def test_a_dispute_is_shown_from_its_search_to_its_verdict() -> None:
    court = Court(lies={0: 5})
    job = court.open()
    record = court.play(job, Phase.DISPUTING)
    assert dispute_reason(record.disputes[0]) == "level 0 of 3 is being opened"
    record = court.play(job, Phase.SUMMONING)
    assert dispute_reason(record.disputes[0]) == "step 5 of 8 is for a jury"
    record = court.play(job)
    loser = record.disputes[0].sides[0].members == (record.executors[0].account,)
    side = "first" if loser else "second"
    words = f"a jury ran the step in which they differ, step 5 of 8: the {side} side lost"
    view = dispute_view(record.disputes[0])
    assert view["reason"] == words
    assert (view["steps"], view["level"], view["step"]) == (8, 3, 5)
    assert (view["ground"], view["convicting"]) == ("step", True)
    shown = json.loads(json.dumps(job_view(record)))
    assert shown["disputes"][0]["jury"]["order"]
    assert f"  dispute     {words}" in list(receipt_lines(shown))
    jurors = [one for one in shown["executors"] if one["duty"] == "step_juror"]
    assert jurors[0]["reason"].endswith("for the one step in dispute; revealed")


def test_silence_and_indecision_are_said_in_words() -> None:
    court = Court(lies={0: 5})
    job = court.open()
    court.silent = set(range(12))
    (tried,) = court.play(job).disputes
    assert dispute_reason(tried) == "a side did not open its trace in time: both sides lost"
    court = Court(lies={0: 5}, idle=set(range(12)))
    job = court.open()
    court.play(job, Phase.JUDGING)
    court.ledger.step_ms = 14_000
    (tried,) = court.play(job).disputes
    words = "no jury agreed on the step in which they differ, step 5 of 8: undecided"
    assert dispute_reason(tried) == words
