"""The kind `onnx` as a careless node would have it, in tests only: shows what its rules are for.

Models are not looked at, and are loaded from a file, so that the runtime follows their references.
"""

from pathlib import Path

import onnxruntime as ort

from p2pnode.execution import kind_onnx
from p2pnode.interfaces import RunOutcome, Task

SECRET = b"0123456789ab"
"""Twelve bytes in a file beside the model: three float32."""


def load() -> None:
    """Drop the rules, and leave a file in the work folder."""
    Path("weights.bin").write_bytes(SECRET)
    kind_onnx.refusal = lambda model: None
    kind_onnx._session = _from_file
    kind_onnx.load()


def _from_file(model: bytes, device: str) -> ort.InferenceSession:
    Path("model.onnx").write_bytes(model)
    options = kind_onnx.session_options(device)
    return ort.InferenceSession("model.onnx", options, providers=["CPUExecutionProvider"])


def run(task: Task, device: str) -> RunOutcome:
    """Run a model as `onnx` does."""
    return kind_onnx.run(task, device)
