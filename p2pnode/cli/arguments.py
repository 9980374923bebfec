"""Shapes that all commands against a running node share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from p2pnode.client import Client

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

Handler: TypeAlias = "Callable[[Client, argparse.Namespace], int]"
"""Does what a command says and returns its exit code."""


def add_command(
    commands: "Commands", name: str, handler: Handler, summary: str
) -> argparse.ArgumentParser:
    """Add a command with the options that all of them take."""
    parser = commands.add_parser(name, help=summary, description=f"{summary}.", allow_abbrev=False)
    # Suppressed, so that the same option before the command is not overwritten by a default.
    absent = argparse.SUPPRESS
    parser.add_argument(
        "--api", metavar="HOST:PORT", default=absent, help="where the node serves programs"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", type=Path, default=absent, help="data folder of the node"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(handler=handler)
    return parser
