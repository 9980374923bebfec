"""Runs the named compositions of `compositions`; imported by worker processes only.

Parts run under the rules of their kinds: modules with fuel, models after `onnx_rules`. The ledger
meters fuel for `wasm` alone, so none is reported here.
"""

import struct
from dataclasses import replace
from importlib import resources
from typing import assert_never

import numpy as np
import onnx
from onnx import TensorProto, helper

from p2pnode.execution import kind_onnx, kind_wasm, tensors
from p2pnode.execution.compositions import matmul
from p2pnode.execution.compositions.recipe import (
    BatchInference,
    MatmulChallenge,
    MonteCarlo,
    Recipe,
    RecipeError,
    Render,
    TrainingLoop,
    read_recipe,
)
from p2pnode.interfaces import Failed, Finished, LimitReached, NoResult, RunOutcome, Task
from protocol.encoding import content_digest

NEXT = "_next"
"""Ends the name of an output that becomes an input of the next step."""

STEP = "step"
"""An input of this name is the number of the step, from 0, as int64."""

_MODULES = {
    name: resources.files("p2pnode.execution.compositions").joinpath(name).read_bytes()
    for name in ("pi.wasm", "tracer.wasm")
}
"""Read at import, before files are forbidden."""


def load() -> None:
    """Load what the parts need."""
    kind_wasm.load()
    kind_onnx.load()


def run(task: Task, device: str) -> RunOutcome:
    """Run a composition; models on `cpu` or `cuda:0`, modules on the processor only."""
    try:
        recipe = read_recipe(task.artefact)
        if isinstance(recipe, TrainingLoop | BatchInference):
            _check_model(recipe.model, task)
        elif task.inputs:
            raise RecipeError("this composition takes no inputs")
    except RecipeError as error:
        return Failed(str(error), 0)
    return _run(recipe, task, device)


def _run(recipe: Recipe, task: Task, device: str) -> RunOutcome:
    match recipe:
        case MonteCarlo(points=points, streams=streams, seed=seed):
            lines = (f"{points} {seed + stream}".encode() for stream in range(streams))
            return _module("pi.wasm", tuple(lines), task, device)
        case Render():
            return _module("tracer.wasm", (_tile(recipe),), task, device)
        case MatmulChallenge():
            return kind_onnx.outcome_of(lambda: _multiply(recipe, device), device)
        case TrainingLoop():
            return kind_onnx.outcome_of(lambda: _train(recipe, task, device), device)
        case BatchInference():
            return kind_onnx.outcome_of(lambda: _batches(task, device), device)
        case _:
            assert_never(recipe)


def _check_model(digest: str, task: Task) -> None:
    if not task.inputs:
        raise RecipeError("the first input has to be the model")
    if content_digest(task.inputs[0]).hex() != digest:
        raise RecipeError("the first input is not the model that the artefact names")


def _module(name: str, inputs: tuple[bytes, ...], task: Task, device: str) -> RunOutcome:
    if device != "cpu":
        return NoResult("this composition runs on the processor and answers for no GPU", 0)
    part = replace(task, kind="wasm", artefact=_MODULES[name], inputs=inputs)
    outcome = kind_wasm.run(part, "cpu")
    if isinstance(outcome, Finished | LimitReached):
        return replace(outcome, fuel=0)
    return outcome


def _tile(render: Render) -> bytes:
    sides = (render.width, render.height, render.left, render.top)
    tile = (render.tile_width, render.tile_height)
    return struct.pack("<8I", *sides, *tile, render.samples, render.seed)


def _multiply(challenge: MatmulChallenge, device: str) -> bytes:
    size = challenge.size
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [size, size])
        for name in ("left", "right", "product")
    ]
    node = helper.make_node("MatMul", ["left", "right"], ["product"])
    graph = helper.make_graph([node], "challenge", given[:2], given[2:])
    opset = onnx.helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    session = kind_onnx.open_model(model.SerializeToString(), device)
    left, right = (one.astype(np.float32) for one in matmul.factors(size, challenge.seed))
    (product,) = session.run(["product"], {"left": left, "right": right})
    return tensors.encode([tensors.from_array("product", product.astype(np.int32))])


def _train(loop: TrainingLoop, task: Task, device: str) -> bytes:
    session = kind_onnx.open_model(task.inputs[0], device)
    feeds = kind_onnx.named_arrays(task.inputs[1:])
    outputs = [one.name for one in session.get_outputs()]
    carried = [name for name in outputs if name.endswith(NEXT)]
    followed = [name for name in outputs if not name.endswith(NEXT)]
    if missing := [name for name in carried if name.removesuffix(NEXT) not in feeds]:
        raise tensors.TensorError(f"nothing is given to begin {missing[0]!r} with")
    counts = any(one.name == STEP for one in session.get_inputs())
    history: list[list[kind_onnx.Array]] = []
    for step in range(loop.steps):
        if counts:
            feeds[STEP] = np.array(step, np.int64)
        answers = dict(zip(outputs, session.run(outputs, feeds), strict=True))
        feeds |= {name.removesuffix(NEXT): answers[name] for name in carried}
        history.append([answers[name] for name in followed])
    last = [tensors.from_array(one, feeds[one]) for one in (c.removesuffix(NEXT) for c in carried)]
    columns = zip(followed, zip(*history, strict=True), strict=True) if followed else ()
    return tensors.encode(
        [*last, *(tensors.from_array(name, np.stack(column)) for name, column in columns)]
    )


def _batches(task: Task, device: str) -> bytes:
    session = kind_onnx.open_model(task.inputs[0], device)
    parts = [
        tensors.to_arrays(kind_onnx.infer(session, kind_onnx.named_arrays((batch,))))
        for batch in task.inputs[1:]
    ]
    if not parts:
        raise tensors.TensorError("there is no batch: it would be the second input")
    return tensors.encode(
        [
            tensors.from_array(name, np.concatenate([part[name] for part in parts]))
            for name in parts[0]
        ]
    )
