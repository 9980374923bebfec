"""Random DAGs at large: `python -m tests.simulation.dags --count 100000 --members 4`.

Prints what was exercised; ends with status 1 and the seed at the first DAG whose views disagree.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

from tests.support.dag_fuzz import Shape, disagreement, judge


def survey(seeds: Iterable[int], shape: Shape) -> tuple[Counter[str], list[int]]:
    """Replays DAGs; returns what happened in them, and the seeds whose views disagree."""
    happened: Counter[str] = Counter()
    failing = []
    for seed in seeds:
        dag, outcomes = judge(seed, shape)
        happened["dags"] += 1
        happened["views"] += len(outcomes)
        happened["blocks"] += len(dag.blocks)
        happened["dags with equivocation"] += dag.equivocations() > 0
        happened["commits"] += max(len(outcome.commits) for outcome in outcomes)
        happened["void blocks noted"] += sum(len(final[3]) for final in outcomes[0].commits)
        for outcome in outcomes:
            happened.update(asdict(outcome.paths))
        if disagreement(outcomes):
            failing.append(seed)
    return happened, failing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--excess", type=int, default=0, help="Byzantine members too many")
    parser.add_argument("--churn", action="store_true", help="the lower quorum")
    options = parser.parse_args()
    shape = Shape(
        members=options.members,
        rounds=options.rounds,
        excess=options.excess,
        churn_profile=options.churn,
    )
    print(f"seeds from {options.first_seed}: {shape}", flush=True)
    last = options.first_seed + options.count
    happened, failing = survey(range(options.first_seed, last), shape)
    for what, count in sorted(happened.items()):
        print(f"{count:10} {what}")
    for seed in failing:
        print(f"views disagree: --first-seed {seed} --count 1 --members {options.members}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
