"""Holds the simulator against real processes: `python -m p2pnode.lab.real.calibration`.

The same nodes, keys, links, pace and requests, once in virtual time and once for real; then what
came of it side by side. The simulated processor costs what was measured of single functions
(`protocol.simulator.costs.MEASURED`); nothing is fitted to the run. A machine that does other work
meanwhile measures that work.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from p2pnode.lab.commands import stop_on_signals
from p2pnode.lab.links import Links
from p2pnode.lab.real.choice import choose
from p2pnode.lab.real.queueing import LATE_NS
from p2pnode.lab.real.recording import STEPS
from p2pnode.lab.real.run import Played, play_shape
from p2pnode.lab.real.shape import Shape, shape_of
from p2pnode.lab.real.steps import read_steps, told_again
from p2pnode.lab.real.switch import lateness_of
from p2pnode.lab.real.watch import Sample
from protocol import effects as fx
from protocol import events as ev
from protocol.parameters import local
from protocol.simulator.costs import MEASURED
from protocol.simulator.latency import OperationTimes
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.run import play
from protocol.simulator.scenario import START_NS, Scenario, Workload
from protocol.simulator.world import START_SPREAD_NS
from protocol.units import MILLISECOND, SECOND

AFTER_NS = 3 * SECOND
"""Between the last request and the end, so that all of them are measured."""
FAILED = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What one of the two came to.

    Attributes:
        finality_ms: From an operation's signature to its being final at the same node, sorted.
        messages: Sent in a second, by all nodes together: for gossip one to each other node,
            however it travels, and one for each message to one peer.
        commits: Applied in a second, by a node.
    """

    finality_ms: tuple[float, ...]
    messages: float
    commits: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both.

    Attributes:
        tolerance: How far the ratio may be from 1; None where nothing is asked.
    """

    name: str
    unit: str
    simulated: float
    real: float
    tolerance: float | None

    @property
    def ratio(self) -> float:
        """The real one, counted in simulated ones."""
        return self.real / self.simulated if self.simulated else float("inf")

    @property
    def verdict(self) -> str:
        """Whether the ratio is within its tolerance."""
        if self.tolerance is None:
            return ""
        return "met" if abs(self.ratio - 1) <= self.tolerance + 1e-9 else "MISSED"


@dataclass(slots=True)
class Counter:
    """A recorder of what nodes send and apply; of a real run it is told what they apply.

    Attributes:
        times: When operations were signed and final.
    """

    nodes: int
    window: tuple[int, int]
    messages: int = 0
    commits: int = 0
    times: OperationTimes = field(default_factory=OperationTimes)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Notes what was asked for."""
        self.times.event(time, node, event)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Count what a node sends and learns."""
        self.times.effect(time, node, effect)
        inside = self.window[0] <= time < self.window[1]
        match effect:
            case fx.GossipBlock() | fx.GossipOperations():
                self.messages += inside * (self.nodes - 1)
            case fx.Send() | fx.SendStoredBlocks():
                self.messages += inside
            case fx.Report(fx.CommitApplied()):
                self.commits += inside
            case _:
                pass

    def measured(self, messages: float) -> Measured:
        """What it comes to, with the messages of a second as they were counted."""
        seconds = (self.window[1] - self.window[0]) / SECOND
        waits = sorted(wait_ns / MILLISECOND for wait_ns in self.times.at_own_node())
        return Measured(tuple(waits), messages, self.commits / seconds / self.nodes)


def main(argv: Sequence[str] | None = None) -> int:
    """Run both, print the comparison, and return 0 unless one of them failed.

    A missed target is printed and is no error.
    """
    arguments = _parser().parse_args(argv)
    shape = shape_of(_scenario(arguments), os.cpu_count() or 1)
    choice = choose(Links(arguments.links), shape)
    terms = shape.scenario.parameters
    print(
        f"{shape.scenario.nodes} nodes, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"round {terms.minimum_round_ms} ms, delay {arguments.delay_ms} ms each way by "
        f"{choice.wires}, {arguments.transfers} transfers in {arguments.seconds} s, "
        f"seed {shape.scenario.seed}",
        flush=True,
    )
    simulated = measure_simulated(shape)
    stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="p2pnode-calibration-") as name:
        out = arguments.out or Path(name) / "out"
        played = play_shape(shape, choice, Path(name) / "net", out, lambda _: None)
        real = measure_real(shape, played, out / STEPS)
        lateness = lateness_of(Path(name) / "net")
    if played.verdict:
        print(f"the real run: {played.verdict.name.lower()}: {'; '.join(played.reasons)}")
        return FAILED
    if lateness is not None:
        print(lateness_line(lateness))
    rows = compare(simulated, real)
    for row in rows:
        print(line_of(row))
    if arguments.json:
        arguments.json.write_text(json.dumps([_record(row) for row in rows], indent=1) + "\n")
    return 0


def measure_simulated(shape: Shape) -> Measured:
    """Play in virtual time what processes play."""
    window = _window(shape.scenario)
    counter = Counter(shape.scenario.nodes, window)
    play(shape.scenario, recorders=(counter,))
    return counter.measured(counter.messages * SECOND / (window[1] - window[0]))


def measure_real(shape: Shape, played: Played, steps: Path) -> Measured:
    """Count the same of a real run: what its nodes wrote of themselves, and their counters."""
    watch, nodes = played.watch, shape.scenario.nodes
    begin, end = _window(shape.scenario)
    counter = Counter(nodes, (begin, end))
    for row in read_steps(steps):
        for told in told_again(row, {}):
            if not isinstance(told, ev.Event):
                counter.effect(row["time_ns"], row["node"], told)
    gossip = sum(_rate(samples, "network_published_total", begin, end) for samples in watch.samples)
    direct = sum(_rate(samples, "network_sent_total", begin, end) for samples in watch.samples)
    return counter.measured(gossip * (nodes - 1) + direct)


def compare(simulated: Measured, real: Measured) -> tuple[Compared, ...]:
    """Put both side by side."""
    percents = ((50, 0.15), (99, 0.30))
    finality = (
        Compared(
            f"operation final at its own node, p{percent}",
            "ms",
            _percentile(simulated.finality_ms, percent),
            _percentile(real.finality_ms, percent),
            tolerance,
        )
        for percent, tolerance in percents
    )
    return (
        *finality,
        Compared("messages of all nodes", "/s", simulated.messages, real.messages, 0.10),
        # A machine that is short of time makes fewer rounds, and each of them costs its messages.
        Compared(
            "messages per commit of a node",
            "",
            simulated.messages / (simulated.commits or 1),
            real.messages / (real.commits or 1),
            None,
        ),
        Compared("commits of a node", "/s", simulated.commits, real.commits, None),
        Compared(
            "operations measured", "", len(simulated.finality_ms), len(real.finality_ms), None
        ),
    )


def line_of(row: Compared) -> str:
    """One row of the comparison, for people."""
    asked = "" if row.tolerance is None else f"within {row.tolerance:.0%}"
    figures = f"{row.simulated:>10.1f} {row.real:>10.1f} {row.unit:<3} {row.ratio:>6.2f}x"
    return f"{row.name:<36} {figures} {asked:<11} {row.verdict}".rstrip()


def lateness_line(lateness: Mapping[str, int]) -> str:
    """How punctual the program between the namespaces was, for people."""
    late, packets = lateness["late"], lateness["packets"]
    most_ms = lateness["most_ns"] / MILLISECOND
    bound_ms = LATE_NS // MILLISECOND
    return (
        f"the switch gave back {late} of {packets} packets more than {bound_ms} ms after their "
        f"time, the latest {most_ms:.1f} ms"
    )


def _scenario(arguments: argparse.Namespace) -> Scenario:
    delay_ns = arguments.delay_ms * MILLISECOND
    span_ns = arguments.seconds * SECOND
    return Scenario(
        name="calibration",
        seed=arguments.seed,
        stakes=(5_000,) * arguments.nodes,
        conditions=Conditions(Delay(Law.CONSTANT, delay_ns, delay_ns)),
        parameters=local(),
        costs=MEASURED,
        workload=Workload(arguments.transfers, 0, span_ns),
        safety_ns=START_NS + START_SPREAD_NS + span_ns + AFTER_NS,
    )


def _window(scenario: Scenario) -> tuple[int, int]:
    """The time in which requests are made."""
    begin = START_NS + START_SPREAD_NS
    return begin, begin + scenario.workload.span_ns


def _rate(samples: Sequence[Sample], name: str, begin: int, end: int) -> float:
    """How much a counter grew in a second, between the first and the last sample of a window."""
    inside = [one for one in samples if begin <= one.time_ns < end]
    if len(inside) < 2:
        return 0.0
    grown = inside[-1].counters.get(name, 0.0) - inside[0].counters.get(name, 0.0)
    return grown * SECOND / (inside[-1].time_ns - inside[0].time_ns)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _record(row: Compared) -> dict[str, object]:
    return asdict(row) | {"ratio": row.ratio, "verdict": row.verdict}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m p2pnode.lab.real.calibration")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--transfers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60, help="in which the transfers are asked")
    parser.add_argument("--delay-ms", type=int, default=30, help="one way, of every link")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--links", choices=[kind.value for kind in Links], default="shaper")
    parser.add_argument("--out", type=Path, help="keep the results of the real run here")
    parser.add_argument("--json", type=Path, help="write the comparison into this file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
