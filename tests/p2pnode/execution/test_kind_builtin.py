import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from p2pnode.execution import kind_builtin, tensors
from p2pnode.execution.compositions.matmul import factors
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Stretch
from tests.p2pnode.execution import builders

RENDER = {
    "name": "render",
    "width": 16,
    "height": 8,
    "left": 0,
    "top": 0,
    "tile_width": 16,
    "tile_height": 8,
    "samples": 2,
    "seed": 1,
}


def run(
    document: dict[str, object],
    inputs: tuple[bytes, ...] = (),
    *,
    device: str = "cpu",
    fuel_limit: int = 10**9,
) -> RunOutcome:
    artefact = json.dumps({"version": 1, **document}).encode()
    one = builders.task(artefact, kind="builtin", inputs=inputs, fuel_limit=fuel_limit)
    return kind_builtin.run(one, device)


def with_model(name: str, model: bytes, **parameters: object) -> dict[str, object]:
    digest = hashlib.blake2b(model, digest_size=32).hexdigest()
    return {"name": name, "model": digest, **parameters}


def answered(outcome: RunOutcome) -> dict[str, list[float]]:
    assert isinstance(outcome, Finished), outcome
    arrays = tensors.to_arrays(tensors.decode(outcome.output))
    return {name: array.tolist() for name, array in arrays.items()}


def counting_step() -> bytes:
    """A step that adds the number of the step to `total`, and says what it added."""
    nodes = [
        helper.make_node("Cast", ["step"], ["added"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["total", "added"], ["total_next"]),
    ]
    given = [
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
        helper.make_tensor_value_info("total", TensorProto.FLOAT, [1]),
    ]
    wanted = [
        helper.make_tensor_value_info("added", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("total_next", TensorProto.FLOAT, [1]),
    ]
    graph = helper.make_graph(nodes, "step", given, wanted)
    model = helper.make_model(graph, opset_imports=builders.OPSETS, ir_version=8)
    return bytes(model.SerializeToString())


def test_monte_carlo_answers_a_line_a_stream_and_no_fuel() -> None:
    outcome = run({"name": "monte-carlo", "points": 1000, "streams": 3, "seed": 5})
    assert isinstance(outcome, Finished)
    assert len(outcome.output.splitlines()) == 3
    assert outcome.fuel == 0


def test_a_module_inside_is_held_to_the_fuel_of_the_task() -> None:
    recipe: dict[str, object] = {"name": "monte-carlo", "points": 10**6, "streams": 1, "seed": 5}
    assert run(recipe, fuel_limit=10**6) == LimitReached(Limit.FUEL, 0, 0)


def test_the_product_is_that_of_the_factors() -> None:
    outcome = run({"name": "matmul-challenge", "size": 48, "seed": 3})
    left, right = (one.astype(np.int64) for one in factors(48, 3))
    assert answered(outcome) == {"product": (left @ right).tolist()}


def test_a_challenge_to_a_gpu_is_not_met_by_the_processor() -> None:
    outcome = run({"name": "matmul-challenge", "size": 48, "seed": 3}, device="cuda:0")
    assert isinstance(outcome, NoResult)


def test_a_module_answers_for_no_gpu() -> None:
    outcome = run(RENDER, device="cuda:0")
    assert outcome == NoResult("this composition runs on the processor and answers for no GPU", 0)


def test_tiles_are_the_whole_picture_to_the_bit() -> None:
    whole = run(RENDER)
    assert isinstance(whole, Finished)
    rows = [whole.output[start : start + 192] for start in range(0, 8 * 192, 192)]
    for left in (0, 8):
        tile = run(RENDER | {"left": left, "tile_width": 8})
        assert isinstance(tile, Finished)
        assert tile.output == b"".join(row[12 * left : 12 * left + 96] for row in rows)
    colours = struct.unpack(f"<{16 * 8 * 3}f", whole.output)
    assert 0 <= min(colours) < 0.5 < max(colours) <= 1


def test_a_training_carries_its_state_and_follows_the_rest() -> None:
    model = counting_step()
    recipe = with_model("training-loop", model, steps=4)
    outcome = run(recipe, (model, builders.tensor("total", [10])))
    assert answered(outcome) == {"total": [16], "added": [0, 1, 2, 3]}


def test_a_state_that_nothing_begins_is_a_failure() -> None:
    model = counting_step()
    outcome = run(with_model("training-loop", model, steps=4), (model,))
    assert outcome == Failed("nothing is given to begin 'total_next' with", 0)


def test_batches_are_joined_in_their_order() -> None:
    model = builders.model()
    batches = (builders.tensor("x", [1, 2, 3]), builders.tensor("x", [4, 5, 6]))
    outcome = run(with_model("batch-inference", model), (model, *batches))
    assert answered(outcome) == {"y": [2, 4, 6, 8, 10, 12]}


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ((), "the first input has to be the model"),
        ((b"other",), "the first input is not the model that the artefact names"),
        ((builders.model(),), "there is no batch: it would be the second input"),
    ],
)
def test_a_composition_without_its_inputs_is_a_failure(
    inputs: tuple[bytes, ...], detail: str
) -> None:
    recipe = with_model("batch-inference", builders.model())
    assert run(recipe, inputs) == Failed(detail, 0)


