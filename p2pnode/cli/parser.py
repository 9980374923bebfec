"""The one parser of the node's options and of the commands against a running node."""

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from p2pnode import __version__
from p2pnode.cli import accounts, jobs, mapping, views
from p2pnode.cli.groups import GROUPS

NODE_FLAGS = (
    "allow_artefact",
    "api",
    "artefact_store_gib",
    "bootstrap",
    "checkpoint",
    "config",
    "data_dir",
    "deny_artefact",
    "device",
    "keep",
    "keep_chain",
    "listen",
    "log_format",
    "log_level",
    "network",
    "output_keep_hours",
    "parallel",
    "policy",
    "price",
    "role",
    "start_from",
    "unsafe_run_anything",
)
"""Options of the node, by the names that settings have."""

EXIT_CODES = """exit codes:
  0 done          1 failed        2 usage or bad input      3 cannot reach a node
  4 timed out     5 refused by the protocol                 6 job ended without a result"""


def parse_line(line: Sequence[str]) -> argparse.Namespace:
    """Read a line that runs a node or talks to one; a mistake ends the process, as argparse does.

    Args:
        line: Without the program's name.
    """
    parser, words = _build()
    _refuse_unknown_options(parser, words, line)
    return parser.parse_args(line)


def _build() -> tuple[argparse.ArgumentParser, frozenset[str]]:
    """Build the parser, which without a command describes how to run a node, and list commands."""
    groups = "\n".join(f"  {name:<10}{group.summary}" for name, group in GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="p2pnode",
        usage="p2pnode [options]              run a node until interrupted\n"
        "       p2pnode COMMAND [options]      talk to a running node, or work offline",
        description="A node of a decentralised market for computing.",
        epilog=f"more groups, each with its own --help:\n{groups}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"p2pnode {__version__}")
    _add_node_options(parser)
    commands = parser.add_subparsers(
        title="commands against a running node", metavar="COMMAND", prog="p2pnode"
    )
    views.add_commands(commands)
    accounts.add_commands(commands)
    jobs.add_commands(commands)
    mapping.add_commands(commands)
    # A word that is no command is answered with all that could have been meant.
    commands.choices = commands.choices | dict.fromkeys(GROUPS, parser)
    return parser, frozenset(commands.choices)


def _refuse_unknown_options(
    parser: argparse.ArgumentParser, words: frozenset[str], line: Sequence[str]
) -> None:
    """Name a misspelt option before the parser takes its value for a command."""
    known = [f"--{name.replace('_', '-')}" for name in (*NODE_FLAGS, "help", "version")]
    for word in line:
        if word in words:
            return
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            near = get_close_matches(name, known, 1)
            parser.error(f"unknown option {name}" + (f": did you mean {near[0]}?" if near else ""))


def _add_node_options(parser: argparse.ArgumentParser) -> None:
    options = parser.add_argument_group("options of the node")
    options.add_argument(
        "--bootstrap", metavar="MULTIADDR", action="append", help="a node to know first; repeatable"
    )
    options.add_argument(
        "--listen", metavar="MULTIADDR", action="append", help="where to listen; repeatable"
    )
    options.add_argument("--data-dir", metavar="DIR", type=Path, help="all that the node keeps")
    options.add_argument("--network", metavar="HASH|FILE", help="the network, or its genesis file")
    options.add_argument("--api", metavar="HOST:PORT", help="where to serve programs")
    options.add_argument("--role", metavar="ROLE,...", help="worker,validator,requester,checker")
    options.add_argument("--device", metavar="DEVICE,...", help="auto, or cpu,cuda:0 and so on")
    options.add_argument("--price", metavar="CREDITS", help="asked for a second of work")
    options.add_argument(
        "--policy", metavar="FILE", type=Path, help="TOML file: whose work to take"
    )
    options.add_argument("--parallel", metavar="COUNT", help="jobs run at the same time")
    options.add_argument("--artefact-store-gib", metavar="GIB", help="the most artefacts may take")
    options.add_argument("--output-keep-hours", metavar="HOURS", help="how long outputs stay")
    options.add_argument("--keep", metavar="EPOCHS|all", help="history to keep before a snapshot")
    options.add_argument("--keep-chain", metavar="EPOCHS|all", help="certificates to keep as well")
    options.add_argument("--checkpoint", metavar="EPOCH:HASH", help="an epoch's end to trust")
    options.add_argument(
        "--start-from", metavar="PLACE", help="snapshot, or genesis for an archive"
    )
    options.add_argument("--log-format", metavar="FORMAT", help="console or json")
    options.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    options.add_argument("--config", metavar="FILE", type=Path, help="TOML file with settings")
    options.add_argument(
        "--allow-artefact", metavar="DIGEST", action="append", help="run no other; repeatable"
    )
    options.add_argument(
        "--deny-artefact", metavar="DIGEST", action="append", help="never run it; repeatable"
    )
    options.add_argument(
        "--unsafe-run-anything",
        action="store_true",
        default=None,
        help="run artefacts of strangers even where the sandbox is too weak for them",
    )
