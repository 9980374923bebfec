"""A partition from both sides: plays a split, keeps its results, and asks what it cost.

    python examples/03_partition/partition.py results/split

writes a folder with tables, a summary, a report and plots. The notebook beside this file reads
such a folder. Both use the public names of `p2pnode.lab.results` and `p2pnode.lab.reports` only.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from p2pnode.lab.reports import write_report
from p2pnode.lab.results import (
    Collector,
    Reading,
    Wait,
    availability,
    counterfactual,
    finality_waits,
    manifest_of,
    median_over_seeds,
    read_folder,
    read_tables,
    recovery,
    summarise,
    summary_of,
    tables_of,
    write_folder,
)
from protocol.simulator.catalogue import split
from protocol.simulator.run import play
from protocol.simulator.scenario import Scenario, Workload
from protocol.units import SECOND

MAJORITY, MINORITY = (0, 1, 2, 3), (4,)


def scenario(seed: int) -> Scenario:
    """Four members of five on one side, and requests before, during and after the cut."""
    workload = Workload(transfers=40, jobs=4, span_ns=13 * SECOND)
    return replace(split(seed, MAJORITY, MINORITY), workload=workload, safety_ns=15 * SECOND)


def run(seed: int, folder: Path) -> Reading:
    """Plays one seed and leaves its results in a folder."""
    chosen = scenario(seed)
    collector = Collector(chosen)
    begun = time.monotonic()
    outcome = play(chosen, recorders=(collector,))
    wall_ms = round((time.monotonic() - begun) * 1_000, 1)
    tables = tables_of(collector, outcome)
    summary = summary_of(tables, counterfactual(chosen))
    write_folder(folder, manifest_of(collector, outcome, wall_ms), summary, tables)
    return read_tables(read_folder(folder).tables)


def lines(reading: Reading) -> Iterator[str]:
    """Says what both sides got while they were apart."""
    for name, side in (("majority", MAJORITY), ("minority", MINORITY)):
        answered = availability(reading, side, "during")
        waits = summarise(finality_waits(reading, side, "during"))
        yield (
            f"{name}: asked {answered.attempted}, accepted {answered.seen}, final within two "
            f"seconds {answered.final}, median time to finality {waits.p50}"
        )


def main(folder: Path, seeds: int = 5) -> None:
    """Plays some seeds; the first one's folder gets the report."""
    backlogs: list[Wait] = []
    for seed in range(1, seeds + 1):
        reading = run(seed, folder / f"seed-{seed}")
        for line in lines(reading) if seed == 1 else ():
            print(line)
        healed = recovery(reading)
        backlogs += [healed.backlog] if healed is not None else []
    interval = median_over_seeds(backlogs)
    if interval is not None:
        print(
            f"nothing waits any more after the heal, over {interval.count} seeds: "
            f"median {interval.middle}, 95 % interval {interval.low} to {interval.high}"
        )
    print(write_report(folder / "seed-1"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/split"))
