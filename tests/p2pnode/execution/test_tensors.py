import msgpack
import numpy as np
import pytest

from p2pnode.execution.tensors import (
    ITEM_BYTES,
    RANK_MAX,
    TENSORS_MAX,
    Tensor,
    TensorError,
    decode,
    encode,
    from_array,
    to_arrays,
)

GOOD = Tensor("x", "int16", (2, 1), b"\x01\x00\x02\x00")


def test_tensors_survive_encoding_in_their_order() -> None:
    other = Tensor("a", "bool", (), b"\x01")
    assert decode(encode([GOOD, other])) == (GOOD, other)


def test_the_encoding_is_messagepack_of_name_type_shape_and_bytes() -> None:
    assert encode([GOOD]) == msgpack.packb([["x", "int16", [2, 1], b"\x01\x00\x02\x00"]])


@pytest.mark.parametrize("dtype", sorted(ITEM_BYTES))
def test_arrays_of_every_type_survive(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    (name, back), *_ = to_arrays(decode(encode([from_array("x", array)]))).items()
    assert (name, back.dtype, back.tolist()) == ("x", array.dtype, array.tolist())


def test_an_array_in_another_memory_order_is_encoded_by_rows() -> None:
    array = np.asfortranarray(np.arange(6, dtype=np.int8).reshape(2, 3))
    assert from_array("x", array).data == bytes(range(6))


def test_text_arrays_are_refused() -> None:
    with pytest.raises(TensorError, match="not supported"):
        from_array("x", np.array(["text"]))


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "not MessagePack"),
        (b"\xc1", "not MessagePack"),
        (msgpack.packb([]) + b"\x00", "not MessagePack"),
        (msgpack.packb({}), "must be an array"),
        (msgpack.packb([1]), r"must be \[name"),
        (msgpack.packb([["x", "int8", [1]]]), r"must be \[name"),
        (msgpack.packb([["x", "int8", [True], b"1"]]), r"must be \[name"),
        (msgpack.packb([["x", "text", [1], b"1"]]), "unknown type"),
        (msgpack.packb([["x", "int8", [-1], b""]]), "impossible shape"),
        (msgpack.packb([["x", "int8", [1] * (RANK_MAX + 1), b"1"]]), "impossible shape"),
        (msgpack.packb([["x", "int8", [2**62, 2**62], b"1"]]), "needs"),
        (msgpack.packb([["x", "int8", [2], b"1"]]), "needs 2 bytes and has 1"),
        (msgpack.packb([["x" * 257, "int8", [1], b"1"]]), "name is longer"),
        (msgpack.packb([["x", "int8", [1], b"1"]] * 2), "same name"),
        (msgpack.packb([["x", "int8", [1], b"1"]] * (TENSORS_MAX + 1)), "at most"),
    ],
)
def test_bytes_that_are_no_tensors_are_refused(encoded: bytes, reason: str) -> None:
    with pytest.raises(TensorError, match=reason):
        decode(encoded)
