"""How old a read from the available layer is: written to W of N pools, read from R of them.

A read is k-stale when it misses the last k writes. With all links cut only the writer spreads an
operation, as in a store that replicates to W nodes and has not yet repaired the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Expected,
    Experiment,
    Findings,
    Mark,
    Row,
    Series,
    counted,
    exactly,
    within,
)
from p2pnode.lab.experiments.rates import rate
from protocol import events as ev
from protocol.messages import VERSION, Operation, Transfer, network_of, sign_operation
from protocol.simulator.chance import Stream
from protocol.simulator.faults import FaultPlan
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import START_NS, Partition, Scenario, Workload, identities
from protocol.simulator.scheme import FAKE
from protocol.simulator.world import START_SPREAD_NS, World
from protocol.units import CREDIT, MILLISECOND, SECOND, Epoch, Nonce

WRITES: Final = 10
"""Writes in a trial; the read after them shows for every k up to here whether it is k-stale."""
READY_NS: Final = START_NS + START_SPREAD_NS
WRITE_NS: Final = MILLISECOND
HEALED_NS: Final = 10 * SECOND
"""Time after the heal by which the pools must agree."""
HEALED_NETWORKS: Final = 5
"""Networks of each arrangement that are watched after the heal, as a control."""
LAST_EPOCH: Final = Epoch(100)
TOLERANCE: Final = 0.01
SHOWN: Final = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Quorums:
    """How many nodes there are, and how many of them a write and a read reach."""

    nodes: int
    writes: int
    reads: int

    def fresh(self, versions: int) -> float:
        """The probability that a read finds one of so many last writes."""
        missing = comb(self.nodes - self.writes, self.reads) / comb(self.nodes, self.reads)
        return 1 - missing**versions

    def __str__(self) -> str:
        return f"N={self.nodes}, W={self.writes}, R={self.reads}"


PARTIAL: Final = (Quorums(3, 1, 1), Quorums(3, 2, 1), Quorums(5, 2, 2))
"""Reads and writes that can miss each other."""
STRICT: Final = (Quorums(3, 2, 2), Quorums(5, 3, 3))
"""Those that cannot: R + W > N."""


@dataclass(slots=True)
class Tally:
    """What the trials of one arrangement came to.

    Attributes:
        ages: Trials by the number of writes that the read missed; all that it missed in the last.
        cut: Messages that met a cut link.
        healed: Reads from single nodes after the heal.
        healed_stale: Those of them that missed any write.
    """

    ages: list[int]
    cut: int = 0
    healed: int = 0
    healed_stale: int = 0

    @property
    def trials(self) -> int:
        """How many reads there were."""
        return sum(self.ages)

    def fresh(self, versions: int) -> int:
        """Reads that found one of so many last writes."""
        return sum(self.ages[:versions])


def measure(effort: Effort) -> Findings:
    """Writes and reads, thousands of times."""
    partial = {one: tally(one, effort.of(10_000, 150)) for one in PARTIAL}
    strict = {one: tally(one, effort.of(1_000, 40)) for one in STRICT}
    rows = [row for quorums, found in partial.items() for row in _partial_rows(quorums, found)]
    rows += [_strict_row(quorums, found) for quorums, found in strict.items()]
    everybody = (*partial.values(), *strict.values())
    healed, stale = sum(t.healed for t in everybody), sum(t.healed_stale for t in everybody)
    cut = sum(one.cut for one in everybody)
    what = "control: stale reads of a single node after the links are healed, of all"
    rows.append(Row(what, exactly(0), counted(stale, healed, cut)))
    return Findings(tuple(rows), (_chart(partial),))


def tally(quorums: Quorums, trials: int) -> Tally:
    """Plays trials in as many networks as the limit on waiting operations asks for."""
    found = Tally([0] * (WRITES + 1))
    seed = 0
    while found.trials < trials:
        seed += 1
        _play(quorums, seed, trials - found.trials, found)
    return found


def _play(quorums: Quorums, seed: int, trials: int, found: Tally) -> None:
    """One network whose nodes are all cut off from one another; every account has its turn."""
    scenario = _scenario(quorums, seed)
    world = World(scenario)
    plan = FaultPlan(world)
    world.engine.run(READY_NS)
    network, secrets = network_of(world.genesis), identities(scenario)
    draw = Stream(seed, "staleness")
    per_account = scenario.parameters.chain_pool_max // WRITES
    chosen = [n for n in range(quorums.nodes) for _ in range(per_account)][:trials]
    written = [0] * quorums.nodes
    for writer in chosen:
        for _ in range(WRITES):
            operation = Operation(
                version=VERSION,
                network=network,
                account=world.accounts[writer],
                nonce=Nonce(written[writer]),
                last_epoch=LAST_EPOCH,
                payload=Transfer(world.accounts[writer - 1], CREDIT),
            )
            signed = sign_operation(operation, secrets[writer].seed, FAKE)
            _write(world, signed.raw, _some(draw, quorums.nodes, quorums.writes))
            written[writer] += 1
        readers = _some(draw, quorums.nodes, quorums.reads)
        newest = max(_newest(world, reader, writer) for reader in readers)
        found.ages[min(WRITES, written[writer] - 1 - newest)] += 1
    world.engine.run(scenario.safety_ns)
    found.cut += plan.bites()[0].count
    if seed > HEALED_NETWORKS:
        return
    world.engine.run(scenario.safety_ns + HEALED_NS)
    for writer in range(quorums.nodes):
        for reader in range(quorums.nodes):
            found.healed += written[writer] > 0
            found.healed_stale += _seen(world, reader, writer) < written[writer]


def _scenario(quorums: Quorums, seed: int) -> Scenario:
    """Every node alone from before anything is written until after the last read."""
    return Scenario(
        name="staleness",
        seed=seed,
        stakes=(5_000,) * quorums.nodes,
        conditions=Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND)),
        workload=Workload(0, 0, SECOND),
        faults=(Partition(START_NS, 5 * SECOND, tuple((n,) for n in range(quorums.nodes))),),
        safety_ns=5 * SECOND,
    )


def _write(world: World, raw: bytes, targets: list[int]) -> None:
    """Hands an operation to some nodes, as a program of its owner would."""
    for target in targets:
        world.nodes[target].deliver(ev.OperationSubmitted(0, raw))
    world.engine.run(world.engine.now + WRITE_NS)


def _some(draw: Stream, nodes: int, count: int) -> list[int]:
    return draw.shuffled(range(nodes))[:count]


def _newest(world: World, reader: int, writer: int) -> int:
    """The newest nonce in a node's pool; -1 when it has seen none."""
    core = world.nodes[reader].core
    assert core is not None
    waiting = core.pool.operations(world.accounts[writer])
    return waiting[-1].operation.nonce if waiting else -1


