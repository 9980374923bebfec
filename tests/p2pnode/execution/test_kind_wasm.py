import struct
from dataclasses import replace
from pathlib import Path

import pytest
from wasmtime import Engine

from p2pnode.execution import kind_wasm
from p2pnode.interfaces import (
    Failed,
    Finished,
    Limit,
    LimitReached,
    NoResult,
    RunOutcome,
    Stretch,
    Task,
)
from tests.p2pnode.execution import builders

OUT_OF_MEMORY_LATER = (
    "(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) (i64.const 0)"
)
NAN = (
    "(f32.store (i32.const 0) (f32.div (f32.const 0) (f32.neg (f32.const 0))))"
    " (i64.or (i64.shl (i64.const 0) (i64.const 32)) (i64.const 4))"
)

RELAXED = "(func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0)))"

TWO_MEMORIES = kind_wasm.BINARY_PREFIX + b"\x05\x05\x02\x00\x01\x00\x01"


def run(task: Task) -> RunOutcome:
    return kind_wasm.run(task, "cpu")


def test_inputs_arrive_in_one_buffer_with_their_lengths() -> None:
    outcome = run(builders.task(inputs=(b"", b"two")))
    assert isinstance(outcome, Finished)
    assert outcome.output == struct.pack("<III", 2, 0, 3) + b"two"


def test_two_runs_give_equal_bytes_and_equal_fuel() -> None:
    first, second = run(builders.task()), run(builders.task())
    assert isinstance(first, Finished)
    assert first == second
    assert first.fuel > 0


def test_more_work_takes_more_fuel() -> None:
    looping = "(local $i i32) (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i)"
    looping += " (i32.const 1))) (i32.load (i32.const 1032))))) " + builders.ECHO
    artefact = builders.module(looping)
    short = run(builders.task(artefact, inputs=(struct.pack("<I", 10),)))
    long = run(builders.task(artefact, inputs=(struct.pack("<I", 1000),)))
    assert isinstance(short, Finished)
    assert isinstance(long, Finished)
    assert long.fuel > short.fuel + 990


def test_an_endless_module_runs_out_of_fuel() -> None:
    task = builders.task(builders.module(builders.FOREVER), fuel_limit=1_000_000)
    assert run(task) == LimitReached(Limit.FUEL, 0, 1_000_000)


def test_a_module_that_fills_its_memory_reaches_the_memory_limit() -> None:
    first = run(builders.task(builders.module(builders.GROW_FOREVER)))
    second = run(builders.task(builders.module(builders.GROW_FOREVER)))
    assert first == second == LimitReached(Limit.MEMORY, 0, 0)


def test_a_module_that_begins_with_too_much_memory_reaches_the_memory_limit() -> None:
    task = builders.task(builders.module(pages=1025), memory_limit_bytes=64 * 2**20)
    assert run(task) == LimitReached(Limit.MEMORY, 0, 0)


def test_an_alloc_that_answers_zero_reaches_the_memory_limit() -> None:
    outcome = run(builders.task(builders.module(alloc="(i32.const 0)")))
    assert isinstance(outcome, LimitReached)
    assert outcome.limit is Limit.MEMORY


def test_a_trap_with_memory_left_is_a_failure() -> None:
    task = builders.task(builders.module(OUT_OF_MEMORY_LATER), memory_limit_bytes=2**20)
    assert run(task) == Failed("the module trapped: UNREACHABLE", 0)


@pytest.mark.parametrize(
    ("body", "trap"),
    [
        ("unreachable", "UNREACHABLE"),
        ("(i64.div_u (i64.const 1) (i64.const 0))", "INTEGER_DIVISION_BY_ZERO"),
        ("(i64.load (i32.const -8))", "MEMORY_OUT_OF_BOUNDS"),
    ],
)
def test_a_trap_is_a_failure_with_the_name_of_the_trap(body: str, trap: str) -> None:
    assert run(builders.task(builders.module(body))) == Failed(f"the module trapped: {trap}", 0)


@pytest.mark.parametrize(
    ("artefact", "detail"),
    [
        (b"", "the artefact is not a binary WebAssembly module"),
        (b"(module)", "the artefact is not a binary WebAssembly module"),
        (kind_wasm.EMPTY_MODULE, "the module does not export its memory as `memory`"),
        (builders.module(memory="heap"), "the module does not export its memory as `memory`"),
        (
            builders.module(extra='(import "clock" "now" (func))'),
            "the module imports clock.now; nothing can be imported",
        ),
        (
            builders.module("(i64.const -4294967292)"),
            "the module's output lies outside its memory",
        ),
        (
            builders.module(alloc="(i32.const -1)"),
            "the module's alloc answered a place outside its memory",
        ),
    ],
)
def test_a_module_outside_the_interface_is_a_failure(artefact: bytes, detail: str) -> None:
    assert run(builders.task(artefact)) == Failed(detail, 0)


def test_garbage_after_the_prefix_is_a_failure_with_the_compilers_reason() -> None:
    outcome = run(builders.task(kind_wasm.BINARY_PREFIX + b"garbage"))
    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("the artefact is not a valid module: ")


