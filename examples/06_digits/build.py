"""Makes the models, tensors and recipes of this example; the results are kept beside it.

`build.py` writes what a training needs; `build.py model OUTPUT` makes the classifier of what the
training answered, and its batches; `build.py explain OUTPUT` prints what came of a training, and
`build.py read OUTPUT` how many digits a classification read right.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from p2pnode.execution import tensors

HERE = Path(__file__).parent
TRAINING, BATCH, HIDDEN, STEPS, RATE = 1500, 100, 32, 600, 0.5
BATCHES = 3
GREYS = 16
OPSETS = [helper.make_opsetid("", 17)]
Array = np.ndarray[Any, Any]

STATE = {"w1": (64, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, 10), "b2": (10,)}
"""What a step changes."""


def digits() -> tuple[Array, Array]:
    """Read the pictures, `float32[1797, 64]` from 0 to 1, and which digits they are."""
    with gzip.open(HERE / "digits.csv.gz", "rt") as source:
        table = np.loadtxt(source, delimiter=",", dtype=np.float32)
    return table[:, :64] / GREYS, table[:, 64].astype(np.int64)


def step_model() -> bytes:
    """Make one training step of standard operators: forward, backward and update.

    A hidden layer of rectified units and a softmax, trained by gradient descent on a batch that
    the number of the step chooses.
    """
    make = helper.make_node
    nodes = [
        # The batch: rows from (step mod batches) * BATCH on.
        make("Mod", ["step", "batches"], ["turn"]),
        make("Mul", ["turn", "size"], ["first"]),
        make("Add", ["first", "size"], ["behind"]),
        make("Slice", ["images", "first", "behind"], ["pixels"]),
        make("Cast", ["pixels"], ["grey"], to=TensorProto.FLOAT),
        make("Mul", ["grey", "one_grey"], ["x"]),
        make("Slice", ["labels", "first", "behind"], ["label"]),
        make("OneHot", ["label", "classes", "off_on"], ["wanted"]),
        # Forward.
        make("MatMul", ["x", "w1"], ["x_w1"]),
        make("Add", ["x_w1", "b1"], ["before"]),
        make("Relu", ["before"], ["hidden"]),
        make("MatMul", ["hidden", "w2"], ["hidden_w2"]),
        make("Add", ["hidden_w2", "b2"], ["scores"]),
        make("Softmax", ["scores"], ["chances"], axis=1),
        make("LogSoftmax", ["scores"], ["logs"], axis=1),
        make("Mul", ["logs", "wanted"], ["picked"]),
        make("ReduceSum", ["picked"], ["sum"], keepdims=0),
        make("Mul", ["sum", "minus_share"], ["loss"]),
        # Backward.
        make("Sub", ["chances", "wanted"], ["wrong"]),
        make("Mul", ["wrong", "share"], ["d_scores"]),
        make("Transpose", ["hidden"], ["hidden_t"], perm=[1, 0]),
        make("MatMul", ["hidden_t", "d_scores"], ["d_w2"]),
        make("ReduceSum", ["d_scores", "rows"], ["d_b2"], keepdims=0),
        make("Transpose", ["w2"], ["w2_t"], perm=[1, 0]),
        make("MatMul", ["d_scores", "w2_t"], ["d_hidden"]),
        make("Greater", ["before", "zero"], ["is_active"]),
        make("Cast", ["is_active"], ["active"], to=TensorProto.FLOAT),
        make("Mul", ["d_hidden", "active"], ["d_before"]),
        make("Transpose", ["x"], ["x_t"], perm=[1, 0]),
        make("MatMul", ["x_t", "d_before"], ["d_w1"]),
        make("ReduceSum", ["d_before", "rows"], ["d_b1"], keepdims=0),
    ]
    for name in STATE:
        nodes.append(make("Mul", [f"d_{name}", "rate"], [f"change_{name}"]))
        nodes.append(make("Sub", [name, f"change_{name}"], [f"{name}_next"]))
    numbers = {
        "batches": np.array([TRAINING // BATCH], np.int64),
        "size": np.array([BATCH], np.int64),
        "classes": np.array(10, np.int64),
        "off_on": np.array([0, 1], np.float32),
        "share": np.array(1 / BATCH, np.float32),
        "minus_share": np.array(-1 / BATCH, np.float32),
        "rows": np.array([0], np.int64),
        "one_grey": np.array(1 / GREYS, np.float32),
        "zero": np.array(0, np.float32),
        "rate": np.array(RATE, np.float32),
    }
    given = [
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
        helper.make_tensor_value_info("images", TensorProto.UINT8, [TRAINING, 64]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [TRAINING]),
        *(_float(name, shape) for name, shape in STATE.items()),
    ]
    wanted = [_float(f"{name}_next", shape) for name, shape in STATE.items()]
    return _model(nodes, given, [*wanted, _float("loss", ())], numbers)


def start() -> bytes:
    """Draw the state that a training begins with."""
    generator = np.random.default_rng(7)
    drawn = {
        name: generator.standard_normal(shape) * (0.2 if len(shape) == 2 else 0)
        for name, shape in STATE.items()
    }
    return _encoded({name: array.astype(np.float32) for name, array in drawn.items()})


def training_set() -> bytes:
    """Encode the pictures to learn from."""
    images, labels = digits()
    return _encoded(
        {"images": (images[:TRAINING] * GREYS).astype(np.uint8), "labels": labels[:TRAINING]}
    )


def classifier(trained: bytes) -> bytes:
    """Make the model that reads digits, with the state that a training ended with."""
    state = tensors.to_arrays(tensors.decode(trained))
    nodes = [
        helper.make_node("Gemm", ["image", "w1", "b1"], ["before"]),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w2", "b2"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["digit"], axis=1, keepdims=0),
    ]
    given = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 64])]
    wanted = [helper.make_tensor_value_info("digit", TensorProto.INT64, ["n"])]
    return _model(nodes, given, wanted, {name: state[name] for name in STATE})


def batches() -> list[bytes]:
    """Encode the pictures that no training saw, in parts."""
    images, _ = digits()
    return [_encoded({"image": part}) for part in np.array_split(images[TRAINING:], BATCHES)]


def recipe(name: str, model: bytes, **parameters: int) -> bytes:
    """Write an artefact of the kind `builtin` that names its model."""
    digest = hashlib.blake2b(model, digest_size=32).hexdigest()
    return json.dumps({"name": name, "version": 1, "model": digest, **parameters}).encode()


def right(answer: bytes) -> tuple[int, int]:
    """Count the digits that a classification read right, and all of them."""
    (read,) = tensors.to_arrays(tensors.decode(answer)).values()
    _, labels = digits()
    return int((read == labels[TRAINING:]).sum()), len(read)


def _float(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _model(
    nodes: list[onnx.NodeProto],
    given: list[onnx.ValueInfoProto],
    wanted: list[onnx.ValueInfoProto],
    numbers: dict[str, Array],
) -> bytes:
    kept = [numpy_helper.from_array(array, name) for name, array in numbers.items()]
    graph = helper.make_graph(nodes, "digits", given, wanted, kept)
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8, producer_name="p2pnode")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _encoded(arrays: dict[str, Array]) -> bytes:
    return tensors.encode([tensors.from_array(name, array) for name, array in arrays.items()])


def _write(files: dict[str, bytes]) -> None:
    (HERE / "batches").mkdir(exist_ok=True)
    for name, content in files.items():
        (HERE / name).write_bytes(content)


def training_files() -> dict[str, bytes]:
    """Name what a training needs."""
    step = step_model()
    named = {"step.onnx": step, "start.tensors": start(), "digits.tensors": training_set()}
    return named | {"training.json": recipe("training-loop", step, steps=STEPS)}


def classifier_files(trained: bytes) -> dict[str, bytes]:
    """Name what a classification needs."""
    model = classifier(trained)
    parts = {f"batches/{number}.tensors": batch for number, batch in enumerate(batches())}
    return {"digits.onnx": model, "inference.json": recipe("batch-inference", model)} | parts


def main(arguments: list[str]) -> None:
    """Build, or tell what an output says."""
    match arguments:
        case []:
            _write(training_files())
        case ["model", output]:
            _write(classifier_files(Path(output).read_bytes()))
        case ["explain", output]:
            loss = tensors.to_arrays(tensors.decode(Path(output).read_bytes()))["loss"]
            print(
                f"loss {loss[0]:.3f} at the first step, {loss[-1]:.3f} at the last of {len(loss)}"
            )
        case ["read", output]:
            count, total = right(Path(output).read_bytes())
            print(f"{count} of {total} digits read right")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
