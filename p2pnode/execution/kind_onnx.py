"""Runs an ONNX model with onnxruntime; imported by worker processes only.

Inputs are encoded tensors (see `tensors`), taken together; the output is the model's outputs in the
order it declares them. Models that read files or draw random numbers are refused.
"""

import os

# Read when onnxruntime is imported, hence before it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from onnxruntime.capi import onnxruntime_pybind11_state as state

from p2pnode.execution import tensors
from p2pnode.execution.onnx_rules import refusal
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, RunOutcome, Task

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
    try:
        model = onnx.load_from_string(task.artefact)
    except (DecodeError, ValueError, TypeError) as error:
        return Failed(f"the artefact is not an ONNX model: {error}", 0)
    problem = refusal(model)
    if problem is not None:
        return Failed(problem, 0)
    del model
    try:
        feeds = _feeds(task.inputs)
        outputs = _infer(task, device, feeds)
        encoded = tensors.encode(outputs)
    except tensors.TensorError as error:
        return Failed(str(error), 0)
    except RUNTIME_ERRORS as error:
        return _stopped(str(error))
    return Finished(encoded, 0, 0, 0)


def _feeds(inputs: tuple[bytes, ...]) -> dict[str, object]:
    feeds: dict[str, object] = {}
    for encoded in inputs:
        arrays = tensors.to_arrays(tensors.decode(encoded))
        for name, array in arrays.items():
            if name in feeds:
                raise tensors.TensorError(f"two inputs carry the tensor {name!r}")
            feeds[name] = array
    return feeds


def _infer(task: Task, device: str, feeds: dict[str, object]) -> list[tensors.Tensor]:
    session = _session(task.artefact, device)
    names = [output.name for output in session.get_outputs()]
    results = session.run(names, feeds)
    return [_tensor(name, array) for name, array in zip(names, results, strict=True)]


def _tensor(name: str, array: object) -> tensors.Tensor:
    if not isinstance(array, np.ndarray):
        raise tensors.TensorError(f"output {name!r} is not a tensor")
    return tensors.from_array(name, array)


def _session(model: bytes, device: str) -> ort.InferenceSession:
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
    provider = PROVIDERS[device.partition(":")[0]]
    session = ort.InferenceSession(model, options, providers=[provider])
    if session.get_providers()[0] != provider:
        # The runtime falls back to the processor without a word.
        raise RuntimeError(f"onnxruntime cannot use {provider} on this machine")
    return session


def _stopped(message: str) -> RunOutcome:
    if any(phrase in message.lower() for phrase in MEMORY_PHRASES):
        return LimitReached(Limit.MEMORY, 0, 0)
    return Failed(f"the model could not be run: {' '.join(message.split())}", 0)
