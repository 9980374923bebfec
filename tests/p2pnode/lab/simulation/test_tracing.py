import json
from pathlib import Path

import pytest

from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.tracing import Comparison, Difference, TraceLines
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
    path.write_text("")
    comparison = Comparison(path)
    comparison.recorder.event(7, 0, ev.Tick())
    comparison.recorder.event(8, 0, ev.Tick())
    comparison.finish()
    line = '{"time_ns": 7, "node": 0, "event": "Tick", "fields": {}}'
    assert comparison.difference == Difference(1, "", line)


@pytest.mark.parametrize("damage", [b'{"time_ns": 7, "no', b"{}}\n", b"7\n", b"\xff\n"])
def test_a_damaged_trace_is_no_difference(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"{}\n" + damage)
    with pytest.raises(ScenarioError, match="the trace is damaged"):
        Comparison(path)
