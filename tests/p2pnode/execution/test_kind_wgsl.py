"""The kind `wgsl` on Mesa's software Vulkan; skipped where there is none."""

import struct
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from p2pnode.execution import tensors
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Task
from tests.p2pnode.execution import builders, shaders
from tests.p2pnode.execution.shaders import buffer, counting, manifest, task

LOOP = "for (var i = 0u; i < TURNSu; i++) { y[0] += 1u; }"


@pytest.fixture(autouse=True)
def vulkan() -> None:
    shaders.needs_vulkan()


def run(one: Task) -> RunOutcome:
    """In this process: workers take a second each to load the driver."""
    return opened().run(one, "cpu")


@cache
def opened() -> ModuleType:
    from p2pnode.execution import kind_wgsl  # noqa: PLC0415 - not everywhere installed

    kind_wgsl.load()
    return kind_wgsl


def words(outcome: RunOutcome) -> list[int]:
    assert isinstance(outcome, Finished), outcome
    (tensor,) = tensors.decode(outcome.output)
    return list(struct.unpack(f"<{len(tensor.data) // 4}I", tensor.data))


def failure(outcome: RunOutcome) -> str:
    assert isinstance(outcome, Failed), outcome
    return outcome.detail


async def test_a_shader_answers_with_its_encoded_outputs() -> None:
    outcome = await builders.runner().run(task())
    assert isinstance(outcome, Finished)
    expected = tensors.from_array("y", np.array([0, 2, 4, 6], np.float32))
    assert tensors.decode(outcome.output) == (expected,)
    assert outcome.fuel == 0


def test_a_loop_up_to_the_limit_is_right_and_one_turn_more_is_no_silent_wrong_result() -> None:
    allowed = counting(LOOP.replace("TURNS", "60000"))
    assert words(run(task(allowed, inputs=()))) == [60_000]
    beyond = counting(LOOP.replace("TURNS", "60001"))
    assert failure(run(task(beyond, inputs=()))).startswith(
        "an invocation made more than 60000 turns of its loops"
    )


def test_the_turns_of_nested_loops_add_up() -> None:
    nested = "for (var j = 0u; j < 300u; j++) { " + LOOP.replace("TURNS", "300") + " }"
    assert "60000 turns" in failure(run(task(counting(nested), inputs=())))


def test_repetitions_do_what_one_dispatch_may_not_and_know_their_number() -> None:
    shader = (
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;"
        "@group(0) @binding(1) var<storage, read> step: array<u32>;"
        "@compute @workgroup_size(1) fn main() {"
        " for (var i = 0u; i < 50000u; i++) { y[0] += 1u; } y[1] += step[0]; }"
    )
    artefact = manifest(
        shader,
        buffers=[buffer("y", "output", [2], "uint32"), buffer("s", "step", [1], "uint32")],
        passes=[{"entry": "main", "workgroups": [1, 1, 1], "repeat": 4}],
    )
    assert words(run(task(artefact, inputs=()))) == [200_000, 0 + 1 + 2 + 3]


def test_buffers_begin_as_zeros_and_reading_outside_them_gives_nothing_of_the_node() -> None:
    body = "for (var i = 0u; i < 4u; i++) { y[i] |= y[1000000u * i + 5u]; }"
    outcome = run(task(counting(body, words=4), inputs=()))
    assert set(words(outcome)) == {0}


def test_a_claimed_gpu_is_never_replaced_by_the_processor() -> None:
    kind_wgsl = opened()
    if any(kind_wgsl._is_nvidia(one.info) for one in kind_wgsl.wgpu.gpu.enumerate_adapters_sync()):
        pytest.skip("this machine has an NVIDIA GPU under Vulkan")
    outcome = kind_wgsl.run(task(), "cuda:0")
    assert outcome == NoResult("Vulkan has no adapter of an NVIDIA GPU here", 0)


async def test_an_endless_dispatch_is_killed_at_its_time_limit() -> None:
    heavy = (
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;"
        "@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>) {"
        " for (var i = 0u; i < 60000u; i++) { y[0] += y[0] * i + id.x; } }"
    )
    artefact = manifest(
        heavy,
        buffers=[buffer("y", "output", [1], "uint32")],
        passes=[{"entry": "main", "workgroups": [65_535, 1, 1]}],
    )
    outcome = await builders.runner().run(task(artefact, inputs=(), time_limit_ms=400))
    assert outcome == LimitReached(Limit.TIME, outcome.elapsed_ms, 0)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"memory_limit_bytes": 31}, Limit.MEMORY),
        ({"output_limit_bytes": 15}, Limit.OUTPUT),
    ],
)
def test_what_the_manifest_declares_is_held_against_the_limits(
    changes: dict[str, int], limit: Limit
) -> None:
    outcome = run(task(**changes))
    assert outcome == LimitReached(limit, 0, 0)


@pytest.mark.parametrize(
    ("artefact", "detail"),
    [
        (b"garbage", "the artefact is not a shader's manifest"),
        (counting("y[0] = nonsense;"), "the shader could not be run: Validation Error"),
        (counting("y[0] = 1.0;"), "the shader could not be run: Validation Error"),
        (
            manifest(shaders.DOUBLE.replace("workgroup_size(4)", "workgroup_size(1024)")),
            "the shader could not be run: Validation Error",
        ),
        (
            manifest(shaders.DOUBLE.replace("binding(1)", "binding(5)")),
            "the shader could not be run: Validation Error",
        ),
        (
            manifest(shaders.DOUBLE.replace("<storage, read>", "<storage, read_write>")),
            "the shader could not be run: Validation Error",
        ),
    ],
)
def test_a_bad_shader_is_a_failure(artefact: bytes, detail: str) -> None:
    inputs = task().inputs if b'"x"' in artefact else ()
    assert failure(run(task(artefact, inputs=inputs))).startswith(detail)


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ((), "the input 'x' is missing"),
        ((b"garbage",), "the bytes are not MessagePack"),
        (task().inputs * 2, "two inputs carry the tensor 'x'"),
        ((*task().inputs, builders.tensor("z")), "the shader has no input 'z'"),
        ((builders.tensor("x"),), "input 'x' is float32[3], and the shader wants float32[4]"),
    ],
)
def test_wrong_inputs_are_a_failure(inputs: tuple[bytes, ...], detail: str) -> None:
    assert failure(run(task(inputs=inputs))).startswith(detail)