@pytest.mark.parametrize(
    "artefact",
    [
        TWO_MEMORIES,
        builders.module(extra="(func (return_call 0))"),
        builders.module(extra="(tag)"),
        builders.module(extra="(type (struct))"),
        builders.module(extra="(memory 1 2 shared)"),
        builders.module(extra="(func (drop (i32.atomic.load (i32.const 0))))"),
        builders.module(extra="(memory i64 1)"),
        builders.module(extra="(func (param (ref func)))"),
        builders.module(extra=RELAXED),
    ],
)
def test_features_off_that_would_differ_or_widen_the_runtime_standards_are_off(
    artefact: bytes,
) -> None:
    outcome = run(builders.task(artefact))
    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("the artefact is not a valid module: ")


def test_an_output_over_the_limit_reaches_the_output_limit() -> None:
    outcome = run(builders.task(inputs=(b"x" * 100,), output_limit_bytes=100))
    assert isinstance(outcome, LimitReached)
    assert outcome.limit is Limit.OUTPUT


def test_not_a_number_has_one_form() -> None:
    outcome = run(builders.task(builders.module(NAN)))
    assert isinstance(outcome, Finished)
    assert outcome.output == b"\x00\x00\xc0\x7f"


@pytest.mark.parametrize(
    "body",
    [
        "(call 1 (i32.const 0) (i32.const 0))",
        "(drop (call 1 (i32.const 0) (i32.const 0))) (i64.const 0)",
    ],
)
def test_calls_nested_too_deeply_are_no_result(body: str) -> None:
    expected = NoResult("the module's calls are nested too deeply for this machine", 0)
    assert run(builders.task(builders.module(body))) == expected


def test_half_the_stack_is_there_for_every_module() -> None:
    # 256 KiB of frames of 16 bytes or more; with the compiler's own, about 8,000 calls.
    deep = (
        "(if (result i64) (i32.gt_u (local.get 1) (i32.const 0))"
        " (then (call 1 (local.get 0) (i32.sub (local.get 1) (i32.const 1))))"
        " (else (i64.const 0)))"
    )
    task = builders.task(builders.module(deep), inputs=(b"x" * 2000,))
    assert isinstance(run(task), Finished)


def test_vector_instructions_are_on() -> None:
    body = (
        "(v128.store (i32.const 0) (i32x4.add (i32x4.splat (i32.const 3)) (i32x4.splat"
        " (i32.const 4)))) (i64.const 16)"
    )
    outcome = run(builders.task(builders.module(body)))
    assert isinstance(outcome, Finished)
    assert outcome.output == struct.pack("<4I", 7, 7, 7, 7)


def test_each_task_has_an_engine_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Engine] = []

    def engine(config: object) -> Engine:
        made.append(Engine(config))  # type: ignore[arg-type]  # as the kind gave it
        return made[-1]

    monkeypatch.setattr(kind_wasm, "Engine", engine)
    run(builders.task())
    run(builders.task())
    assert len(made) == 2
    assert made[0] is not made[1]


def test_a_module_that_somebody_compiled_to_machine_code_is_never_loaded() -> None:
    from wasmtime import Module  # noqa: PLC0415 - only here

    compiled = Module(Engine(kind_wasm._config()), builders.module()).serialize()
    expected = Failed("the artefact is not a binary WebAssembly module", 0)
    assert run(builders.task(bytes(compiled))) == expected


def test_compiling_starts_no_threads() -> None:
    before = len(list(Path("/proc/self/task").iterdir()))
    many = builders.module(extra="(func (param i32) (result i32) (local.get 0))" * 2000)
    assert isinstance(run(builders.task(many)), Finished)
    assert len(list(Path("/proc/self/task").iterdir())) <= before  # others may end meanwhile


ADD_STEP = (
    # the first input grows by the number of the step: both are one byte here
    "(i32.store8 (i32.const 0) (i32.add"
    " (i32.load8_u (i32.add (local.get 0) (i32.const 8)))"
    " (i32.load8_u (i32.add (local.get 0) (i32.const 13)))))"
    " (i64.const 1)"
)


def stretch(first: int, last: int, given: bytes = b"", fuel: int = 10**9) -> RunOutcome:
    task = builders.task(builders.module(ADD_STEP), inputs=(b"\x05",), fuel_limit=fuel)
    return run(replace(task, stretch=Stretch(first, last, given)))


def test_each_step_of_a_module_begins_with_what_the_last_one_left() -> None:
    whole = stretch(0, 4)
    assert isinstance(whole, Finished)
    assert whole.output == b"\x0b", "5 + 0 + 1 + 2 + 3"
    lefts = [b"\x05", b"\x06", b"\x08", b"\x0b"]
    assert whole.trace == b"".join(kind_wasm.left_digest(left) for left in lefts)
    part = stretch(2, 4, b"\x06")
    assert isinstance(part, Finished)
    assert (part.output, part.trace) == (whole.output, whole.trace[64:])
    assert 0 < part.fuel < whole.fuel


def test_all_steps_share_one_limit_of_fuel() -> None:
    whole = stretch(0, 4)
    assert isinstance(whole, Finished)
    assert stretch(0, 4, fuel=whole.fuel) == whole
    assert isinstance(stretch(0, 1, fuel=whole.fuel // 2), Finished)
    assert isinstance(stretch(0, 4, fuel=whole.fuel // 2), LimitReached)
