"""A dispute over two thousand steps of a real training: rounds, bytes, and what judging takes.

The steps are those of the example that learns to read digits. The liar changes the last bit of one
number after one of them and goes on honestly. Everything runs in one process, without a sandbox and
without a network: what is compared is work, and a worker's start is the same for all runs.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import trio

from p2pnode.execution import kind_builtin
from p2pnode.interfaces import Finished, RunOutcome, Stretch, Task
from p2pnode.lab.lying import lying
from protocol.encoding import encode
from protocol.job.dispute import (
    Dispute,
    Side,
    disputed_step,
    end_by_votes,
    is_before_asked,
    open_level,
    place_of,
)
from protocol.messages import Operation
from protocol.step_messages import StepPair
from protocol.tree.trace import Trace
from protocol.units import DIGEST_BYTES, AccountId, Digest, JobId, Milliseconds
from tests.benchmarks.figures import Effort, Figure, at_most, scaled
from tests.examples.test_artefacts import read_job

EXAMPLE = Path(__file__).parents[2] / "examples" / "06_digits" / "stepped.toml"
STEPS = 2_000
SIGNATURE_BYTES = 64
ALONE = "processor time of one process, no sandbox"
NOW = Milliseconds(0)
MILLI = 1_000
MORE = 200
"""Steps beside the disputed one, so that one of them can be told from the loading."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that came to its end."""

    dispute: Dispute
    hash_bytes: int
    """Digests that both sides showed."""
    operation_bytes: int
    """All of their operations, signed."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Let an honest run and a liar's disagree, and resolve it."""
    steps, runs = effort.of(STEPS, 200), effort.of(5, 2)
    task = training(steps)
    what = f"{steps:,} steps of examples/06_digits"
    whole = [_timed(task) for _ in range(runs)]
    true, false = whole[0][1], trio.run(_lie, task)
    searched = search(true, false, steps)
    step = disputed_step(searched.dispute)
    yield Figure("dispute: rounds", "rounds", (searched.dispute.level,), what, target=at_most(11))
    sent = f"both sides, to step {step.index}; {what}"
    yield Figure(
        "dispute: bytes of hashes", "B", (searched.hash_bytes,), sent, target=at_most(2_048)
    )
    yield Figure("dispute: bytes of operations", "B", (searched.operation_bytes,), sent)
    given = b""
    if step.index:
        given = _timed(replace(task, stretch=Stretch(0, step.index)))[1].output
    yield from _judging(task, step.index, given, searched, whole)


def _judging(
    task: Task, index: int, given: bytes, searched: Searched, whole: list[tuple[float, Finished]]
) -> Iterator[Figure]:
    """One step by itself, and with the loading of the model, beside the whole run."""
    steps = len(whole[0][1].trace) // DIGEST_BYTES
    more = min(MORE, steps - index - 1)
    alone = [_timed(replace(task, stretch=Stretch(index, index + 1, given))) for _ in whole]
    longer = [_timed(replace(task, stretch=Stretch(index, index + 1 + more, given))) for _ in whole]
    verdict = end_by_votes(searched.dispute, [Digest(alone[0][1].trace)], 1).verdict
    assert verdict is not None, "a vote ends a dispute"
    assert verdict.losers == (1,), "the judge finds the liar"
    run_s, loaded_s = (tuple(seconds for seconds, _ in one) for one in (whole, alone))
    step_s = tuple(
        (much - little) / more for (much, _), (little, _) in zip(longer, alone, strict=True)
    )
    yield Figure("dispute: the whole run", "ms", scaled(run_s, MILLI), f"{ALONE}; {steps:,} steps")
    for name, spent, how in (
        ("the disputed step", step_s, f"{ALONE}; from runs of 1 and of {more + 1} steps"),
        ("the same, model loaded for it", loaded_s, f"{ALONE}; what a juror's worker does"),
    ):
        yield Figure(f"dispute: {name}", "ms", scaled(spent, MILLI), how)
        shares = tuple(100 * one / all_of_it for one, all_of_it in zip(spent, run_s, strict=True))
        yield Figure(f"dispute: {name}", "% of run", shares, how, target=at_most(1))


def training(steps: int) -> Task:
    """The example's training with another number of steps."""
    task = read_job(EXAMPLE)
    recipe = msgspec.json.decode(task.artefact) | {"steps": steps}
    artefact = msgspec.json.encode(recipe)
    return replace(task, artefact=artefact, stretch=Stretch(0, steps))


def search(true: Finished, false: Finished, steps: int) -> Searched:
    """Open both traces until one step is left."""
    traces = [_trace(one) for one in (true, false)]
    sides = [
        Side((AccountId(bytes([at]) * 32),), _last(one), trace.root, NOW)
        for at, (one, trace) in enumerate(zip((true, false), traces, strict=True))
    ]
    dispute, hash_bytes, operation_bytes = Dispute(steps, (sides[0], sides[1]), NOW), 0, 0
    while dispute.is_searching:
        level = dispute.level
        for at, trace in enumerate(traces):
            place = place_of(dispute)
            left, right = trace.halves(place.begin, place.height)
            before: tuple[Digest, ...] = ()
            if is_before_asked(place, at):
                before = trace.ending(place.begin, place.agreed_height)
            pair = StepPair(JobId(bytes(32)), 0, level, left, right, before)
            account = sides[at].members[0]
            dispute = open_level(dispute, account, pair, NOW)
            hash_bytes += DIGEST_BYTES * (2 + len(before))
            body = encode(Operation(1, Digest(bytes(32)), account, level, 100, pair))
            operation_bytes += len(body) + SIGNATURE_BYTES
    return Searched(dispute, hash_bytes, operation_bytes)


def _trace(outcome: Finished) -> Trace:
    starts = range(0, len(outcome.trace), DIGEST_BYTES)
    return Trace([Digest(outcome.trace[at : at + DIGEST_BYTES]) for at in starts])


def _last(outcome: Finished) -> Digest:
    return Digest(outcome.trace[-DIGEST_BYTES:])


def _timed(task: Task) -> tuple[float, Finished]:
    begun = time.process_time()
    outcome = kind_builtin.run(task, "cpu")
    elapsed = time.process_time() - begun
    assert isinstance(outcome, Finished), outcome
    return elapsed, outcome


async def _run(task: Task) -> RunOutcome:
    return kind_builtin.run(task, "cpu")


async def _lie(task: Task) -> Finished:
    outcome = await lying(_run, together=True)(task)
    assert isinstance(outcome, Finished), outcome
    return outcome