def _seen(world: World, reader: int, writer: int) -> int:
    """How many operations of an account a node knows of, final ones included."""
    core = world.nodes[reader].core
    assert core is not None
    final = core.state.next_nonce(world.accounts[writer]) or 0
    return max(final, _newest(world, reader, writer) + 1)


def _partial_rows(quorums: Quorums, found: Tally) -> Iterator[Row]:
    for versions in SHOWN if quorums == PARTIAL[0] else SHOWN[:3]:
        yield Row(
            f"{quorums}: reads that find one of the last {versions}",
            _expected(quorums, versions),
            rate(found.fresh(versions), found.trials, found.cut),
        )


def _expected(quorums: Quorums, versions: int) -> Expected:
    return within(round(quorums.fresh(versions), 3), TOLERANCE)


def _strict_row(quorums: Quorums, found: Tally) -> Row:
    stale = found.trials - found.fresh(1)
    what = f"{quorums}: reads that miss the last write, of all"
    return Row(what, exactly(0), counted(stale, found.trials, found.cut))


def _chart(partial: dict[Quorums, Tally]) -> Chart:
    ks = range(1, WRITES + 1)
    series = []
    for quorums, found in partial.items():
        rates = [rate(found.fresh(k), found.trials, found.cut) for k in ks]
        known = tuple((float(k), quorums.fresh(k)) for k in ks)
        dots = tuple((float(k), one.value) for k, one in zip(ks, rates, strict=True))
        errors = tuple((one.low, one.high) for one in rates)
        series.append(Series(f"{quorums}, formula", Mark.LINE, known))
        series.append(Series(f"{quorums}, pools", Mark.DOTS, dots, errors))
    title = "Reads that find one of the last k writes"
    return Chart(title, "k (writes)", "share of reads", tuple(series))


EXPERIMENT: Final = Experiment(
    name="staleness",
    title="Staleness of the available layer",
    question="How often does a read of R nodes find one of the last k writes made to W of N nodes?",
    method=(
        "`protocol.simulator.world` runs N real cores with all links cut. A write hands the next "
        "signed operation of an account to W drawn nodes as `OperationSubmitted`; a read takes the "
        "newest nonce in the pools (`protocol/ledger/pool.py`) of R drawn nodes."
    ),
    bite="messages that met a cut link; and after the heal no read is stale any more",
    source=(
        "P. Bailis et al., *Probabilistically Bounded Staleness for Practical Partial Quorums*, "
        "PVLDB 5(8), 2012: 1 - (C(N-W,R)/C(N,R))^k"
    ),
    caption="Lines: the formula. Dots: reads from the pools of cut-off nodes, with 99 % intervals.",
    measure=measure,
)
