"""Starts each bomb's stage in a process namespace of its own, within a bound of time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import trio

from tests.hostile.bombs import Seen
from tests.p2pnode.execution.builders import ROOT

NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
SYSTEM_INTERPRETER = "/usr/bin/python3"
PLAIN_USER = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
STAGE_SECONDS = 120
"""Both runs of a bomb, each of which ends itself after 20 seconds, on a very busy machine."""


def can_play() -> bool:
    """Say whether this machine and user can make process namespaces."""
    if shutil.which(NAMESPACE[0]) is None or os.getuid() != 0:
        return False
    return subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0


def interpreter_for_plain_user(folder: Path) -> str | None:
    """Make an environment in a folder that a plain user may start; None if there is no way.

    It begins at the system's interpreter, since the one that runs this may lie in root's own
    folder, and takes the libraries from where this one has them.
    """
    if not Path(SYSTEM_INTERPRETER).exists():
        return None
    subprocess.run([SYSTEM_INTERPRETER, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{Path(trio.__file__).parents[1]}\n")
    made = str(folder / "bin" / "python")
    probing = [*PLAIN_USER, made, "-c", "import onnxruntime, wasmtime, trio, p2pnode"]
    done = subprocess.run(probing, cwd="/", env=_environment(), check=False, capture_output=True)
    return None if done.returncode else made


def play(
    number: int, *, wrapped: bool, interpreter: str | None = None, has_bitten: bool = False
) -> tuple[Seen, ...]:
    """Play a bomb without walls, and then with them.

    Args:
        number: its place in the corpus.
        wrapped: whether to use all that the machine offers, `bwrap` too.
        interpreter: what runs it as a plain user; None for whoever runs this.
        has_bitten: leaves out the run without walls.
    """
    who = (*PLAIN_USER, interpreter) if interpreter else (sys.executable,)
    command = [*NAMESPACE, *who, "-m", "tests.hostile.stage", str(number)]
    done = subprocess.run(
        [*command, *(["wrapped"] if wrapped else []), *(["bitten"] if has_bitten else [])],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=STAGE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(Seen(**one) for one in json.loads(done.stdout))


def _environment() -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath)
    return {"PYTHONPATH": str(ROOT), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
