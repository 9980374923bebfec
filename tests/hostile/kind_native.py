"""A kind that exists in tests only: it runs hostile Python inside the worker.

It stands for an artefact that has taken its runtime over and executes what it likes. Everything
that a bomb needs is imported before the worker locks itself up.
"""

import ctypes
import encodings.idna  # noqa: F401 - for the names of hosts
import json
import mmap
import os
import signal
import socket
import sys
import threading
import time

from p2pnode.interfaces import Finished, RunOutcome, Task

SECONDS_MAX = 20
"""Every bomb ends itself by then, whatever else fails."""


def load() -> None:
    """Compile something, so that nothing of the interpreter is left to load."""
    exec(compile("answer = 0", "bomb", "exec"), {})  # noqa: S102 - that is what it is for


def run(task: Task, device: str) -> RunOutcome:
    """Run the artefact as a program; what it leaves in `answer` is the output."""
    signal.alarm(SECONDS_MAX)
    scope = {
        "attempt": attempt,
        "stage": json.loads(task.inputs[0]),
        "result": int(sys.argv[3]),
        "answer": None,
        **{
            module.__name__: module
            for module in (ctypes, mmap, os, signal, socket, threading, time)
        },
    }
    exec(compile(task.artefact, "bomb", "exec"), scope)  # noqa: S102 - that is what it is for
    answer = scope["answer"]
    output = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Finished(output, 0, 0, 0)


def attempt(action: "ctypes._FuncPointer") -> str:
    """Say whether an action worked."""
    try:
        action()
    except (OSError, RuntimeError, ValueError) as error:
        return f"refused ({type(error).__name__})"
    return "done"
