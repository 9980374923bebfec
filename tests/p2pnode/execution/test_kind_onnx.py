import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from p2pnode.execution import kind_onnx, tensors
from p2pnode.interfaces import Failed, Finished, RunOutcome, Task
from tests.p2pnode.execution import builders


def run(task: Task, device: str = "cpu") -> RunOutcome:
    return kind_onnx.run(task, device)


def onnx_task(artefact: bytes | None = None, **changes: object) -> Task:
    arguments: dict[str, object] = {"inputs": (builders.tensor(),), **changes}
    return builders.task(artefact, kind="onnx", **arguments)  # type: ignore[arg-type]  # as given


def test_a_model_answers_with_its_encoded_outputs() -> None:
    outcome = run(onnx_task())
    assert isinstance(outcome, Finished)
    expected = tensors.from_array("y", np.array([2, 4, 6], np.float32))
    assert tensors.decode(outcome.output) == (expected,)


def test_two_runs_give_equal_bytes() -> None:
    generator = np.random.default_rng(7)
    weights = generator.standard_normal((3, 500)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["hidden"]),
        helper.make_node("Softmax", ["hidden"], ["y"]),
    ]
    raw = helper.make_tensor("w", TensorProto.FLOAT, [3, 500], weights.tobytes(), raw=True)
    artefact = builders.model(nodes, initializers=[raw])
    first = run(onnx_task(artefact))
    assert isinstance(first, Finished)
    assert run(onnx_task(artefact)) == first


def test_inputs_may_come_in_several_parts() -> None:
    given = helper.make_tensor_value_info("z", TensorProto.FLOAT, [3])
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    first = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    node = helper.make_node("Sub", ["x", "z"], ["y"])
    graph = helper.make_graph([node], "graph", [first, given], [wanted])
    made = helper.make_model(graph, opset_imports=builders.OPSETS, ir_version=8)
    parts = (builders.tensor("z", (1, 1, 1)), builders.tensor("x"))
    outcome = run(onnx_task(made.SerializeToString(), inputs=parts))
    assert isinstance(outcome, Finished)
    (answer,) = tensors.to_arrays(tensors.decode(outcome.output)).values()
    assert answer.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ((b"garbage",), "not MessagePack"),
        ((builders.tensor(), builders.tensor()), "two inputs carry the tensor 'x'"),
        ((), "could not be run"),
        ((builders.tensor("unknown"),), "could not be run"),
        ((builders.tensor("x", [1]),), "could not be run"),
    ],
)
def test_wrong_inputs_are_a_failure(inputs: tuple[bytes, ...], detail: str) -> None:
    outcome = run(onnx_task(inputs=inputs))
    assert isinstance(outcome, Failed)
    assert detail in outcome.detail


@pytest.mark.parametrize("artefact", [b"", b"garbage", b"\x00" * 1000])
def test_garbage_is_a_failure_with_a_clear_sentence(artefact: bytes) -> None:
    outcome = run(onnx_task(artefact))
    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("the artefact is not an ONNX model: ")


def test_a_model_that_does_not_check_is_a_failure() -> None:
    outcome = run(onnx_task(builders.model([helper.make_node("Unheard", ["x"], ["y"])])))
    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("the model could not be run: ")


def test_a_model_that_breaks_the_rules_is_a_failure_and_never_loaded() -> None:
    node = helper.make_node("RandomNormalLike", ["x"], ["y"])
    assert run(onnx_task(builders.model([node]))) == Failed(
        "operator RandomNormalLike draws random numbers, so results would not agree", 0
    )


def test_a_model_that_answers_no_tensor_is_a_failure() -> None:
    sequence = helper.make_node("SequenceConstruct", ["x", "x"], ["y"])
    wanted = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    graph = helper.make_graph([sequence], "graph", [given], [wanted])
    made = helper.make_model(graph, opset_imports=builders.OPSETS, ir_version=8)
    assert run(onnx_task(made.SerializeToString())) == Failed("output 'y' is not a tensor", 0)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_the_runtime_cannot_use_is_a_failure_and_no_silent_fallback() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use CUDA")
    outcome = run(onnx_task(), "cuda:0")
    assert outcome == Failed(
        "the model could not be run: onnxruntime cannot use CUDAExecutionProvider on this machine",
        0,
    )
