"""The command that plays a scenario on real processes: `p2pnode testnet up --shape SCENARIO`."""

import argparse
import os
import shutil
import time
from pathlib import Path

from p2pnode.lab.commands import Misplanned, print_line, stop_on_signals, undisturbed
from p2pnode.lab.links import Links
from p2pnode.lab.real.choice import choose
from p2pnode.lab.real.run import Played, play_shape
from p2pnode.lab.real.shape import Unplayable, shape_of
from p2pnode.lab.simulation import ScenarioError, load_scenario
from p2pnode.lab.testnet import default_folder
from protocol.units import SECOND

INTERRUPTED = 130


def up_shape(arguments: argparse.Namespace, folder: Path) -> int:
    """Play a scenario, print what came of it, and return the outcome's exit code.

    Raises:
        Misplanned: The scenario cannot be played, or not with these options.
        LabError: Something failed on the way.
    """
    try:
        scenario = load_scenario(arguments.shape, arguments.seed).scenario
        shape = shape_of(scenario, os.cpu_count() or 1)
    except (ScenarioError, Unplayable) as error:
        raise Misplanned(str(error)) from error
    if arguments.nodes not in (None, scenario.nodes):
        raise Misplanned(f"the scenario has {scenario.nodes} nodes, not {arguments.nodes}")
    choice = choose(Links(arguments.links), shape)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    out = arguments.out or Path(f"{scenario.name}-{scenario.seed}-processes-{stamp}")
    round_ms = shape.scenario.parameters.minimum_round_ms
    chosen = {"links": choice.links.value, "wires": choice.wires, "reason": choice.reason}
    print_line(chosen | {"round_ms": round_ms, "out": str(out), "notes": shape.notes})
    stop_on_signals()
    try:
        played = play_shape(shape, choice, folder, out, print_line)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if folder == default_folder(os.environ):
            with undisturbed():
                shutil.rmtree(folder, ignore_errors=True)
    _tell(played, out)
    return int(played.verdict)


def _tell(played: Played, out: Path) -> None:
    for note, recovery in zip(played.faults, played.recoveries, strict=True):
        line: dict[str, object] = {"fault": note.kind, "nodes": note.nodes, "bit": note.count}
        if recovery is not None:
            line["first_final_s"] = _seconds(recovery.first_final_ns)
            line["agreement_s"] = _seconds(recovery.agreement_ns)
        print_line(line)
    outcome = {"outcome": played.verdict.name.lower(), "reasons": played.reasons}
    print_line(outcome | {"stores_agree": played.stores["agree"], "out": str(out)})


def _seconds(time_ns: int | None) -> float | None:
    return None if time_ns is None else round(time_ns / SECOND, 2)
