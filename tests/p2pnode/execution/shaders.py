"""Shaders and their manifests for the tests, with every argument defaulted."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from p2pnode.execution import tensors
from p2pnode.execution.vulkan import software_driver
from p2pnode.interfaces import Task
from tests.p2pnode.execution import builders

DOUBLE = """
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < 4u) { y[id.x] = 2.0 * x[id.x]; }
}
"""
ONE = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n"
NO_VULKAN = "no Vulkan driver with a working software adapter, or wgpu is not installed"


def needs_vulkan() -> None:
    """Skips a test where shaders cannot run."""
    if not software_driver():
        pytest.skip(NO_VULKAN)


def buffer(name: str, role: str, shape: Sequence[int] = (4,), dtype: str = "float32") -> Any:
    return {"name": name, "role": role, "dtype": dtype, "shape": list(shape)}


def manifest(shader: str = DOUBLE, **changes: object) -> bytes:
    document = {
        "version": 1,
        "shader": shader,
        "buffers": [buffer("x", "input"), buffer("y", "output")],
        "passes": [{"entry": "main", "workgroups": [1, 1, 1]}],
        **changes,
    }
    return json.dumps(document).encode()


def counting(body: str, *, words: int = 1, **one_pass: object) -> bytes:
    """A shader of one invocation that writes 32-bit words."""
    shader = f"{ONE}@compute @workgroup_size(1) fn main() {{ {body} }}"
    return manifest(
        shader,
        buffers=[buffer("y", "output", [words], "uint32")],
        passes=[{"entry": "main", "workgroups": [1, 1, 1], **one_pass}],
    )


def task(artefact: bytes | None = None, **changes: Any) -> Task:
    inputs = (tensors.encode([tensors.from_array("x", np.arange(4, dtype=np.float32))]),)
    arguments = {"inputs": inputs, "fuel_limit": 0, **changes}
    return builders.task(artefact or manifest(), kind="wgsl", **arguments)
