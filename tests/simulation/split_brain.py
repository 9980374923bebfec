"""How often a directed split brain breaks agreement, with enough Byzantine members and with fewer.

`python -m tests.simulation.split_brain --seeds 20` prints both for each size of the committee; the
attack itself is the experiment's.
"""

import argparse

from p2pnode.lab.experiments.split_brain import BREAKING, attack, breaks_agreement
from tests.simulation.rates import told

SAFE = {members: byzantine - 1 for members, byzantine in BREAKING.items()}


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
