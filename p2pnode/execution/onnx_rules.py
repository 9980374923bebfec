"""Which ONNX models may run at all; imported by worker processes only.

A model must be complete in its own bytes and give the same answer twice.
"""

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator sets that the runtime itself implements for inference."""

RANDOM_OPERATORS = frozenset(
    {
        "Bernoulli",
        "BiasDropout",
        "BitmaskBiasDropout",
        "BitmaskDropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Sampling",
    }
)
"""Operators that draw random numbers: no two nodes would agree on their results."""

FILE_OPERATORS = frozenset({"EPContext"})
"""Operators that name files."""

TRAINING_MODE_INPUT = 2
"""Where Dropout takes the flag that makes it draw random numbers."""


def refusal(model: ModelProto) -> str | None:
    """Say why a model may not run, or None if it may."""
    if not model.graph.node:
        return "the artefact is not an ONNX model: it has no operators"
    functions = frozenset((function.domain, function.name) for function in model.functions)
    for node in _all_nodes(model):
        problem = _node_problem(node, functions)
        if problem is not None:
            return problem
    for tensor in _all_tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            return f"tensor {tensor.name!r} is kept in another file; models must be complete"
    return None


def _node_problem(node: NodeProto, functions: frozenset[tuple[str, str]]) -> str | None:
    if node.domain not in DOMAINS and (node.domain, node.op_type) not in functions:
        return f"operator {node.op_type} belongs to the unknown operator set {node.domain!r}"
    if node.op_type in RANDOM_OPERATORS:
        return f"operator {node.op_type} draws random numbers, so results would not agree"
    if node.op_type == "Dropout" and any(node.input[TRAINING_MODE_INPUT:]):
        return "operator Dropout in training mode draws random numbers"
    if node.op_type in FILE_OPERATORS:
        return f"operator {node.op_type} reads files"
    return None


def _all_graphs(model: ModelProto) -> Iterator[GraphProto]:
    """Walk every graph, those inside operators and functions too, without recursion."""
    waiting = [model.graph]
    for function in model.functions:
        waiting.extend(_subgraphs(function.node))
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting.extend(_subgraphs(graph.node))


def _subgraphs(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from attribute.graphs
            if attribute.HasField("g"):
                yield attribute.g


def _all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    for graph in _all_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in _all_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _all_nodes(model):
        for attribute in node.attribute:
            yield from _attribute_tensors(attribute)


def _attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    yield from (attribute.t, *attribute.tensors)
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)
