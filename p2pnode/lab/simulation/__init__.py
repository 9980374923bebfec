"""Simulated experiments: scenarios in files, runs, sweeps, and what can be learnt from them.

`scenario_file` and its neighbours read and check, `library` finds what is shipped, `playing` runs
one scenario and `sweeping` many, `comparing`, `replaying` and `shrinking` work on what they leave
behind, and `commands` is the command line.
"""

from p2pnode.lab.simulation.library import ScenarioError, load_scenario, parse_scenario
from p2pnode.lab.simulation.scenario_file import Described, Expectation
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scenario import Scenario

__all__ = [
    "Described",
    "Expectation",
    "Outcome",
    "Scenario",
    "ScenarioError",
    "Verdict",
    "load_scenario",
    "parse_scenario",
    "play",
]
