"""Too many Byzantine members, directed: each half of the honest ones is shown another history.

`python -m tests.simulation.split_brain --seeds 20` prints in how many runs that breaks agreement,
and that it never does with less than a third of the weight. Each Byzantine member runs twice with
one key; either copy talks to one half alone, and neither minds the other's blocks.
"""

import argparse
from dataclasses import replace

from protocol.core import Core, Identity
from protocol.messages import Genesis
from protocol.signing import Scheme
from protocol.simulator.catalogue import calm
from protocol.simulator.checks import Result
from protocol.simulator.run import Outcome, play
from protocol.simulator.scenario import START_NS, Partition, Scenario, Workload, identities
from protocol.units import SECOND
from tests.simulation.rates import told

HEAL_NS = 5 * SECOND

BREAKING = {4: 2, 7: 3, 10: 4}
"""By size of the committee: the fewest Byzantine members with which either half has a quorum."""
SAFE = {4: 1, 7: 2, 10: 3}


def split_brain(seed: int, members: int, byzantine: int) -> Scenario:
    """The last members are Byzantine; the others are cut in two from the start."""
    honest = members - byzantine
    half = honest // 2
    twins = tuple(range(honest, members))
    copies = tuple(range(members, members + byzantine))
    left = (*range(half), *twins)
    right = (*range(half, honest), *copies)
    return replace(
        calm(seed, members=members),
        name="split-brain",
        twins=twins,
        faults=(Partition(START_NS, HEAL_NS, (left, right)),),
        workload=Workload(4, 0, 2 * SECOND),
        safety_ns=HEAL_NS,
    )


def attack(seed: int, members: int, byzantine: int) -> Outcome:
    """Plays one run."""
    scenario = split_brain(seed, members, byzantine)
    shared = [identities(scenario)[node].seed for node in scenario.twins]

    def make(genesis: Genesis, identity: Identity, scheme: Scheme) -> Core:
        core = Core(genesis, identity, scheme)
        if identity.seed in shared and core.validator is not None:
            core.validator.notice = lambda block: False
        return core

    return play(scenario, make_core=make)


def breaks_agreement(outcome: Outcome) -> bool:
    (agreement,) = (check for check in outcome.checks if check.name == "agreement")
    return agreement.result is Result.BROKEN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(1, 1 + parser.parse_args().seeds)
    for members, breaking in BREAKING.items():
        for byzantine in (SAFE[members], breaking):
            broken = [seed for seed in seeds if breaks_agreement(attack(seed, members, byzantine))]
            first = f", first seed {broken[0]}" if broken else ""
            rate = told(len(broken), len(seeds))
            print(f"{byzantine} of {members} Byzantine: {rate}{first}", flush=True)


if __name__ == "__main__":
    main()
