import gzip
from pathlib import Path

import pytest

from p2pnode.lab.simulation.folder import (
    new_manifest,
    read_manifest,
    write_manifest,
)
from p2pnode.lab.simulation.library import ScenarioError, parse_scenario
from p2pnode.lab.simulation.playing import Manner, run_into
from p2pnode.lab.simulation.replaying import replay
from p2pnode.lab.simulation.saying import replay_lines
from tests.p2pnode.lab.simulation.builders import text

DESCRIBED = parse_scenario(text())


def read_lines(folder: Path) -> list[str]:
    return gzip.decompress((folder / "trace.jsonl.gz").read_bytes()).decode().splitlines()


def write_trace(folder: Path, lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    (folder / "trace.jsonl.gz").write_bytes(gzip.compress(content))


@pytest.mark.slow
def test_a_run_is_repeated_to_the_bit_and_a_difference_is_found_where_it_is(
    tmp_path: Path,
) -> None:
    run_into(tmp_path, DESCRIBED, Manner(trace=True))
    replayed = replay(tmp_path)
    assert replayed.is_equal
    assert list(replay_lines(replayed, tmp_path)) == [f"equal: trace {replayed.before}"]
    lines = read_lines(tmp_path)
    changed = lines[99].replace('"node": ', '"node": 9')
    write_trace(tmp_path, [*lines[:99], changed, *lines[100:]])
    difference = replay(tmp_path).difference
    assert difference is not None
    assert (difference.line, difference.before, difference.now) == (100, changed, lines[99])


@pytest.mark.slow
def test_a_trace_that_is_shorter_or_longer_differs_at_its_end(tmp_path: Path) -> None:
    run_into(tmp_path, DESCRIBED, Manner(trace=True))
    lines = read_lines(tmp_path)
    write_trace(tmp_path, [*lines, "{}"])
    longer = replay(tmp_path).difference
    assert longer is not None
    assert (longer.line, longer.before, longer.now) == (len(lines) + 1, "{}", "")
    write_trace(tmp_path, lines[:-1])
    shorter = replay(tmp_path).difference
    assert shorter is not None
    assert (shorter.line, shorter.before) == (len(lines), "")


def test_another_history_is_told_by_its_hash_alone(tmp_path: Path) -> None:
    run_into(tmp_path, DESCRIBED)
    assert replay(tmp_path).is_equal
    write_manifest(tmp_path, read_manifest(tmp_path) | {"trace": "00", "version": "0.0.9"})
    replayed = replay(tmp_path)
    assert not replayed.is_equal
    said = list(replay_lines(replayed, tmp_path))
    assert said[0] == f"DIFFERENT: trace {replayed.outcome.trace}, was 00"
    assert said[1] == "  the first run was of version 0.0.9"
    assert "no full trace" in said[2]


def test_a_run_that_did_not_end_cannot_be_compared(tmp_path: Path) -> None:
    write_manifest(tmp_path, new_manifest(DESCRIBED, real_signatures=False))
    with pytest.raises(
        ScenarioError, match="did not end: nobody wrote that it ended; run it again"
    ):
        replay(tmp_path)
