"""The command line of the simulator: `python -m protocol.simulator --seeds 500`.

It exits with 0 when all went well, 10 after a broken promise of safety, 11 of liveness, 12 when the
planned faults did not bite, 13 when a core crashed.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.report import options, outcome_lines, summary
from protocol.simulator.run import Outcome, Verdict, play
from protocol.simulator.scheme import CACHED, FAKE

SEVERITY = (Verdict.CRASH, Verdict.SAFETY, Verdict.LIVENESS)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what the arguments ask for and returns the exit code."""
    arguments = _parser().parse_args(argv)
    scheme = CACHED if arguments.real_signatures else FAKE
    make = SCENARIOS[arguments.scenario]
    first = arguments.seed if arguments.seed is not None else arguments.start
    count = 1 if arguments.seed is not None else arguments.seeds
    is_loud = count == 1
    outcomes = []
    for seed in range(first, first + count):
        scenario = make(seed)
        if is_loud:
            _say(options(scenario))
        outcome = play(scenario, scheme)
        outcomes.append(outcome)
        if outcome.verdict in SEVERITY and not is_loud:
            _say(options(scenario))
        if outcome.verdict in SEVERITY or is_loud:
            _say(outcome_lines(outcome, _command(arguments, seed)))
    if not is_loud:
        _say(summary(outcomes))
    return int(_worst(outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m protocol.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed alone, and say what it does")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=1, help="the first of them")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="swarm")
    parser.add_argument("--real-signatures", action="store_true", help="a hundred times slower")
    return parser


def _command(arguments: argparse.Namespace, seed: int) -> str:
    words = ["python -m protocol.simulator", f"--scenario {arguments.scenario}", f"--seed {seed}"]
    if arguments.real_signatures:
        words.append("--real-signatures")
    return " ".join(words)


def _worst(outcomes: Sequence[Outcome]) -> Verdict:
    """Sums up; among many runs some faults may miss, but not in most."""
    verdicts = [outcome.verdict for outcome in outcomes]
    for verdict in SEVERITY:
        if verdict in verdicts:
            return verdict
    missed = verdicts.count(Verdict.UNKNOWN)
    return Verdict.UNKNOWN if 2 * missed > len(verdicts) else Verdict.PASS


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
