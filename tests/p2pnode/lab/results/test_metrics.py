"""The row of a run says what its summary says, and nothing else."""

import json

from p2pnode.lab.results import TIMES, Wait, metrics_of, summary_of, wait_of
from tests.p2pnode.lab.results.builders import SPLIT, operation, played, sample, tables


def test_a_small_run_by_hand() -> None:
    found = metrics_of(
        summary_of(
            tables(
                faults=SPLIT,
                operations=operation("a", 0, 1_500.0, {0: 1_900.0}),
                series=[sample(4_000.0, 0, final_index=2), sample(4_000.0, 1, final_index=1)],
            )
        )
    )
    assert {name: found[name] for name in TIMES} == {
        "finality_p50_ms": 400.0,
        "finality_p95_ms": 400.0,
        "finality_p99_ms": 400.0,
        "recovery_blocks_ms": 0.0,
        "recovery_finality_ms": {"beyond_ms": 2_000.0},
        "recovery_backlog_ms": {"beyond_ms": 2_000.0},
    }
    assert (found["accepted"], found["unfinished"]) == (1, 0)
    assert (found["requests"], found["requests_during"]) == (1, 1)
    assert (found["available_final"], found["available_final_during"]) == (1.0, 1.0)
    assert "gini" not in found, "nobody was paid"


def test_what_cannot_be_has_no_name_and_what_was_not_asked_no_share() -> None:
    found = metrics_of(summary_of(tables(series=[sample(4_000.0, 0)])))
    assert found["requests"] == 0
    assert not {"available_final", "finality_p50_ms", "recovery_backlog_ms"} & found.keys()


def test_a_metric_is_read_as_a_time_whether_it_ended_or_not() -> None:
    assert wait_of(3) == Wait(3)
    assert wait_of({"beyond_ms": 7.0}) == Wait(7.0, has_ended=False)


def test_a_split_shows_in_the_shares_and_comes_out_of_a_file_as_it_went_in() -> None:
    _, _, found = played("split-3-2")
    summary = summary_of(found)
    row = metrics_of(summary)
    assert row["available_seen_during"] == 1
    assert row["available_final_during"] == 0
    assert metrics_of(json.loads(json.dumps(summary))) == json.loads(json.dumps(row)) == row


def test_what_real_processes_do_not_tell_has_no_name() -> None:
    blocks = [{"round": 1, "author": 0, "commit_index": 1}]
    row = metrics_of(
        summary_of(tables(blocks=blocks, faults=SPLIT, series=[sample(4_000.0, 0, final_index=1)]))
    )
    unknown = {"divergence", "blocks_apart", "recovery_blocks_ms", "messages", "size_bytes"}
    assert not unknown & row.keys()
    assert "recovery_finality_ms" in row
