"""The entry point: decides whether a line runs a node, a command or another group."""

import importlib
import os
import sys
from collections.abc import Sequence

from p2pnode.cli.endings import Ending
from p2pnode.cli.groups import GROUPS, run_group


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: Without the program's name; the process's own by default.
    """
    line = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(line)
    except SystemExit as ending:  # how argparse leaves after help or a mistake
        return ending.code if isinstance(ending.code, int) else Ending.DONE
    except KeyboardInterrupt:
        return Ending.INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has left; nothing may be flushed to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Ending.FAILED


def _run(line: list[str]) -> int:
    if line and line[0] in GROUPS:
        return run_group(line[0], line[1:])
    arguments = importlib.import_module("p2pnode.cli.parser").parse_line(line)
    if hasattr(arguments, "handler"):
        return int(importlib.import_module("p2pnode.cli.running").run_command(arguments))
    return int(importlib.import_module("p2pnode.cli.starting").run_node(arguments))
