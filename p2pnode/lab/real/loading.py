"""Finds a scenario by what somebody wrote on a command line."""

from p2pnode.lab.simulation import ScenarioError, load_scenario
from p2pnode.lab.testnet import LabError
from protocol.simulator.scenario import Scenario


def find_scenario(text: str, seed: int | None) -> Scenario:
    """Take a shipped scenario, or read a scenario file.

    Args:
        text: Name or path.
        seed: In place of the scenario's own.

    Raises:
        LabError: There is no such thing, or the file is wrong.
    """
    try:
        return load_scenario(text, seed).scenario
    except ScenarioError as error:
        raise LabError(str(error)) from error
