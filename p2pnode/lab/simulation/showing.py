"""Shows how far a run or a sweep is: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from p2pnode.cli.output import printable
from p2pnode.lab.simulation.sweeping import Standing
from protocol.simulator.run import Progress
from protocol.simulator.scenario import Scenario
from protocol.units import SECOND

LINE_SECONDS: Final = 5.0
"""Between two lines where there is no terminal; what is done sooner says nothing."""

Show = Callable[[float, str], None]
"""Takes the share that is done, and a sentence."""


@contextmanager
def shown_run(scenario: Scenario) -> Iterator[Progress]:
    """Follow a run in virtual time."""
    faulty, longest = scenario.safety_ns, scenario.safety_ns + scenario.liveness_ns

    def follow(show: Show) -> Progress:
        def progress(now: int) -> None:
            what = "faults" if now < faulty else f"settling, {longest // SECOND} s at most"
            show(min(1.0, now / faulty), f"{now / SECOND:.1f} s of virtual time ({what})")

        return progress

    with _shown(scenario.name) as show:
        yield follow(show)


@contextmanager
def shown_sweep(name: str) -> Iterator[Callable[[Standing], None]]:
    """Follow a sweep, with an estimate of what is left."""

    def follow(show: Show) -> Callable[[Standing], None]:
        def told(standing: Standing) -> None:
            left = "" if standing.seconds_left is None else f", {_duration(standing.seconds_left)}"
            sentence = f"{standing.done} of {standing.total} runs{left} left"
            show(standing.done / standing.total, sentence)

        return told

    with _shown(name) as show:
        yield follow(show)


@contextmanager
def shown_shrinking(name: str, seconds: float) -> Iterator[Callable[[int, Scenario], None]]:
    """Follow the search for a smaller run."""
    begun = time.monotonic()

    def follow(show: Show) -> Callable[[int, Scenario], None]:
        def told(runs: int, best: Scenario) -> None:
            spent = min(1.0, (time.monotonic() - begun) / seconds) if seconds else 1.0
            show(spent, f"{runs} runs; {size_of(best)}")

        return told

    with _shown(name) as show:
        yield follow(show)


def size_of(scenario: Scenario) -> str:
    """Say how large a scenario is."""
    dishonest = len(scenario.behaviours) + len(scenario.twins)
    return (
        f"{scenario.nodes} nodes, {dishonest} of them dishonest, {len(scenario.faults)} faults, "
        f"{scenario.workload.transfers} transfers, {scenario.workload.jobs} jobs"
    )


@contextmanager
def _shown(title: str) -> Iterator[Show]:
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich.console import Console  # noqa: PLC0415  slow, and only for terminals
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415  as above

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[said]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(printable(title), total=1.0, said="")
        yield lambda share, said: bars.update(task, completed=share, said=said)


def _lines(title: str) -> Show:
    last = time.monotonic()

    def show(share: float, said: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS:
            last = now
            print(f"{printable(title)}: {share:.0%}, {said}", file=sys.stderr, flush=True)

    return show


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"about {seconds:.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 100 else f"about {minutes / 60:.1f} h"
