import os
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from p2pnode.execution import kind_onnx, tensors
from p2pnode.interfaces import Failed, Finished, NoResult, RunOutcome, Task
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


def test_a_device_that_the_runtime_cannot_use_is_no_result_and_no_silent_fallback() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use CUDA")
    outcome = run(onnx_task(), "cuda:0")
    assert outcome == NoResult("onnxruntime cannot use CUDAExecutionProvider on this machine", 0)


def test_a_provider_that_is_there_and_does_not_start_is_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Fallen:
        """What the runtime gives for CUDA when its libraries are missing."""

        def __init__(self, model: bytes, options: object, providers: list[str]) -> None:
            assert providers == ["CUDAExecutionProvider"]

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(kind_onnx.ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(kind_onnx.ort, "InferenceSession", Fallen)
    assert run(onnx_task(), "cuda:0") == NoResult(
        "onnxruntime cannot use CUDAExecutionProvider on this machine", 0
    )


def test_a_gpu_run_may_not_use_the_processor_for_single_operators() -> None:
    entry = "session.disable_cpu_ep_fallback"
    assert kind_onnx.session_options("cuda:0").get_session_config_entry(entry) == "1"
    with pytest.raises(RuntimeError):
        kind_onnx.session_options("cpu").get_session_config_entry(entry)


def test_what_the_runtime_says_of_a_forbidden_fallback_is_understood() -> None:
    # No provider but the processor's is here: one that can do nothing is asked to do it alone.
    options = kind_onnx.session_options("cuda:0")
    with pytest.raises(kind_onnx.RUNTIME_ERRORS) as caught:
        onnxruntime.InferenceSession(
            builders.model(), options, providers=["AzureExecutionProvider"]
        )
    assert kind_onnx.FALLBACK_PHRASE in str(caught.value).lower()


def test_the_list_of_providers_is_given_and_never_the_runtimes_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []
    real = onnxruntime.InferenceSession

    def recording(*arguments: object, **named: object) -> object:
        asked.append(named["providers"])
        return real(*arguments, **named)

    monkeypatch.setattr(kind_onnx.ort, "InferenceSession", recording)
    assert isinstance(run(onnx_task()), Finished)
    assert asked == [["CPUExecutionProvider"]]


def test_int8_products_do_not_saturate() -> None:
    options = kind_onnx.session_options("cpu")
    assert options.get_session_config_entry("session.x64quantprecision") == "1"
    assert _int8_product() == 255 * 127 * 64


def _int8_product() -> int:
    """A product whose 16-bit partial sums would overflow: 255 times 127, 64 times."""
    weights = helper.make_tensor("w", TensorProto.INT8, [64, 1], [127] * 64)
    given = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 64])
    wanted = helper.make_tensor_value_info("y", TensorProto.INT32, None)
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "graph", [given], [wanted], [weights])
    made = helper.make_model(graph, opset_imports=builders.OPSETS, ir_version=8)
    data = tensors.encode([tensors.from_array("x", np.full((1, 64), 255, np.uint8))])
    outcome = run(onnx_task(made.SerializeToString(), inputs=(data,)))
    assert isinstance(outcome, Finished)
    return int(tensors.to_arrays(tensors.decode(outcome.output))["y"][0, 0])


@pytest.mark.slow
def test_telemetry_is_off_before_the_runtime_is_imported() -> None:
    script = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime': print(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Finder())\n"
        "import p2pnode.execution.kind_onnx\n"
    )
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=builders.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert found.stdout == "1\n"


def test_constants_are_computed_while_a_model_loads_so_loading_is_inside_the_worker() -> None:
    # The premise of a bomb in the runner's tests: without folding it would show nothing.
    model = builders.folding_model(side=400, products=40)
    plain = kind_onnx.session_options("cpu")
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    begun = time.process_time()
    onnxruntime.InferenceSession(model, plain, providers=["CPUExecutionProvider"])
    without = time.process_time() - begun
    kind_onnx._session(model, "cpu")
    assert time.process_time() - begun - without > 5 * without


def test_the_processor_that_poses_as_a_gpu_computes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, made, ran = onnxruntime.InferenceSession, list[object](), list[object]()

    def posing(model: bytes, options: object, providers: list[str]) -> object:
        assert providers == ["CUDAExecutionProvider"]
        made.append(real(model, providers=["CPUExecutionProvider"]))
        return made[-1]

    monkeypatch.setattr(kind_onnx.ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(kind_onnx.ort, "InferenceSession", posing)
    monkeypatch.setattr(kind_onnx, "infer", lambda *arguments: ran.append(arguments) or [])
    outcome = run(onnx_task(), "cuda:0")
    assert outcome == NoResult("onnxruntime cannot use CUDAExecutionProvider on this machine", 0)
    assert made, "a whole session of the real runtime stood there"
    assert ran == []


@pytest.mark.parametrize(
    "message",
    [
        "CUDA failure 719: unspecified launch failure",
        "CUDNN_STATUS_EXECUTION_FAILED",
        "Failed to allocate memory for requested buffer of size 4096",
    ],
)
def test_what_a_gpu_cannot_do_is_no_result_of_the_model(message: str) -> None:
    def compute() -> bytes:
        raise RuntimeError(message)

    outcome = kind_onnx.outcome_of(compute, "cuda:0")
    assert outcome == NoResult(f"the GPU could not run the model: {message}", 0)
    assert not isinstance(kind_onnx.outcome_of(compute, "cpu"), NoResult)


def test_a_model_that_is_wrong_is_a_failure_on_a_gpu_too() -> None:
    def compute() -> bytes:
        raise RuntimeError("Invalid rank for input: x")

    assert isinstance(kind_onnx.outcome_of(compute, "cuda:0"), Failed)
