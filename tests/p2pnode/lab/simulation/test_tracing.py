import gzip
import json
from pathlib import Path

import pytest

from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.tracing import (
    Comparison,
    Difference,
    TraceLines,
    open_trace,
    write_lines,
)
from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied
from protocol.units import AccountId, Digest

APPLIED = fx.Report(OperationApplied(Digest(b"\x01" * 32), AccountId(b"\x02" * 32)))
OFFERED = ev.WorkerOffered(
    kinds=frozenset({"wasm", "onnx"}),
    devices=frozenset({"cpu"}),
    price=1,
    allowed=None,
    parallel=2,
    sandbox_level=1,
)


def test_everything_that_happens_is_one_line_of_json_with_sets_in_order() -> None:
    lines: list[str] = []
    recorder = TraceLines(lines.append)
    recorder.event(5, 1, OFFERED)
    recorder.effect(6, 2, APPLIED)
    recorder.event(7, 0, ev.Tick())
    assert [line.endswith("\n") for line in lines] == [True] * 3
    offered, applied, tick = map(json.loads, lines)
    assert offered["fields"]["kinds"] == ["onnx", "wasm"]
    assert applied == {
        "time_ns": 6,
        "node": 2,
        "effect": "Report",
        "fields": {"fact": {"identifier": "01" * 32, "account": "02" * 32}},
    }
    assert tick == {"time_ns": 7, "node": 0, "event": "Tick", "fields": {}}


def test_the_first_difference_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(gzip.compress(b""))
    comparison = Comparison(path)
    comparison.recorder.event(7, 0, ev.Tick())
    comparison.recorder.event(8, 0, ev.Tick())
    comparison.finish()
    line = '{"time_ns": 7, "node": 0, "event": "Tick", "fields": {}}'
    assert comparison.difference == Difference(1, "", line)


def test_equal_traces_are_equal_files_that_any_gzip_reads(tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        with open_trace(tmp_path / name) as file:
            write_lines(file).event(7, 0, ev.Tick())
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    line = b'{"time_ns": 7, "node": 0, "event": "Tick", "fields": {}}\n'
    assert gzip.decompress(written[0]) == line


@pytest.mark.parametrize(
    "damage", [b'{"time_ns": 7, "no', b"{}}\n", b"7\n", b"\xff\n", b"[" * 10**5]
)
def test_a_damaged_trace_is_no_difference(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(gzip.compress(b"{}\n" + damage))
    with pytest.raises(ScenarioError, match="the trace is damaged"):
        Comparison(path)


def test_a_trace_that_was_cut_off_or_is_no_gzip_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    whole = gzip.compress(b"{}\n" * 9)
    for content in (whole[:-3], whole[:12] + b"\xff" + whole[13:], b"{}\n"):
        path.write_bytes(content)
        with pytest.raises(ScenarioError, match=r"trace, line \d: the trace is damaged: remove it"):
            Comparison(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ScenarioError, match="trace: Is a directory: the trace cannot be read"):
        Comparison(path)