def test_a_model_inside_keeps_the_rules_of_models() -> None:
    noise = builders.model([helper.make_node("RandomNormalLike", ["x"], ["y"])])
    outcome = run(with_model("batch-inference", noise), (noise, builders.tensor()))
    assert outcome == Failed(
        "operator RandomNormalLike draws random numbers, so results would not agree", 0
    )


def test_inputs_that_nobody_reads_are_refused() -> None:
    outcome = run(RENDER, (b"more",))
    assert outcome == Failed("this composition takes no inputs", 0)


async def test_a_composition_runs_in_a_worker() -> None:
    artefact = json.dumps({"version": 1, **RENDER}).encode()
    task = builders.task(artefact, kind="builtin", inputs=())
    outcome = await builders.runner().run(task)
    assert isinstance(outcome, Finished)
    assert outcome.output == kind_builtin.run(task, "cpu").output  # type: ignore[union-attr]


def stretch(first: int, last: int, given: bytes = b"", steps: int = 4) -> RunOutcome:
    model = counting_step()
    recipe = with_model("training-loop", model, steps=steps)
    artefact = json.dumps({"version": 1, **recipe}).encode()
    inputs = (model, builders.tensor("total", [10]))
    task = builders.task(artefact, kind="builtin", inputs=inputs)
    return kind_builtin.run(replace(task, stretch=Stretch(first, last, given)), "cpu")


def test_a_training_made_of_steps_leaves_what_the_last_one_left() -> None:
    whole = stretch(0, 4)
    assert answered(whole) == {"total": [16], "added": 3}
    parts = [stretch(0, last) for last in range(1, 5)]
    lefts = [part.output for part in parts if isinstance(part, Finished)]
    assert isinstance(whole, Finished)
    assert whole.trace == b"".join(hashlib.blake2b(left, digest_size=32).digest() for left in lefts)


def test_one_step_alone_gives_the_same_bits_as_in_the_whole() -> None:
    whole, before = stretch(0, 4), stretch(0, 2)
    assert isinstance(whole, Finished)
    assert isinstance(before, Finished)
    alone = stretch(2, 3, before.output)
    assert isinstance(alone, Finished)
    assert alone.trace == whole.trace[64:96]


def test_what_is_not_made_of_so_many_steps_fails_everywhere_alike() -> None:
    assert stretch(0, 5) == Failed("the artefact has fewer steps than the job", 0)
    artefact = json.dumps({"version": 1, **RENDER}).encode()
    task = builders.task(artefact, kind="builtin", inputs=())
    outcome = kind_builtin.run(replace(task, stretch=Stretch(0, 1)), "cpu")
    assert outcome == Failed("this composition is not made of steps", 0)


def test_a_step_that_cannot_go_on_from_what_it_is_given_is_a_failure() -> None:
    assert stretch(1, 2, tensors.encode([])) == Failed("the step before left no 'total'", 0)
