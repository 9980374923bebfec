"""Finds a scenario by what somebody wrote on a command line."""

import importlib
from pathlib import Path

from p2pnode.lab.testnet import LabError
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.scenario import Scenario

READER = "p2pnode.lab.simulation"
SEED = 1


def find_scenario(text: str, seed: int | None) -> Scenario:
    """Make a built-in scenario, or read a scenario file.

    Args:
        text: Name or path.
        seed: In place of the scenario's own.

    Raises:
        LabError: There is no such thing, or the file is wrong.
    """
    if text in SCENARIOS:
        return SCENARIOS[text](SEED if seed is None else seed)
    if not Path(text).is_file():
        names = ", ".join(sorted(SCENARIOS))
        raise LabError(f"there is no scenario file {text}; the built-in scenarios are {names}")
    try:
        reader = importlib.import_module(READER)
    except ModuleNotFoundError as error:
        raise LabError(f"this version cannot read {text}: name a built-in scenario") from error
    try:
        scenario = reader.load_scenario(Path(text), seed).scenario
    except ValueError as error:
        raise LabError(str(error)) from error
    assert isinstance(scenario, Scenario), "what the reader promises"
    return scenario
