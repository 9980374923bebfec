"""Runs an ONNX model with onnxruntime; imported by worker processes only.

Inputs are encoded tensors (see `tensors`), taken together; the output is the model's outputs in the
order it declares them. Models that read files or draw random numbers are refused.
"""

import os
from collections.abc import Callable
from typing import Any

# Read when onnxruntime is imported, hence before it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from onnxruntime.capi import onnxruntime_pybind11_state as state

from p2pnode.execution import tensors
from p2pnode.execution.onnx_rules import refusal
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Task

Array = np.ndarray[Any, Any]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""The execution provider of a device; the runtime's own list would add remote ones."""

RUNTIME_ERRORS = (
    state.EPFail,
    state.EngineError,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.ModelLoaded,
    state.NoModel,
    state.NoSuchFile,
    state.NotImplemented,
    state.RuntimeException,
    ValueError,
    RuntimeError,
)
"""What onnxruntime raises; its exceptions have no common ancestor."""

MEMORY_PHRASES = ("failed to allocate memory", "bad allocation", "bad_alloc", "out of memory")
"""How the runtime says that an allocation failed."""

GPU_PHRASES = ("cuda", "cudnn", "cublas", "gpu")
"""What the runtime names when a GPU or one of its libraries failed, and not the model."""

FALLBACK_PHRASE = "fallback to cpu ep has been explicitly disabled"
"""How the runtime says that it would have run some operators on the processor."""


def load() -> None:
    """Run a one-node model, so that every part of the runtime is in memory."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "load", [value], [result])
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    assert refusal(model) is None
    session = _session(model.SerializeToString(), "cpu")
    session.run(None, {"x": np.zeros(1, np.float32)})


def run(task: Task, device: str) -> RunOutcome:
    """Run a model on its inputs on `cpu` or `cuda:0`."""

    def compute() -> bytes:
        session = open_model(task.artefact, device)
        return tensors.encode(infer(session, named_arrays(task.inputs)))

    return outcome_of(compute, device)


def outcome_of(compute: Callable[[], bytes], device: str) -> RunOutcome:
    """Say what came of a computation with models, whatever the runtime raised."""
    try:
        return Finished(compute(), 0, 0, 0)
    except (ModelRefusedError, tensors.TensorError) as error:
        return Failed(str(error), 0)
    except DeviceMissingError as error:
        return NoResult(str(error), 0)
    except RUNTIME_ERRORS as error:
        return _stopped(str(error), device)


def open_model(artefact: bytes, device: str) -> ort.InferenceSession:
    """Load a model that keeps the rules.

    Raises:
        ModelRefusedError: if it does not.
        DeviceMissingError: if the runtime cannot use the device.
        Exception: those of `RUNTIME_ERRORS`.
    """
    try:
        model = onnx.load_from_string(artefact)
    except (DecodeError, ValueError, TypeError) as error:
        raise ModelRefusedError(f"the artefact is not an ONNX model: {error}") from error
    problem = refusal(model)
    if problem is not None:
        raise ModelRefusedError(problem)
    del model
    return _session(artefact, device)


def named_arrays(inputs: tuple[bytes, ...]) -> dict[str, Array]:
    """Decode inputs into arrays by name.

    Raises:
        TensorError: if they are no tensors or two have the same name.
    """
    feeds: dict[str, Array] = {}
    for encoded in inputs:
        for name, array in tensors.to_arrays(tensors.decode(encoded)).items():
            if name in feeds:
                raise tensors.TensorError(f"two inputs carry the tensor {name!r}")
            feeds[name] = array
    return feeds


def infer(session: ort.InferenceSession, feeds: dict[str, Array]) -> list[tensors.Tensor]:
    """Run a loaded model; its outputs come in the order that it declares."""
    names = [output.name for output in session.get_outputs()]
    results = session.run(names, feeds)
    return [_tensor(name, array) for name, array in zip(names, results, strict=True)]


def _tensor(name: str, array: object) -> tensors.Tensor:
    if not isinstance(array, np.ndarray):
        raise tensors.TensorError(f"output {name!r} is not a tensor")
    return tensors.from_array(name, array)


class ModelRefusedError(Exception):
    """The artefact is no model that may run; the text says why."""


class DeviceMissingError(Exception):
    """The runtime cannot use the device that this node claims to have."""


def _session(model: bytes, device: str) -> ort.InferenceSession:
    provider = PROVIDERS[device.partition(":")[0]]
    session = None
    if provider in ort.get_available_providers():
        session = ort.InferenceSession(model, session_options(device), providers=[provider])
    # A provider that is there and does not start is replaced by the processor without a word.
    if session is None or session.get_providers()[0] != provider:
        raise DeviceMissingError(f"onnxruntime cannot use {provider} on this machine")
    return session


def session_options(device: str) -> ort.SessionOptions:
    """Make the options under which every model runs, so that two runs give the same bytes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.use_deterministic_compute = True
    # An arena grows by doubling and would run into the limit before the model does.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    # Without it, int8 products saturate on processors that have AVX2 and lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if device != "cpu":
        # Single operators would else be run on the processor under the name of the GPU.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def _stopped(message: str, device: str) -> RunOutcome:
    if device != "cpu" and FALLBACK_PHRASE in message.lower():
        detail = "the GPU's provider lacks some of the model's operators, and none is run elsewhere"
        return NoResult(detail, 0)
    is_short = any(phrase in message.lower() for phrase in MEMORY_PHRASES)
    if device != "cpu" and (is_short or any(one in message.lower() for one in GPU_PHRASES)):
        # Boards have more or less memory, and fail on their own: nothing is said about the model.
        return NoResult(f"the GPU could not run the model: {' '.join(message.split())}", 0)
    if is_short:
        return LimitReached(Limit.MEMORY, 0, 0)
    return Failed(f"the model could not be run: {' '.join(message.split())}", 0)
