import subprocess
import sys
from pathlib import Path

import pytest

from p2pnode import kinds
from tests.support.sources import ROOT

METADATA = """Metadata-Version: 2.1
Name: other-kinds
Version: 1
"""
ENTRY = """[p2pnode.kinds]
reverse = other_kind
wasm = other_kind
"""
MODULE = """
from p2pnode.interfaces import Finished
def load():
    pass
def run(task, device):
    return Finished(task.artefact[::-1], 0, 0, 0)
"""
RUN = """
import sys, trio
from p2pnode import kinds
from p2pnode.execution import process
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.discovery import discover
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Task
print(kinds.place_of("reverse"), kinds.place_of("wasm"))
inherited = process._environment
process._environment = lambda device: inherited(device) | {
    "PYTHONPATH": inherited(device)["PYTHONPATH"] + ":" + sys.argv[1]
}
task = Task("job", "reverse", b"abc", (), 10_000, 2**26, 2**10, 0)
print(trio.run(Runner(DeviceWatch(discover())).run, task).output)
print("other_kind" in sys.modules)
"""


def test_own_kinds_come_first() -> None:
    assert kinds.known()[: len(kinds.OWN)] == tuple(kinds.OWN)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(kinds.UnknownKindError, match="'python' is not one of wasm, onnx"):
        kinds.place_of("python")


def test_a_package_adds_a_kind() -> None:
    assert kinds.gather([("video", "their.module")]) == {**kinds.OWN, "video": "their.module"}


@pytest.mark.parametrize(
    "offered",
    [
        [("wasm", "their.module")],
        [("video", "one.module"), ("video", "other.module")],
        [("video", "a"), ("video", "b"), ("video", "a")],
        [("Video", "their.module")],
        [("a b", "their.module")],
        [("", "their.module")],
        [("v" * 33, "their.module")],
    ],
)
def test_what_replaces_contradicts_or_is_no_name_is_left_out(
    offered: list[tuple[str, str]],
) -> None:
    assert kinds.gather(offered) == kinds.OWN


@pytest.mark.slow
def test_an_installed_package_runs_its_kind_in_a_worker_and_only_there(tmp_path: Path) -> None:
    information = tmp_path / "other_kinds-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA)
    (information / "entry_points.txt").write_text(ENTRY)
    (tmp_path / "other_kind.py").write_text(MODULE)
    found = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stderr == ""
    assert found.stdout.splitlines() == [
        "other_kind p2pnode.execution.kind_wasm",
        "b'cba'",
        "False",
    ]
