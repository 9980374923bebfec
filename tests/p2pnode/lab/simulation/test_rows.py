import json
import re
from pathlib import Path

import pytest

from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.rows import check_metrics, read_rows

ROW = {
    "cell": 0,
    "seed": 1,
    "changes": {"links.loss": "1 %"},
    "outcome": "pass",
    "as_expected": True,
    "broken": [],
    "unknown": ["lottery"],
    "trace": "00",
    "wall_ms": 12,
    "metrics": {"commits": 3, "recovery_backlog_ms": {"beyond_ms": 9.5}},
}


def refusal(folder: Path, content: bytes) -> str:
    (folder / "sweep.json").write_text("{}")
    (folder / "rows.jsonl").write_bytes(json.dumps(ROW).encode() + b"\n" + content)
    with pytest.raises(ScenarioError) as error:
        read_rows(folder)
    return str(error.value)


def test_whole_rows_are_read_and_one_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(ScenarioError, match=r"rows.jsonl: No such file or directory: run the swe"):
        read_rows(tmp_path)
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(ROW)[:40])
    assert read_rows(tmp_path) == [ROW]


@pytest.mark.parametrize("damage", [b"{", b"7", b"{}", b"\xff", b"[" * 100_000, b"NaN"])
def test_what_is_no_row_is_refused_with_its_line(tmp_path: Path, damage: bytes) -> None:
    said = refusal(tmp_path, damage + b"\n")
    pattern = (
        r".*rows.jsonl, line \d: the row is damaged \(.+\): remove it, and run the sweep again"
    )
    assert re.fullmatch(pattern, said)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cell", None, "Expected `int`, got `null` - at `$.cell`"),
        ("seed", "1", "Expected `int`, got `str` - at `$.seed`"),
        ("changes", [], "Expected `object`, got `array` - at `$.changes`"),
        ("outcome", "fine", "Invalid enum value 'fine' - at `$.outcome`"),
        ("broken", [1], "Expected `str`, got `int` - at `$.broken[0]`"),
        (
            "metrics",
            {"commits": "3"},
            "Expected `int | float | object`, got `str` - at `$.metrics[...]`",
        ),
        (
            "metrics",
            {"commits": {}},
            "Object missing required field `beyond_ms` - at `$.metrics[...]`",
        ),
    ],
)
def test_a_value_of_a_wrong_kind_is_named(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    found = refusal(tmp_path, json.dumps(ROW | {key: value}).encode() + b"\n")
    path = tmp_path / "rows.jsonl"
    ending = "remove it, and run the sweep again"
    assert found == f"{path}, line 2: the row is damaged ({said}): {ending}"


def test_metrics_are_numbers_or_times_that_were_cut_short() -> None:
    check_metrics({"commits": 3, "share": 0.5, "wait_ms": {"beyond_ms": 4}})
    with pytest.raises(ValueError, match=r"Expected `int \| float \| object`, got `str`"):
        check_metrics({"commits": "3"})  # type: ignore[dict-item]  what a file may hold
    with pytest.raises(ValueError, match="a metric is too large"):
        check_metrics({"commits": 10**400})
    with pytest.raises(ValueError, match="a metric is endless"):
        check_metrics({"wait_ms": {"beyond_ms": float("inf")}})
