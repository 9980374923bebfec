"""Judges every promise of simulated runs by what the nodes of a real run left behind.

The same recorders and checkers do it. They are told what the nodes wrote about their own cores, and
look at one copy of the ledger that is derived again from the nodes' stores, since all stores that
agree have the same one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from p2pnode.lab.real.starts import Starts
from p2pnode.lab.real.steps import Row, told_again
from p2pnode.lab.results import Setup
from p2pnode.lab.results.observer import Observer
from protocol import effects as fx
from protocol import events as ev
from protocol.facts import EpochCertified, Settled, Slashed
from protocol.job.record import ResultOutcome
from protocol.simulator.checks import Check, Evidence, Result, checks_of
from protocol.simulator.faults import Bite
from protocol.simulator.invariants import (
    wrong_balances,
    wrong_convictions,
    wrong_draws,
    wrong_settlements,
)
from protocol.simulator.labels import Labels
from protocol.simulator.log import Log, Violation
from protocol.simulator.promptness import Promptness
from protocol.simulator.quality import Quality, too_many_wrong
from protocol.simulator.scenario import Scenario
from protocol.units import Digest, JobId

OF_CORES = ("no_crash", "no_spin", "bounds", "own_slot", "durability", "promptness")
"""Promises that only what nodes wrote about their own cores can show."""
EVERYBODY = -1


@dataclass(frozen=True, slots=True)
class Left:
    """What a run on processes leaves to be judged.

    Attributes:
        scenario: With partitions when they really were.
        setup: Whom it is about.
        steps: What the nodes wrote about themselves, in the order of time.
        blocks: The bytes of all blocks that any store holds, by digest, ancestors first.
        waiting: By node, the nonce of each operation of its own that its store holds.
        found: What was found broken from outside.
        bites: What every fault came to.
        gaps: By promise, why nothing from outside can tell whether it was kept.
    """

    scenario: Scenario
    setup: Setup
    steps: Sequence[Row]
    blocks: Mapping[str, bytes]
    waiting: Mapping[int, Mapping[str, int]]
    found: Sequence[Violation] = ()
    bites: Sequence[Bite] = ()
    gaps: Mapping[str, str] = field(default_factory=dict)


def judge(left: Left) -> tuple[Check, ...]:
    """Judge every promise, in the order of reports."""
    told = _Told(left)
    copy = Observer(left.setup)
    for raw in left.blocks.values():
        copy.take(raw)
    quality, trouble = _quality(copy, told.outputs)
    copies = [(EVERYBODY, copy)]
    found = [
        *left.found,
        *told.log.found,
        *told.found,
        *told.starts.violations(),
        *told.labels.found,
        *wrong_balances(copies),
        *wrong_settlements(copies),
        *wrong_convictions(told.log),
        *wrong_draws(copies, told.log),
        *_lost_operations(left, told.log, copy),
        *too_many_wrong(left.scenario, quality, 0),
        *told.promptness.violations(),
    ]
    evidence = Evidence(
        scenario=left.scenario,
        log=told.log,
        labels=told.labels,
        promptness=told.promptness,
        found=list(dict.fromkeys(found)),
        quality=quality,
        bites=left.bites,
        is_whole=True,
    )
    gaps = {"result_quality": trouble, **_silence(left), **left.gaps}
    return tuple(_with_gap(check, gaps.get(check.name, "")) for check in checks_of(evidence))


def _with_gap(check: Check, gap: str) -> Check:
    if not gap or check.result is Result.BROKEN:
        return check
    return Check(check.name, Result.UNKNOWN, gap)


def _silence(left: Left) -> dict[str, str]:
    """Name the nodes that wrote nothing about themselves."""
    heard = {row["node"] for row in left.steps}
    silent = [node for node in range(left.scenario.nodes) if node not in heard]
    reason = f"nodes {silent} wrote nothing about their cores" if silent else ""
    return dict.fromkeys(OF_CORES, reason)


class _Told:
    """The recorders of simulated runs, told what the nodes wrote.

    Attributes:
        found: What single lines show to be broken.
        outputs: By job, the outputs of all runs that honest nodes finished.
        starts: Where cores began.
    """

    def __init__(self, left: Left) -> None:
        self.log = Log(left.scenario)
        self.log.know(left.setup.accounts)
        self.labels = Labels(left.scenario)
        self.promptness = Promptness(left.scenario)
        self.found: list[Violation] = []
        self.outputs: dict[JobId, set[Digest]] = {}
        self._honest = frozenset(left.setup.honest)
        self.starts = Starts(self.log, self._honest)
        self._before: dict[int, set[fx.Fact]] = {}
        self._now: dict[int, set[fx.Fact]] = {}
        for row in left.steps:
            self._note(row)
            for told in told_again(row, left.blocks):
                if isinstance(told, ev.Event):
                    self._event(row["node"], told)
                else:
                    self._effect(row["time_ns"], row["node"], told)

    def _note(self, row: Row) -> None:
        """Take in the lines that are neither events nor effects."""
        node = row["node"]
        match row:
            case {"step": "opened"}:
                self._before.setdefault(node, set()).update(self._now.get(node, ()))
                self._now[node] = set()
            case {"step": "restored"}:
                self.starts.note(row)
            case {"step": "raised", "detail": detail}:
                self._find("no_crash", row, detail)
            case {"step": "spin"}:
                self._find("no_spin", row, "it asked to be woken at once, again and again")
            case {"step": "gauge", "name": name, "size": size, "cap": cap} if size > cap:
                self._find("bounds", row, f"{size} {name}, at most {cap}")
            case _:
                pass

    def _event(self, node: int, event: ev.Event) -> None:
        if not isinstance(event, ev.ExecutionEnded) or node not in self._honest:
            return
        if event.outcome == ResultOutcome.FINISHED.value:
            self.outputs.setdefault(event.job, set()).add(event.output)

    def _effect(self, time: int, node: int, effect: fx.Effect) -> None:
        match effect:
            case fx.Report(Settled() | Slashed() as fact):
                # A crash takes commits that were not written yet; they are made known again.
                self._now.setdefault(node, set()).add(fact)
                if fact in self._before.get(node, ()):
                    return
            case fx.Report(EpochCertified(epoch=epoch)) if node in self._honest:
                self.starts.certify(epoch)
            case _:
                pass
        self.log.effect(time, node, effect)
        self.labels.effect(time, node, effect)
        self.promptness.effect(time, node, effect)

    def _find(self, invariant: str, row: Row, detail: str) -> None:
        self.found.append(Violation(invariant, row["node"], detail, row["time_ns"]))


def _lost_operations(left: Left, log: Log, copy: Observer) -> Iterator[Violation]:
    """What a node took on is final, or its store still holds it and it may become so."""
    for identifier, node in log.unsettled.items():
        if identifier in copy.index_of_operation:
            continue
        nonce = left.waiting.get(node, {}).get(identifier.hex())
        due = copy.state.next_nonce(left.setup.accounts[node])
        if nonce is None or (due is not None and nonce < due):
            detail = f"operation {identifier.hex()} is neither final nor waiting"
            yield Violation("durability", node, detail)


def _quality(copy: Observer, outputs: Mapping[JobId, set[Digest]]) -> tuple[Quality, str]:
    """Compare what was accepted with what honest nodes computed.

    Where only dishonest ones ran a job, another one tells, if all of them came to the same.
    """
    tolerated, wrong, trouble = [], 0, ""
    known = set[Digest]().union(*outputs.values())
    for job in copy.jobs:
        if job.accepted is None or job.accepted.outcome is not ResultOutcome.FINISHED:
            continue
        right = outputs.get(job.identifier, known)
        tolerated.append(job.offer.tolerated_error_ppm)
        if len(right) == 1:
            wrong += job.accepted.output not in right
        else:
            told = "honest runs differ" if right else "no honest node ran it to its end"
            trouble = f"job {job.identifier.hex()[:12]}: {told}"
    return Quality(tuple(tolerated), wrong), trouble
