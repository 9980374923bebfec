"""Networks with short epochs, and what became of each epoch: `python -m tests.support.epoch_trace`.

Prints how sixteen members lose five of them and have them back, epoch by epoch.
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import EpochCertified, EpochClosed
from protocol.parameters import Parameters, minimal, with_pace
from protocol.simulator.catalogue import CONDITIONS
from protocol.simulator.faults import FaultPlan
from protocol.simulator.log import Log
from protocol.simulator.scenario import Crash, Fault, Scenario, Workload
from protocol.simulator.world import World
from protocol.units import SECOND, AccountId

MEMBERS = 16
LOST = (11, 12, 13, 14, 15)
"""Five of sixteen: as many as a quorum can do without."""
LOSS_NS = 8 * SECOND
RETURN_NS = 23 * SECOND
END_NS = 41 * SECOND


def short_epochs(**changes: int) -> Parameters:
    """Epochs of 24 rounds, five a second."""
    terms = with_pace(minimal(), 200, 200)
    return replace(terms, epoch_rounds=24, epoch_rounds_min=8, **changes)


def losing(
    faults: tuple[Fault, ...],
    members: int = MEMBERS,
    seed: int = 1,
    parameters: Parameters | None = None,
    observers: int = 0,
) -> Scenario:
    """A network of equal stakes to which something happens."""
    return Scenario(
        name="epochs",
        seed=seed,
        stakes=(5_000,) * members,
        conditions=CONDITIONS,
        workload=Workload(6, 0, 20 * SECOND, observer_stakes=False),
        safety_ns=END_NS,
        observers=observers,
        parameters=parameters if parameters is not None else short_epochs(),
        faults=faults,
    )


def lose_and_regain(seed: int = 1) -> Scenario:
    """Sixteen members lose five at once, for about four epochs."""
    return losing(tuple(Crash(LOSS_NS, RETURN_NS, node) for node in LOST), seed=seed)


@dataclass
class EpochTrace:
    """What the nodes report of the ends of epochs; a recorder.

    Attributes:
        closed: By epoch: when which node passed its end, and what it said.
        certified: By epoch: when the first node had its certificate.
        commits: When the first node had each commit.
    """

    closed: dict[int, dict[int, tuple[int, EpochClosed]]] = field(default_factory=dict)
    certified: dict[int, int] = field(default_factory=dict)
    commits: dict[int, int] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events end no epoch."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if not isinstance(effect, fx.Report):
            return
        match effect.fact:
            case EpochClosed(epoch=epoch):
                self.closed.setdefault(epoch, {}).setdefault(node, (time, effect.fact))
            case EpochCertified(epoch=epoch):
                self.certified.setdefault(epoch, time)
            case fx.CommitApplied(index=index):
                self.commits.setdefault(index, time)
            case _:
                pass

    def ends(self) -> list[EpochClosed]:
        """What the first node said of each epoch."""
        return [next(iter(reports.values()))[1] for _, reports in sorted(self.closed.items())]


@dataclass
class Run:
    """A network under way.

    Attributes:
        plan: Tells afterwards which faults bit.
    """

    scenario: Scenario
    trace: EpochTrace = field(default_factory=EpochTrace)

    def __post_init__(self) -> None:
        self.log = Log(self.scenario)
        self.world = World(self.scenario, (self.trace, self.log))
        self.log.know(self.world.accounts)
        self.plan = FaultPlan(self.world)

    def until(self, time_ns: int) -> "Run":
        self.world.engine.run(time_ns)
        return self

    def nodes_of(self, accounts: tuple[AccountId, ...]) -> tuple[int, ...]:
        return tuple(sorted(self.world.accounts.index(account) for account in accounts))

    def members(self) -> tuple[int, ...]:
        """Who the newest committee consists of, as the first live node knows it."""
        core = self.world.live_honest[0].core
        assert core is not None
        return self.nodes_of(tuple(one.account for one in core.state.committee.members))


def table(run: Run) -> list[str]:
    """Prints the epochs of a run as a table for documents."""
    lines = [
        "| epoch | ended at | rounds | commits a second | left | returned | members next "
        "| certified after |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    start_ns, first = 0, 0
    for epoch, reports in sorted(run.trace.closed.items()):
        time, end = min(reports.values(), key=lambda report: report[0])
        rate_milli = (end.index - first) * 1_000 * SECOND // max(1, time - start_ns)
        certified = run.trace.certified.get(epoch)
        wait = f"{(certified - time) // 1_000_000} ms" if certified is not None else "–"
        left, joined = run.nodes_of(end.left), run.nodes_of(end.joined)
        lines.append(
            f"| {epoch} | {time // 100_000_000 / 10} s | {end.rounds} | {rate_milli / 1_000:.1f} | "
            f"{_listed(left)} | {_listed(joined)} | {end.members} | {wait} |"
        )
        start_ns, first = time, end.index
    return lines


def _listed(nodes: tuple[int, ...]) -> str:
    return ", ".join(map(str, nodes)) or "–"


def main() -> None:
    run = Run(lose_and_regain()).until(END_NS)
    print(f"lost at {LOSS_NS // SECOND} s, back at {RETURN_NS // SECOND} s: {_listed(LOST)}")
    print("\n".join(table(run)))


if __name__ == "__main__":
    main()
