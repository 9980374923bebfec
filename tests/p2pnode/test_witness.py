"""What a node says of its own runs; and a whole dispute about a real training, run for run."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace as with_terms

from p2pnode.content import Content, ContentUnavailable
from p2pnode.execution import kind_builtin
from p2pnode.executions import Executions
from p2pnode.interfaces import Failed, Finished, RunOutcome, Stretch, Task
from p2pnode.lab.lying import lying
from p2pnode.storage import ArtifactStore, open_artifacts
from p2pnode.witness import TRACES_MAX
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest
from protocol.job import trial
from protocol.job.dispute import disputed_step
from protocol.job.record import Duty, Ending, Fault, Phase
from protocol.job.trial import Question
from protocol.messages import Offer, Reveal
from protocol.tree.trace import Trace
from protocol.units import AccountId, Digest, JobId
from tests.examples.test_artefacts import read_job
from tests.p2pnode.execution.builders import ROOT
from tests.support.builders import HandLedger, account_id, make_genesis, make_offer
from tests.support.disputes import TERMS, run_of

STEPS = 600
TRAINING = read_job(ROOT / "examples" / "06_digits" / "stepped.toml")
JOB = JobId(Digest(b"j" * 32))
REQUESTER = account_id(0)


@dataclass
class Shared:
    """Content that nodes fetch from one another's stores."""

    pieces: dict[bytes, bytes]
    stores: list[ArtifactStore] = field(default_factory=list)
    asked: list[tuple[bytes, Sequence[bytes]]] = field(default_factory=list)

    async def fetch(self, digest: bytes, holders: Sequence[bytes], limit_bytes: int) -> bytes:
        if digest in self.pieces:
            return self.pieces[digest]
        self.asked.append((digest, holders))
        for store in self.stores:
            if store.has(digest) and store.size_bytes(digest) <= limit_bytes:
                return await store.get(digest)
        raise ContentUnavailable("nobody has it")


class Bench:
    """The executions of one node."""

    def __init__(self, shared: Shared, store: ArtifactStore, *, is_liar: bool = False) -> None:
        self.told: list[ev.Event] = []
        self.ran: list[Stretch | None] = []
        shared.stores.append(store)
        run = lying(self.run, together=False) if is_liar else self.run
        self.executions = Executions(
            run, cast("Content", shared), store, self.tell, lambda *_: None, lambda _: None
        )

    async def run(self, task: Task) -> RunOutcome:
        self.ran.append(task.stretch)
        return kind_builtin.run(task, "cpu")

    async def tell(self, event: ev.Event) -> None:
        self.told.append(event)

    @property
    def ended(self) -> ev.ExecutionEnded:
        event = self.told[-1]
        assert isinstance(event, ev.ExecutionEnded), event
        return event


def training_offer(steps: int = STEPS) -> Offer:
    """The offer of the example, as a requester's node makes it."""
    return make_offer(
        kind="builtin",
        artefact=content_digest(TRAINING.artefact),
        inputs=tuple(content_digest(one) for one in TRAINING.inputs),
        size_bytes=len(TRAINING.artefact) + sum(map(len, TRAINING.inputs)),
        result_class=f"stepped/{steps}",
    )


def everything() -> Shared:
    return Shared({content_digest(one): one for one in (TRAINING.artefact, *TRAINING.inputs)})


async def bench_of(shared: Shared, folder: Path, *, is_liar: bool = False) -> Bench:
    store = await open_artifacts(folder, 1_000_000, 1_000_000)
    return Bench(shared, store, is_liar=is_liar)


def opening(begin: int = 0, height: int = 3, before_height: int = 0) -> fx.OpenTrace:
    question = Question(0, 3 - height, begin, height, before_height)
    return fx.OpenTrace(JOB, training_offer(8), REQUESTER, question)


async def test_a_trace_is_opened_from_memory_and_had_again_after_a_restart(tmp_path: Path) -> None:
    bench = await bench_of(everything(), tmp_path)
    await bench.executions.execute(fx.Execute(JOB, training_offer(8), REQUESTER))
    await bench.executions.witness.open_trace(opening())
    assert bench.ran == [Stretch(0, 8)]
    again = await bench_of(everything(), tmp_path / "restarted")
    await again.executions.witness.open_trace(opening())
    assert again.ran == [Stretch(0, 8)], "it ran once more"
    assert again.told == bench.told[-1:]
    await again.executions.witness.open_trace(opening(4, 1, 2))
    assert again.ran == [Stretch(0, 8)], "and now it remembers"
    event = again.told[-1]
    assert isinstance(event, ev.TraceOpened)
    assert len(event.pair.before) == 3


async def test_traces_are_remembered_up_to_a_number_of_runs(tmp_path: Path) -> None:
    bench = await bench_of(everything(), tmp_path)
    witness = bench.executions.witness
    leaves = run_of(8)
    for number in range(TRACES_MAX + 1):
        job = JobId(Digest(bytes([number]) * 32))
        assert witness.remember(job, b"".join(leaves)) == Trace(leaves).root
    effect = with_terms(opening(), job=JobId(Digest(bytes(32))))
    await witness.open_trace(effect)
    assert bench.ran == [Stretch(0, 8)], "the first was forgotten"
    assert witness.remember(JOB, b"") == b""


