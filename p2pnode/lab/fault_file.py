"""The faults of one node's own parts, in a file of its data folder that may change while it runs.

JSON: an object with any of the fields of `NodeFaults`. Links have a file of their own.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

FAULTS_NAME = "laboratory-faults.json"
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class NodeFaults:
    """What is wrong with a node.

    Attributes:
        clock_error_ns: By how much its clock is off.
        store_fails: Whether its store refuses to write.
    """

    clock_error_ns: int = 0
    store_fails: bool = False


class FaultFile:
    """Looks at the file, at most every tenth of a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._faults = NodeFaults()
        self._next_look = 0.0

    def now(self) -> NodeFaults:
        """What is wrong at this moment."""
        moment = time.monotonic()
        if moment >= self._next_look:
            self._next_look = moment + POLL_SECONDS
            self._faults = read_faults(self._path)
        return self._faults


def read_faults(path: Path) -> NodeFaults:
    """Read the file; nothing is wrong where there is none."""
    try:
        return NodeFaults(**json.loads(path.read_text()))
    except FileNotFoundError:
        return NodeFaults()


def write_faults(path: Path, faults: NodeFaults) -> None:
    """Replace the file as a whole."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(faults)))
    temporary.replace(path)
