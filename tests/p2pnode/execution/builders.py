"""Tasks, modules and models for the tests, with every argument defaulted."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import trio
from onnx import TensorProto, helper
from wasmtime import wat2wasm

from p2pnode.execution import tensors
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.probe import SandboxReport
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Task

ROOT = Path(__file__).parents[3]
ECHO = (
    "(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))"
    " (i64.extend_i32_u (local.get 1)))"
)
FOREVER = "(loop (br 0)) (i64.const 0)"
GROW_FOREVER = (
    "(loop (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (br 0))"
    " (i64.const 0)"
)
OPSETS = [helper.make_opsetid("", 17)]


def runner(most_parallel: int = 1, report: SandboxReport | None = None) -> Runner:
    devices = Devices((Device("cpu", "processor", "", 2**30),), "none")
    return Runner(DeviceWatch(devices), most_parallel, report)


def module(
    body: str = ECHO,
    *,
    pages: int = 1,
    alloc: str = "(i32.const 1024)",
    extra: str = "",
    memory: str = "memory",
) -> bytes:
    return bytes(
        wat2wasm(
            f'(module {extra} (memory (export "{memory}") {pages})'
            f' (func (export "alloc") (param i32) (result i32) {alloc})'
            f' (func (export "run") (param i32 i32) (result i64) {body}))'
        )
    )


def task(
    artefact: bytes | None = None,
    *,
    kind: str = "wasm",
    inputs: tuple[bytes, ...] = (b"hello",),
    time_limit_ms: int = 5_000,
    memory_limit_bytes: int = 64 * 2**20,
    output_limit_bytes: int = 2**20,
    fuel_limit: int = 10**9,
) -> Task:
    if artefact is None:
        artefact = module() if kind == "wasm" else model()
    return Task(
        "job",
        kind,
        artefact,
        inputs,
        time_limit_ms,
        memory_limit_bytes,
        output_limit_bytes,
        fuel_limit,
    )


def model(
    nodes: Sequence[onnx.NodeProto] | None = None,
    *,
    initializers: Sequence[TensorProto] = (),
    output_type: int = TensorProto.FLOAT,
) -> bytes:
    """A model with the input x: float32[3] and the output y; by default y = x + x."""
    nodes = nodes or [helper.make_node("Add", ["x", "x"], ["y"])]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    wanted = helper.make_tensor_value_info("y", output_type, None)
    graph = helper.make_graph(list(nodes), "graph", [given], [wanted], list(initializers))
    made = helper.make_model(graph, opset_imports=OPSETS, ir_version=8)
    return bytes(made.SerializeToString())


def tensor(name: str = "x", values: Sequence[float] = (1, 2, 3)) -> bytes:
    return tensors.encode([tensors.from_array(name, np.array(values, np.float32))])


def whole_numbers(name: str, values: Sequence[Sequence[int]]) -> bytes:
    return tensors.encode([tensors.from_array(name, np.array(values, np.int32))])


def hungry_model(elements: int = 4 * 2**30) -> bytes:
    """A model of some hundred bytes that fills 16 GiB with ones."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [elements])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    fill = helper.make_node("ConstantOfShape", ["shape"], ["ones"], value=one)
    total = helper.make_node("ReduceSum", ["ones"], ["sum"])
    return model([fill, total, helper.make_node("Add", ["x", "sum"], ["y"])], initializers=[shape])


def endless_model() -> bytes:
    """A model that counts to 2**62."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still_going"]),
            helper.make_node("Add", ["value", "value"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("index", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, [3]),
        ],
        [
            helper.make_tensor_value_info("still_going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [3]),
        ],
    )
    trips = helper.make_tensor("trips", TensorProto.INT64, [], [2**62])
    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    loop = helper.make_node("Loop", ["trips", "always", "x"], ["y"], body=body)
    return model([loop], initializers=[trips, always])


def folding_model(side: int = 3000, products: int = 200) -> bytes:
    """A model whose constant part, some minutes of products, the runtime computes while loading."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [side, side])
    half = helper.make_tensor("half", TensorProto.FLOAT, [1], [1 / side])
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["c0"], value=half)]
    nodes += [
        helper.make_node("MatMul", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(products)
    ]
    nodes += [helper.make_node("ReduceSum", [f"c{products}"], ["sum"])]
    nodes += [helper.make_node("Add", ["x", "sum"], ["y"])]
    return model(nodes, initializers=[shape])


def workers_left() -> list[str]:
    """Name the processes that run a worker of this one, inside wrappers too."""
    mark = f"\0{os.getpid()}\0"
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_text()
        except OSError:
            continue
        if "execution.worker" in text and mark in text:
            found.append(entry.parent.name)
    return found


def is_dead(pid: int) -> bool:
    """Gone, or a zombie that whoever adopted it has not reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - the kernel sets no event
            await trio.sleep(0.01)
