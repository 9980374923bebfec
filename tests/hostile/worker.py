"""The worker with kinds that exist in tests only; those called bare build no walls."""

import os
import sys

from p2pnode import kinds
from p2pnode.execution import sandbox, worker
from p2pnode.execution.sandbox import Walls

BARE = "-bare"
TEST_KINDS = {
    "native": "tests.hostile.kind_native",
    "native-bare": "tests.hostile.kind_native",
    "onnx-bare": "tests.hostile.kind_onnx_bare",
    "wasm-bare": "p2pnode.execution.kind_wasm",
}


def _build_nothing() -> None:
    sandbox.detach = lambda parent_pid, parent_namespace: Walls()
    sandbox.lock = lambda walls, *, threads: walls
    sandbox.limit_time = lambda time_limit_ms: None
    sandbox.limit_memory = lambda status_fd, growth_bytes: None


if __name__ == "__main__":
    kinds.OWN.update(TEST_KINDS)
    if sys.argv[1].endswith(BARE):
        _build_nothing()
    worker.main(sys.argv[1:])
    os._exit(0)
