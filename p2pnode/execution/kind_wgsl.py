"""Runs a compute shader through Vulkan with wgpu; imported by worker processes only.

What an artefact looks like is in `wgsl_rules`. Inputs are encoded tensors (see `tensors`), taken
together; the output is the tensors of the buffers with the role `output`, in their order. A driver
cannot be interrupted: the runner's SIGKILL is the time limit.
"""

import os
from dataclasses import dataclass
from functools import cache
from importlib import metadata

# Read by Mesa when it is loaded: a shader runs in the thread that asked for it, so that processor
# time is what the task took, and nothing is kept on disk.
os.environ.setdefault("LP_NUM_THREADS", "0")
os.environ.setdefault("MESA_SHADER_CACHE_DISABLE", "true")
# It looks for a screen there and complains where the variable is missing.
os.environ.setdefault("XDG_RUNTIME_DIR", os.path.curdir)

import wgpu
from wgpu.backends.wgpu_native import extras

from p2pnode.execution import tensors
from p2pnode.execution.wgsl_rules import (
    BUFFER_BYTES_MAX,
    BUFFERS_MAX,
    LOOP_TURNS_MAX,
    Manifest,
    Pass,
    ShaderRefusedError,
    guarded,
    read_manifest,
)
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Task

NEEDS_THREADS = True
"""The driver starts two of its own with a device."""

NVIDIA_VENDOR = 0x10DE
"""The vendor of the devices that are called `cuda:N`."""

LIMITS = {
    "max-storage-buffers-per-shader-stage": BUFFERS_MAX + 1,
    "max-storage-buffer-binding-size": BUFFER_BYTES_MAX,
    "max-buffer-size": BUFFER_BYTES_MAX,
    "max-compute-invocations-per-workgroup": 256,
    "max-compute-workgroup-size-x": 256,
    "max-compute-workgroup-size-y": 256,
    "max-compute-workgroup-size-z": 64,
    "max-compute-workgroups-per-dimension": 65_535,
}
"""What every WebGPU device grants, by name: a shader that wants more is refused by all nodes."""

CANARY = b"""{"version": 1,
"shader": "@group(0) @binding(0) var<storage, read_write> o: array<u32>;
@compute @workgroup_size(1) fn main() { for (var i = 0u; i < 9u; i++) { o[0] += i; } }",
"buffers": [{"name": "o", "role": "output", "dtype": "uint32", "shape": [1]}],
"passes": [{"entry": "main", "workgroups": [1, 1, 1]}]}""".replace(b"\n", b" ")
"""A shader that answers 36."""

MEMORY_PHRASES = ("not enough memory", "out of memory")
"""How the runtime says that an allocation failed."""


class AdapterMissingError(Exception):
    """This machine has no adapter of the kind that is needed."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A device and what its driver says about itself."""

    device: wgpu.GPUDevice
    description: str


_software: list[_Opened] = []
"""The processor's device, opened before files are forbidden."""


@cache  # the runtime can be told but once which interface to look behind
def load() -> None:
    """Open the software device and run a shader on it, so that nothing is left to load.

    A machine that has only a GPU opens that one when it runs.
    """
    extras.set_instance_extras(backends=["Vulkan"])
    try:
        _software.append(_open("cpu"))
    except AdapterMissingError:
        return
    _run(read_manifest(CANARY), {}, _software[0].device)


def run(task: Task, device: str) -> RunOutcome:
    """Run a shader on its inputs on `cpu` or `cuda:0`."""
    try:
        manifest = read_manifest(task.artefact)
        feeds = _feeds(manifest, task.inputs)
    except (ShaderRefusedError, tensors.TensorError) as error:
        return Failed(str(error), 0)
    limit = _declared_limit(manifest, task)
    if limit is not None:
        return LimitReached(limit, 0, 0)
    try:
        opened = _software[0] if device == "cpu" and _software else _open(device)
        return _run(manifest, feeds, opened.device)
    except AdapterMissingError as missing:
        return NoResult(str(missing), 0)
    except ShaderRefusedError as error:
        return Failed(str(error), 0)
    except (wgpu.GPUError, RuntimeError, ValueError) as error:
        return _stopped(" ".join(str(error).split()))


def description() -> str:
    """Name driver and runtime of the software device; results of one name are equal to the bit.

    Raises:
        AdapterMissingError: if there is none, or it does not compute what it should.
    """
    if not _software:
        raise AdapterMissingError("Vulkan has no software adapter here")
    task = Task("canary", "wgsl", CANARY, (), 1000, 2**20, 2**10, 0)
    outcome = run(task, "cpu")
    wanted = tensors.encode([tensors.Tensor("o", "uint32", (1,), b"\x24\0\0\0")])
    if not isinstance(outcome, Finished) or outcome.output != wanted:
        raise AdapterMissingError(f"the software adapter does not compute: {outcome}")
    return _software[0].description


