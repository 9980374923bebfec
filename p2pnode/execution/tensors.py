"""The encoding of named tensors: what an `onnx` artefact reads and writes.

A MessagePack array of `[name, dtype, shape, bytes]`, the bytes little-endian in row-major order.
Plain Python at module level, so that clients and examples need no numpy to speak it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    import numpy as np

ITEM_BYTES = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
}
"""Element types and the bytes of one element; text and objects have no place in a tensor here."""

TENSORS_MAX = 256
"""Tensors in one encoding: more than any model we know has inputs or outputs."""

RANK_MAX = 8
"""Dimensions of one tensor: what the runtimes' kernels are written for."""

NAME_BYTES_MAX = 256
"""UTF-8 bytes of a tensor's name."""


class TensorError(ValueError):
    """The bytes are no tensors, or the tensors cannot be encoded; the text says why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named array."""

    name: str
    dtype: str
    """A key of `ITEM_BYTES`."""
    shape: tuple[int, ...]
    data: bytes
    """Elements in row-major order, little-endian."""


def encode(tensors: Iterable[Tensor]) -> bytes:
    """Write tensors in the order given.

    Raises:
        TensorError: if a tensor is not well formed or there are too many.
    """
    listed = tuple(tensors)
    _check(listed)
    packed: bytes = msgpack.packb([[t.name, t.dtype, list(t.shape), t.data] for t in listed])
    return packed


def decode(encoded: bytes) -> tuple[Tensor, ...]:
    """Read tensors, trusting nothing.

    Raises:
        TensorError: if the bytes are not an encoding of well-formed tensors.
    """
    try:
        rows = msgpack.unpackb(encoded, use_list=False)
    except (ValueError, msgpack.UnpackException, UnicodeDecodeError) as error:
        raise TensorError(f"the bytes are not MessagePack: {error}") from error
    if not isinstance(rows, tuple) or len(rows) > TENSORS_MAX:
        raise TensorError(f"tensors must be an array of at most {TENSORS_MAX}")
    tensors = tuple(_from_row(row) for row in rows)
    _check(tensors)
    return tensors


def to_arrays(tensors: Iterable[Tensor]) -> "dict[str, np.ndarray[Any, Any]]":
    """Make numpy arrays of tensors, by name."""
    import numpy  # noqa: PLC0415 - only workers and clients with numpy come here

    return {
        tensor.name: numpy.frombuffer(
            tensor.data, dtype=numpy.dtype(tensor.dtype).newbyteorder("<")
        ).reshape(tensor.shape)
        for tensor in tensors
    }


def from_array(name: str, array: "np.ndarray[Any, Any]") -> Tensor:
    """Make a tensor of a numpy array.

    Raises:
        TensorError: if its element type has no place in `ITEM_BYTES`.
    """
    dtype = array.dtype.name
    if dtype not in ITEM_BYTES:
        raise TensorError(f"tensor {name!r} has elements of type {dtype}, which is not supported")
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return Tensor(name, dtype, tuple(array.shape), little_endian.tobytes(order="C"))


def _from_row(row: object) -> Tensor:
    match row:
        case (str(name), str(dtype), tuple(shape), bytes(data)):
            if all(type(length) is int for length in shape):
                return Tensor(name, dtype, shape, data)
    raise TensorError("a tensor must be [name, dtype, shape, bytes]")


def _check(tensors: tuple[Tensor, ...]) -> None:
    if len(tensors) > TENSORS_MAX:
        raise TensorError(f"more than {TENSORS_MAX} tensors")
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise TensorError("two tensors have the same name")
    for tensor in tensors:
        _check_one(tensor)


def _check_one(tensor: Tensor) -> None:
    if len(tensor.name.encode()) > NAME_BYTES_MAX:
        raise TensorError(f"a tensor's name is longer than {NAME_BYTES_MAX} bytes")
    if tensor.dtype not in ITEM_BYTES:
        raise TensorError(f"tensor {tensor.name!r} has the unknown type {tensor.dtype!r}")
    if len(tensor.shape) > RANK_MAX or any(length < 0 for length in tensor.shape):
        raise TensorError(f"tensor {tensor.name!r} has an impossible shape {tensor.shape}")
    wanted = ITEM_BYTES[tensor.dtype]
    for length in tensor.shape:
        wanted *= length
    if wanted != len(tensor.data):
        raise TensorError(
            f"tensor {tensor.name!r} of shape {tensor.shape} needs {wanted} bytes "
            f"and has {len(tensor.data)}"
        )
