"""Runs the named compositions of `compositions`; imported by worker processes only.

Parts run under the rules of their kinds: modules with fuel, models after `onnx_rules`. The ledger
meters fuel for `wasm` alone, so none is reported here. A training of a job made of steps answers
what the last step left: the carried tensors and that step's other outputs, without their history.
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
from p2pnode.interfaces import Failed, Finished, LimitReached, NoResult, RunOutcome, Stretch, Task
from protocol.encoding import content_digest

NEXT = "_next"
"""Ends the name of an output that becomes an input of the next step."""

STEP = "step"
"""An input of this name is the number of the step, from 0, as int64."""

HAS_STEPS = True

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
        if task.stretch is not None:
            _check_steps(recipe, task.stretch)
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
        case TrainingLoop() if task.stretch is not None:
            return _stretch_outcome(task.stretch, task, device)
        case TrainingLoop():
            return kind_onnx.outcome_of(lambda: _train(recipe, task, device), device)
        case BatchInference():
            return kind_onnx.outcome_of(lambda: _batches(task, device), device)
        case _:
            assert_never(recipe)


def _check_steps(recipe: Recipe, stretch: Stretch) -> None:
    if not isinstance(recipe, TrainingLoop):
        raise RecipeError("this composition is not made of steps")
    if stretch.last > recipe.steps:
        raise RecipeError("the artefact has fewer steps than the job")


def _stretch_outcome(stretch: Stretch, task: Task, device: str) -> RunOutcome:
    traces: list[bytes] = []

    def compute() -> bytes:
        left, trace = _train_stretch(stretch, task, device)
        traces.append(trace)
        return left

    outcome = kind_onnx.outcome_of(compute, device)
    return replace(outcome, trace=traces[0]) if isinstance(outcome, Finished) else outcome


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
    training = _Training(task, device)
    history = []
    for number in range(loop.steps):
        history.append(training.step(number))
    columns = zip(training.followed, zip(*history, strict=True), strict=True)
    return tensors.encode(
        [
            *training.carried(),
            *(tensors.from_array(name, np.stack(column)) for name, column in columns),
        ]
    )


def _train_stretch(stretch: Stretch, task: Task, device: str) -> tuple[bytes, bytes]:
    """Run some steps of a training; returns what the last one left, and the digests of all."""
    training = _Training(task, device)
    if stretch.first:
        training.resume(stretch.given)
    left, trace = b"", bytearray()
    for number in range(stretch.first, stretch.last):
        shown = zip(training.followed, training.step(number), strict=True)
        followed = [tensors.from_array(name, array) for name, array in shown]
        left = tensors.encode([*training.carried(), *followed])
        trace += kind_wasm.left_digest(left)
        if len(left) > task.output_limit_bytes:  # a jury could not fetch it
            break
    return left, bytes(trace)


class _Training:
    """A training step with what is carried from one to the next."""

    def __init__(self, task: Task, device: str) -> None:
        self._session = kind_onnx.open_model(task.inputs[0], device)
        self._feeds = kind_onnx.named_arrays(task.inputs[1:])
        self._outputs = [one.name for one in self._session.get_outputs()]
        self._carried = [one.removesuffix(NEXT) for one in self._outputs if one.endswith(NEXT)]
        self.followed = [one for one in self._outputs if not one.endswith(NEXT)]
        if missing := [name for name in self._carried if name not in self._feeds]:
            raise tensors.TensorError(f"nothing is given to begin {missing[0] + NEXT!r} with")
        self._counts = any(one.name == STEP for one in self._session.get_inputs())

    def resume(self, given: bytes) -> None:
        """Go on from what an earlier step left."""
        arrays = tensors.to_arrays(tensors.decode(given))
        if missing := [name for name in self._carried if name not in arrays]:
            raise tensors.TensorError(f"the step before left no {missing[0]!r}")
        self._feeds |= {name: arrays[name] for name in self._carried}

    def step(self, number: int) -> list[kind_onnx.Array]:
        """Run one step; returns the outputs that are followed and not carried."""
        if self._counts:
            self._feeds[STEP] = np.array(number, np.int64)
        answers = self._session.run(self._outputs, self._feeds)
        named = dict(zip(self._outputs, answers, strict=True))
        self._feeds |= {name: named[name + NEXT] for name in self._carried}
        return [named[name] for name in self.followed]

    def carried(self) -> list[tensors.Tensor]:
        """What the next step begins with."""
        return [tensors.from_array(name, self._feeds[name]) for name in self._carried]


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
