import onnx
import pytest
from onnx import TensorProto, helper

from p2pnode.execution.onnx_rules import RANDOM_OPERATORS, refusal
from tests.p2pnode.execution import builders


def refusal_of(*nodes: onnx.NodeProto, initializers: tuple[TensorProto, ...] = ()) -> str | None:
    model = builders.model(list(nodes), initializers=initializers)
    return refusal(onnx.load_from_string(model))


def external(name: str = "secret") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def inside_if(node: onnx.NodeProto) -> onnx.NodeProto:
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    branch = helper.make_graph([node], "branch", [], [wanted])
    return helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)


def test_a_plain_model_may_run() -> None:
    assert refusal_of(helper.make_node("Add", ["x", "x"], ["y"])) is None


@pytest.mark.parametrize("operator", sorted(RANDOM_OPERATORS))
def test_an_operator_that_draws_random_numbers_is_refused(operator: str) -> None:
    expected = f"operator {operator} draws random numbers, so results would not agree"
    node = helper.make_node(operator, ["x"], ["y"])
    assert refusal_of(node) == expected
    assert refusal_of(inside_if(node)) == expected
    assert refusal_of(inside_if(inside_if(node))) == expected


def test_a_random_operator_inside_a_function_is_refused() -> None:
    node = helper.make_node("RandomNormalLike", ["a"], ["b"])
    function = helper.make_function("own", "Noise", ["a"], ["b"], [node], builders.OPSETS)
    model = onnx.load_from_string(
        builders.model([helper.make_node("Noise", ["x"], ["y"], domain="own")])
    )
    model.functions.append(function)
    assert refusal(model) == (
        "operator RandomNormalLike draws random numbers, so results would not agree"
    )


def test_dropout_is_refused_in_training_only() -> None:
    assert refusal_of(helper.make_node("Dropout", ["x"], ["y"])) is None
    training = helper.make_node("Dropout", ["x", "", "mode"], ["y"])
    assert refusal_of(training) == "operator Dropout in training mode draws random numbers"


def test_an_unknown_operator_set_is_refused() -> None:
    node = helper.make_node("Shell", ["x"], ["y"], domain="evil")
    assert refusal_of(node) == "operator Shell belongs to the unknown operator set 'evil'"


def test_an_operator_that_reads_files_is_refused() -> None:
    node = helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft")
    assert refusal_of(node) == "operator EPContext reads files"


def test_external_data_is_refused_wherever_it_hides() -> None:
    add = helper.make_node("Add", ["x", "secret"], ["y"])
    expected = "tensor 'secret' is kept in another file; models must be complete"
    assert refusal_of(add, initializers=(external(),)) == expected
    constant = helper.make_node("Constant", [], ["y"], value=external())
    assert refusal_of(constant) == expected
    assert refusal_of(inside_if(constant)) == expected


def test_a_model_without_operators_is_refused() -> None:
    assert refusal(onnx.ModelProto()) == "the artefact is not an ONNX model: it has no operators"
