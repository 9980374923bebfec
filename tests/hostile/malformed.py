"""Sends malformed artefacts through real workers: `python -m tests.hostile.malformed --count 2000`.

Every one must end in an outcome, leave no process and no folder, and leave the node able to run
good work, which is shown by good tasks in between.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from p2pnode.execution.probe import probe
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Failed, Finished, Task
from tests.hostile.mutation import spoiled
from tests.p2pnode.execution import builders

GOOD_EACH = 50
"""After so many malformed tasks comes a good one of each kind."""
TOLD_EACH = 100
"""After so many, a line says how far it has come."""
PI = builders.ROOT / "examples" / "01_wasm" / "pi.wasm"


@dataclass(slots=True)
class Findings:
    """What came of a run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    good: int = 0
    level: int = 0
    folders: int = 0
    """Work folders that were left."""
    survivors: int = 0
    """Worker processes that were left."""


def tasks(count: int, seed: int) -> list[Task]:
    """Make malformed tasks, the same ones for the same seed: modules, models and their inputs."""
    stream = random.Random(seed)  # noqa: S311 - test data
    modules = (PI.read_bytes(), builders.module(), builders.module(builders.GROW_FOREVER))
    models = (builders.model(), builders.hungry_model(2**20))
    made = []
    for number in range(count):
        if number % 2:
            made.append(_task("wasm", spoiled(stream, modules), b"10000"))
        elif number % 8 == 0:
            made.append(_task("onnx", builders.model(), spoiled(stream, (builders.tensor(),))))
        else:
            made.append(_task("onnx", spoiled(stream, models), builders.tensor()))
    return made


def _task(kind: str, artefact: bytes, data: bytes) -> Task:
    return builders.task(
        artefact, kind=kind, inputs=(data,), fuel_limit=10**7, output_limit_bytes=2**16
    )


async def run(made: Sequence[Task], parallel: int = 2) -> Findings:
    """Run tasks, several at a time, in folders of their own, and look at what is left."""
    findings = Findings()
    report = await probe()
    findings.level = report.level
    with tempfile.TemporaryDirectory() as place:
        tempfile.tempdir, before = place, tempfile.tempdir
        try:
            await _run_all(made, builders.runner(parallel, report), parallel, findings)
        finally:
            tempfile.tempdir = before
        findings.folders = len(os.listdir(place))  # noqa: PTH208 - it is short
    findings.survivors = len(builders.workers_left())
    return findings


async def _run_all(made: Sequence[Task], runner: Runner, parallel: int, findings: Findings) -> None:
    waiting = list(enumerate(made, 1))

    async def work() -> None:
        while waiting:
            number, task = waiting.pop(0)
            outcome = await runner.run(task)
            findings.outcomes[_describe(task.kind, outcome)] += 1
            if number % TOLD_EACH == 0:
                print(f"{number} of {len(made)} sent", file=sys.stderr, flush=True)
            if number % GOOD_EACH == 0:
                await _run_good(runner)
                findings.good += 2

    async with trio.open_nursery() as nursery:
        for _ in range(parallel):
            nursery.start_soon(work)


async def _run_good(runner: Runner) -> None:
    for good in (builders.task(), builders.task(kind="onnx", inputs=(builders.tensor(),))):
        outcome = await runner.run(good)
        assert isinstance(outcome, Finished), f"a good task after malformed ones: {outcome}"


def _describe(kind: str, outcome: object) -> str:
    """Name an outcome, and of failures their first words."""
    if not isinstance(outcome, Failed):
        return f"{kind}: {type(outcome).__name__}"
    return f"{kind}: Failed, {' '.join(outcome.detail.split()[:7])}"


def main() -> int:
    """Run and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.malformed")
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=2)
    arguments = parser.parse_args()
    begun = time.monotonic()
    findings = trio.run(run, tasks(arguments.count, arguments.seed), arguments.parallel)
    for name, count in findings.outcomes.most_common():
        print(f"{count:>6}  {name}")
    print(
        f"{arguments.count} malformed artefacts, seed {arguments.seed}, at sandbox level"
        f" {findings.level}, in {time.monotonic() - begun:.0f} s; {findings.good} good tasks in"
        f" between succeeded; left: {findings.survivors} processes, {findings.folders} folders"
    )
    return 1 if findings.survivors or findings.folders else 0


if __name__ == "__main__":
    sys.exit(main())
