from dataclasses import replace
from hashlib import blake2b

import pytest

from p2pnode.execution.tensors import Tensor, decode, encode
from p2pnode.interfaces import Failed, Finished, RunOutcome, Stretch, Task
from p2pnode.lab.lying import altered, lying

TASK = Task("ab" * 32, "wasm", b"code", (b"input",), 1_000, 1_000, 1_000, 1_000)


def running(outcome: RunOutcome) -> "tuple[list[Task], object]":
    seen: list[Task] = []

    async def run(task: Task) -> RunOutcome:
        seen.append(task)
        return outcome

    return seen, run


async def test_a_liar_runs_the_job_and_reports_another_output() -> None:
    seen, run = running(Finished(b"the truth", 12, 34, 56))
    told = await lying(run, together=False)(TASK)  # type: ignore[arg-type]  # a run as above
    assert seen == [TASK]
    assert isinstance(told, Finished)
    assert told.output != b"the truth"
    assert (len(told.output), told.elapsed_ms, told.fuel, told.peak_memory_bytes) == (9, 12, 34, 56)


async def test_a_liar_does_not_invent_an_output_for_a_failed_run() -> None:
    _, run = running(Failed("trapped", 5))
    assert await lying(run, together=False)(TASK) == Failed("trapped", 5)  # type: ignore[arg-type]


async def test_only_colluding_liars_tell_the_same_lie() -> None:
    _, run = running(Finished(b"the truth", 12, 34, 56))
    alone = [await lying(run, together=False)(TASK) for _ in range(2)]  # type: ignore[arg-type]
    together = [await lying(run, together=True)(TASK) for _ in range(2)]  # type: ignore[arg-type]
    assert alone[0] != alone[1]
    assert together[0] == together[1]


@pytest.mark.parametrize("output", [b"", b"x", b"xyz", bytes(100)])
def test_every_output_is_altered(output: bytes) -> None:
    assert all(altered(output, bytes([key])) != output for key in range(100))


def test_altered_scores_are_still_tensors() -> None:
    scores = Tensor("scores", "float32", (1, 4), bytes(16))
    assert decode(altered(encode([scores]), b"key"))[0].shape == (1, 4)


async def counting(task: Task) -> RunOutcome:
    """A run whose steps each append their number to what there is."""
    stretch = task.stretch
    assert stretch is not None
    left, trace = stretch.given if stretch.first else b"begun", b""
    for number in range(stretch.first, stretch.last):
        left += bytes([number])
        trace += blake2b(left, digest_size=32).digest()
    return Finished(left, 1, 1, 0, trace)


async def test_a_liar_does_one_step_wrongly_and_goes_on_from_there() -> None:
    task = replace(TASK, stretch=Stretch(0, 9))
    true, told = await counting(task), await lying(counting, together=False)(task)
    assert isinstance(true, Finished)
    assert isinstance(told, Finished)
    pairs = [
        (true.trace[at : at + 32], told.trace[at : at + 32]) for at in range(0, len(true.trace), 32)
    ]
    wrong = [at for at, (one, other) in enumerate(pairs) if one != other]
    assert wrong == list(range(wrong[0], 9))
    assert told.trace[-32:] == blake2b(told.output, digest_size=32).digest()
    assert len(told.output) == len(true.output)


async def test_a_liar_changes_the_lowest_bit_of_a_number_and_nothing_else() -> None:
    left = encode([Tensor("weight", "float32", (2,), bytes(8)), Tensor("loss", "int8", (), b"7")])

    async def run(task: Task) -> RunOutcome:
        return Finished(left, 1, 1, 0, bytes(32))

    task = replace(TASK, stretch=Stretch(4, 5, b"given"))
    told = await lying(run, together=True)(task)
    assert isinstance(told, Finished)
    weight, loss = decode(told.output)
    assert weight.data in (b"\1" + bytes(7), bytes(4) + b"\1" + bytes(3))
    assert loss.data == b"7"


async def test_a_run_of_steps_that_ends_early_is_told_as_it_is() -> None:
    _, run = running(Failed("trapped", 5))
    task = replace(TASK, stretch=Stretch(0, 9))
    assert await lying(run, together=True)(task) == Failed("trapped", 5)  # type: ignore[arg-type]
