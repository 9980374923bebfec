"""Runs the experiments and prints what came out: `python -m p2pnode.lab.experiments`.

A row that differs is a finding, which is printed and is no error. The exit code is 1 when a fault
did not bite, so that its row proves nothing, and 2 when plots are wanted and nothing can draw them.
`--write` keeps the results as pages, together with those of experiments that were written before.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time

from p2pnode.lab.experiments.drawing import DrawingError, check
from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.page import row_line, write_pages, write_section
from p2pnode.lab.experiments.registry import EXPERIMENTS


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what the arguments ask for and returns the exit code."""
    arguments = parser().parse_args(argv)
    if arguments.write is not None:
        try:
            check()
        except DrawingError as error:
            print(error, file=sys.stderr)
            return 2
    verdicts = _run(arguments)
    differing, silent = verdicts.count(Verdict.DIFFERS), verdicts.count(Verdict.NO_BITE)
    print(f"{len(verdicts)} rows: {differing} differ, {silent} prove nothing")
    return 1 if silent else 0


def _run(arguments: argparse.Namespace) -> list[Verdict]:
    """Runs the chosen experiments."""
    effort = Effort(arguments.quick)
    verdicts: list[Verdict] = []
    for experiment in EXPERIMENTS:
        if arguments.only and experiment.name not in arguments.only:
            continue
        begun = process_time()
        print(f"-- {experiment.name}: {experiment.question}", flush=True)
        findings = experiment.measure(effort)
        for row in findings.rows:
            print(row_line(row))
            verdicts.append(row.verdict)
        for remark in findings.remarks:
            print(f"   {remark}")
        seconds = process_time() - begun
        print(f"   {seconds:.0f} s of processor time", flush=True)
        if arguments.write is not None:
            write_section(experiment, findings, arguments.write)
    if arguments.write is not None:
        write_pages(EXPERIMENTS, arguments.write)
    return verdicts


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    names = [one.name for one in EXPERIMENTS]
    found = argparse.ArgumentParser(prog="python -m p2pnode.lab.experiments", description=__doc__)
    found.add_argument(
        "--quick", action="store_true", help="far fewer trials; rows may be undecided"
    )
    found.add_argument("--only", action="append", choices=names, help="may be repeated")
    found.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=Path("docs/experiments"),
        metavar="DIR",
        help="write the pages and plots, into docs/experiments unless another folder is named",
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