def _open(device: str) -> _Opened:
    """Open the adapter that a device's name means, and no other in its place."""
    for adapter in wgpu.gpu.enumerate_adapters_sync():
        info = adapter.info
        is_software = info["adapter_type"] == "CPU"
        if is_software if device == "cpu" else _is_nvidia(info):
            opened = adapter.request_device_sync(required_limits=LIMITS)
            driver = f"{info['device']}/{info['description'].partition(' (')[0]}"
            return _Opened(opened, f"{driver}/wgpu-{metadata.version('wgpu')}")
    kind = "software adapter" if device == "cpu" else "adapter of an NVIDIA GPU"
    raise AdapterMissingError(f"Vulkan has no {kind} here")


def _is_nvidia(info: wgpu.GPUAdapterInfo) -> bool:
    return bool(info["adapter_type"] != "CPU" and info["vendor_id"] == NVIDIA_VENDOR)


def _declared_limit(manifest: Manifest, task: Task) -> Limit | None:
    """Say which limit a shader would exceed by what it declares."""
    if sum(one.size_bytes for one in manifest.buffers) > task.memory_limit_bytes:
        return Limit.MEMORY
    outputs = sum(one.size_bytes for one in manifest.buffers if one.role == "output")
    return Limit.OUTPUT if outputs > task.output_limit_bytes else None


def _feeds(manifest: Manifest, inputs: tuple[bytes, ...]) -> dict[str, bytes]:
    given: dict[str, tensors.Tensor] = {}
    for encoded in inputs:
        for tensor in tensors.decode(encoded):
            if tensor.name in given:
                raise tensors.TensorError(f"two inputs carry the tensor {tensor.name!r}")
            given[tensor.name] = tensor
    wanted = [one for one in manifest.buffers if one.role == "input"]
    for one in wanted:
        if one.name not in given:
            raise tensors.TensorError(f"the input {one.name!r} is missing")
        tensor = given[one.name]
        if (tensor.dtype, tensor.shape) != (one.dtype, one.shape):
            raise tensors.TensorError(
                f"input {one.name!r} is {tensor.dtype}{list(tensor.shape)}, "
                f"and the shader wants {one.dtype}{list(one.shape)}"
            )
    if surplus := sorted(given.keys() - {one.name for one in wanted}):
        raise tensors.TensorError(f"the shader has no input {surplus[0]!r}")
    return {name: tensor.data for name, tensor in given.items()}


def _run(manifest: Manifest, feeds: dict[str, bytes], device: wgpu.GPUDevice) -> RunOutcome:
    module = device.create_shader_module(code=guarded(manifest.shader))
    buffers = [
        _buffer(device, feeds.get(one.name, bytes(one.size_bytes))) for one in manifest.buffers
    ]
    guard = _buffer(device, bytes(4))
    writable = [one.role in ("output", "scratch") for one in manifest.buffers]
    layout = device.create_bind_group_layout(entries=_layout(writable))
    bound = [*enumerate(buffers), (BUFFERS_MAX, guard)]
    group = device.create_bind_group(
        layout=layout,
        entries=[{"binding": place, "resource": {"buffer": one}} for place, one in bound],
    )
    step = next(
        (b for b, one in zip(buffers, manifest.buffers, strict=True) if one.role == "step"), None
    )
    pipelines = {}
    for one in manifest.passes:
        if one.entry not in pipelines:
            pipelines[one.entry] = device.create_compute_pipeline(
                layout=device.create_pipeline_layout(bind_group_layouts=[layout]),
                compute={"module": module, "entry_point": one.entry},
            )
        for repetition in range(one.repeat):
            if step is not None:
                device.queue.write_buffer(step, 0, repetition.to_bytes(4, "little"))
            _dispatch(device, pipelines[one.entry], group, one)
            if any(device.queue.read_buffer(guard)):
                return Failed(
                    f"an invocation made more than {LOOP_TURNS_MAX} turns of its loops: "
                    "split the work over repetitions of the pass",
                    0,
                )
    outputs = [
        tensors.Tensor(one.name, one.dtype, one.shape, bytes(device.queue.read_buffer(buffer)))
        for one, buffer in zip(manifest.buffers, buffers, strict=True)
        if one.role == "output"
    ]
    return Finished(tensors.encode(outputs), 0, 0, 0)


def _buffer(device: wgpu.GPUDevice, data: bytes) -> wgpu.GPUBuffer:
    usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
    return device.create_buffer_with_data(data=data, usage=usage)


def _layout(writable: list[bool]) -> list[dict[str, object]]:
    places = [*enumerate(writable), (BUFFERS_MAX, True)]
    return [
        {
            "binding": place,
            "visibility": wgpu.ShaderStage.COMPUTE,
            "buffer": {"type": "storage" if may_write else "read-only-storage"},
        }
        for place, may_write in places
    ]


def _dispatch(
    device: wgpu.GPUDevice, pipeline: wgpu.GPUComputePipeline, group: wgpu.GPUBindGroup, one: Pass
) -> None:
    encoder = device.create_command_encoder()
    compute = encoder.begin_compute_pass()
    compute.set_pipeline(pipeline)
    compute.set_bind_group(0, group)
    compute.dispatch_workgroups(*one.workgroups)
    compute.end()
    device.queue.submit([encoder.finish()])


def _stopped(message: str) -> RunOutcome:
    if any(phrase in message.lower() for phrase in MEMORY_PHRASES):
        return LimitReached(Limit.MEMORY, 0, 0)
    return Failed(f"the shader could not be run: {message}", 0)