async def test_what_cannot_be_run_again_is_not_answered(tmp_path: Path) -> None:
    bench = await bench_of(everything(), tmp_path)

    async def fail(task: Task) -> RunOutcome:
        return Failed("it trapped", 1)

    bench.executions.witness._run = fail
    await bench.executions.witness.open_trace(opening())
    await bench.executions.witness.keep_step(fx.KeepStep(JOB, training_offer(8), REQUESTER, 3))
    assert bench.told == []


@dataclass
class Trial:
    """A ledger driven by hand whose workers really run what they are asked for."""

    folder: Path
    liar_place: int = 0

    def __post_init__(self) -> None:
        self.ledger = HandLedger(make_genesis(9, parameters=TERMS))
        self.shared = everything()
        self.benches: dict[int, Bench] = {}

    def open(self) -> JobId:
        offer = training_offer()
        before = self.ledger.open(0, offer)
        self.ledger.bid(before, *range(1, 9))
        job = self.ledger.open(0, offer)
        self.ledger.bid(job, 1, 2, 3)
        self.ledger.until(job, Phase.EXECUTING)
        return job

    async def bench(self, number: int, *, is_liar: bool = False) -> Bench:
        if number not in self.benches:
            folder = self.folder / str(number)
            self.benches[number] = await bench_of(self.shared, folder, is_liar=is_liar)
        return self.benches[number]

    async def run(self, number: int, effect: fx.Execute, *, is_liar: bool = False) -> None:
        bench = await self.bench(number, is_liar=is_liar)
        await bench.executions.execute(effect)
        end = bench.ended
        reveal = Reveal(
            effect.job, end.outcome, end.output, end.elapsed_ms, 0, bytes(32), end.trace
        )
        self.ledger.send_commitment(number, reveal)

    async def execute(self, job: JobId) -> None:
        offer = self.ledger.state.jobs[job].offer
        liar = self.ledger.running(job)[self.liar_place]
        for number in self.ledger.running(job):
            effect = fx.Execute(job, offer, REQUESTER)
            await self.run(number, effect, is_liar=number == liar)

    def reveal(self, job: JobId) -> None:
        for number in self.ledger.committed(job):
            self.ledger.do(number, self.ledger.reveals[number, job])

    async def search(self, job: JobId) -> None:
        while (record := self.ledger.state.jobs[job]).phase is Phase.DISPUTING:
            for number, bench in self.benches.items():
                question = trial.question_to(record, account_id(number))
                if question is None:
                    continue
                effect = fx.OpenTrace(job, record.offer, REQUESTER, question)
                await bench.executions.witness.open_trace(effect)
                event = bench.told[-1]
                assert isinstance(event, ev.TraceOpened)
                self.ledger.do(number, event.pair)

    async def judge(self, job: JobId) -> None:
        record = self.ledger.state.jobs[job]
        step, holders = trial.step_in_question(record), trial.holders_of(record)
        assert step is not None
        for number in (self.ledger.numbers[AccountId(one)] for one in holders):
            effect = fx.KeepStep(job, record.offer, REQUESTER, step.index)
            await self.benches[number].executions.witness.keep_step(effect)
        record = self.ledger.until(job, Phase.JUDGING)
        for number in self.ledger.running(job):
            order = fx.StepOrder(step.index, step.given, holders)
            await self.run(number, fx.Execute(job, record.offer, REQUESTER, order))


@pytest.mark.parametrize("liar_place", [0, 1])
async def test_a_wrong_last_bit_in_one_step_of_a_training_is_found_and_costs_the_pledge(
    tmp_path: Path, liar_place: int
) -> None:
    case = Trial(tmp_path, liar_place)
    job = case.open()
    liar = case.ledger.running(job)[liar_place]
    await case.execute(job)
    case.ledger.until(job, Phase.REVEALING)
    case.reveal(job)
    await case.search(job)
    record = case.ledger.until(job, Phase.SUMMONING)
    assert record.disputes[0].level == 10, "the logarithm of six hundred steps"
    await case.judge(job)
    case.ledger.until(job, Phase.REVEALING)
    case.reveal(job)
    record = case.ledger.state.jobs[job]
    assert record.ending is Ending.ACCEPTED
    assert [one.account for one in record.slashes] == [account_id(liar)]
    assert [one.reason for one in record.slashes] == [Fault.WRONG_RESULT]
    jurors = [one.account for one in record.executors if one.duty is Duty.STEP_JUROR]
    step = disputed_step(record.disputes[0])
    for account in jurors:
        ran = case.benches[case.ledger.numbers[account]].ran
        assert [(one.first, one.last) for one in ran if one is not None] == [
            (step.index, step.index + 1)
        ], "a juror runs one step and nothing else"
    lie = case.benches[liar].ran[:2]
    assert next(one.steps for one in lie if one is not None) == step.index + 1
    honest = kind_builtin.run(replace(TRAINING, stretch=Stretch(0, STEPS)), "cpu")
    assert isinstance(honest, Finished)
    assert record.accepted is not None
    assert record.accepted.output == content_digest(honest.output)
