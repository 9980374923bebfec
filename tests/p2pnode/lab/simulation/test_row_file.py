import csv
from pathlib import Path

from p2pnode.lab.simulation.row_file import write_csv

HEAD = {"outcome": "pass", "as_expected": True, "trace": "ab", "wall_ms": 9}
ROWS = [
    {"cell": 0, "seed": 1, "broken": [], "unknown": ["lottery", "bites"]}
    | HEAD
    | {"changes": {"fault.0.for": "2 s"}, "metrics": {"commits": 5}},
    {"cell": 1, "seed": 1, "broken": ["agreement"], "unknown": []}
    | HEAD
    | {
        "changes": {"fault.0.for": "5 s"},
        "metrics": {"commits": 6, "recovery_backlog_ms": {"beyond_ms": 70.5}},
    },
]


def test_a_row_is_flat_and_says_of_a_time_whether_the_run_ended_first(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", ROWS)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["broken"], first["unknown"], first["as_expected"]) == (
        "",
        "lottery bites",
        "true",
    )
    assert (first["fault.0.for"], second["fault.0.for"]) == ("2 s", "5 s")
    assert (first["commits"], second["commits"]) == ("5", "6")
    assert (first["recovery_backlog_ms"], second["recovery_backlog_ms"]) == ("", "70.5")
    assert second["recovery_backlog_ms_is_beyond"] == "true"
    assert first["recovery_backlog_ms_is_beyond"] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
