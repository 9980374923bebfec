import struct

import pytest

from p2pnode.execution import kind_wasm
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, RunOutcome, Task
from tests.p2pnode.execution import builders

OUT_OF_MEMORY_LATER = (
    "(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) (i64.const 0)"
)
NAN = (
    "(f32.store (i32.const 0) (f32.div (f32.const 0) (f32.neg (f32.const 0))))"
    " (i64.or (i64.shl (i64.const 0) (i64.const 32)) (i64.const 4))"
)

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
        ("(call 1 (i32.const 0) (i32.const 0))", "STACK_OVERFLOW"),
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
    ],
)
def test_features_of_later_standards_are_off(artefact: bytes) -> None:
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
