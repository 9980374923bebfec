"""A real node with faults around it: `python -m p2pnode.lab.node --data-dir DIR [--liar]`.

Everything else is read from the configuration in the data folder. The operator's command has none
of these options.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from p2pnode.lab.failing_store import FailingStore
from p2pnode.lab.fault_file import FAULTS_NAME, FaultFile
from p2pnode.lab.link_file import LINKS_NAME, LinkFile
from p2pnode.lab.lying import lying
from p2pnode.lab.processes import live_only_with, parse_process
from p2pnode.lab.step_log import STEPS_NAME, StepLog
from p2pnode.network import Network
from p2pnode.settings import load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run a node until it is interrupted, and return its exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.owner is not None:
        live_only_with(arguments.owner)
    # The environment is left out: it is about the operator's own node.
    settings = load_settings({"data_dir": arguments.data_dir}, {})
    node = importlib.import_module("p2pnode.node")
    together = arguments.colluding
    faults = FaultFile(settings.data_dir / FAULTS_NAME)
    links = LinkFile(settings.data_dir / LINKS_NAME)
    steps = StepLog(settings.data_dir / STEPS_NAME)
    hooks = node.Hooks(
        wrap_run=(lambda run: lying(run, together=together)) if arguments.liar else None,
        wrap_world=lambda world: FailingStore(
            steps.watch_world(world), lambda: faults.now().store_fails
        ),
        wrap_core=steps.watch_core,
        clock_error_ns=lambda: faults.now().clock_error_ns,
        on_network=lambda network: _join(network, links, steps),
    )
    return int(node.run(settings, hooks))


def _join(network: Network, links: LinkFile, steps: StepLog) -> None:
    links.attach(network)
    steps.watch_links(network)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m p2pnode.lab.node", description="a node with faults, for a laboratory"
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="with its configuration")
    parser.add_argument("--liar", action="store_true", help="report altered outputs")
    parser.add_argument("--colluding", action="store_true", help="with --liar: all tell one lie")
    parser.add_argument(
        "--owner", metavar="PID:STARTED", type=parse_process, help="end when this process ends"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
