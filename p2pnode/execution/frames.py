"""What the runner and its worker say to each other over pipes: one task there, one outcome back.

A frame is eight bytes of little-endian length and a MessagePack body. The runner does not trust
the worker: what it decodes came from a process that opened a foreign artefact.
"""

import struct
from dataclasses import astuple
from typing import assert_never

import msgpack

from p2pnode.interfaces import (
    Failed,
    Finished,
    Limit,
    LimitReached,
    NoResult,
    RunOutcome,
    Stretch,
    Task,
)

HEADER = struct.Struct("<Q")
"""Length of the body in bytes."""

READY = b"R"
"""The first byte a worker writes: its libraries are loaded and it waits for a task. Its sandbox
level follows, as one byte."""

DETAIL_CHARACTERS_MAX = 500
"""Characters of a failure's detail: enough for a runtime's message, too few to flood a log."""

OVERHEAD_BYTES = 4096
"""Bytes of an outcome's body beside its output and its trace."""

DIGEST_BYTES = 32
"""Of what one step left."""

SLACK_BYTES = 64 * 2**20
"""Memory the runtimes need beside what the artefact allocates: compiled code, parsed models."""


GPU_SLACK_BYTES = 2 * 2**30
"""More memory for the libraries of a GPU's driver, which a worker loads with its task. Nobody has
measured them with this project: it is what is said of CUDA and cuDNN together, and ample."""

METERED_KIND = "wasm"
"""The kind whose runtime counts fuel."""

MEMORY_BYTES_MAX = 2**48
"""More than any machine here can address: a peak above it is a lie."""


class FrameError(ValueError):
    """The bytes are not what the other side should have sent."""


def ready(level: int) -> bytes:
    """Write what a worker says when it waits for its task."""
    return READY + bytes([level])


def encode_task(task: Task) -> bytes:
    """Write the frame that starts a worker."""
    body: bytes = msgpack.packb(
        [
            task.name,
            task.kind,
            task.artefact,
            list(task.inputs),
            task.time_limit_ms,
            task.memory_limit_bytes,
            task.output_limit_bytes,
            task.fuel_limit,
            None if task.stretch is None else list(astuple(task.stretch)),
        ]
    )
    return HEADER.pack(len(body)) + body


def decode_task(body: bytes) -> Task:
    """Read the body of a task's frame; it comes from the runner and is trusted."""
    name, kind, artefact, inputs, time, memory, output, fuel, stretch = msgpack.unpackb(
        body, use_list=False
    )
    steps = None if stretch is None else Stretch(*stretch)
    return Task(name, kind, artefact, inputs, time, memory, output, fuel, steps)


def encode_outcome(outcome: RunOutcome) -> bytes:
    """Write the frame that ends a worker; times are the runner's to measure."""
    match outcome:
        case Finished():
            row = [
                *("finished", outcome.output, outcome.fuel, outcome.peak_memory_bytes),
                outcome.trace,
            ]
        case LimitReached():
            row = ["limit", outcome.limit.value, outcome.fuel]
        case Failed():
            row = ["failed", outcome.detail[:DETAIL_CHARACTERS_MAX]]
        case NoResult():
            row = ["none", outcome.detail[:DETAIL_CHARACTERS_MAX]]
        case _:
            assert_never(outcome)
    body: bytes = msgpack.packb(row)
    return HEADER.pack(len(body)) + body


def decode_outcome(body: bytes, elapsed_ms: int, fuel_max: int, trace_bytes: int = 0) -> RunOutcome:
    """Read the body of an outcome's frame, trusting nothing.

    Args:
        body: What the worker sent.
        elapsed_ms: As the runner measured it.
        fuel_max: What the task may burn: others would not open a result that claims more.
        trace_bytes: What the digests of all its steps take.

    Raises:
        FrameError: if it is not an outcome.
    """
    try:
        row = msgpack.unpackb(body, use_list=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise FrameError(f"the worker's answer is not MessagePack: {error}") from error
    match row:
        case ("finished", bytes(output), int(fuel), int(peak), bytes(trace)) if (
            _is_within(fuel, fuel_max)
            and _is_within(peak, MEMORY_BYTES_MAX)
            and len(trace) == trace_bytes
        ):
            return Finished(output, elapsed_ms, fuel, peak, trace)
        case ("limit", str(limit), int(fuel)) if _is_within(fuel, fuel_max) and limit in {
            member.value for member in Limit
        }:
            return LimitReached(Limit(limit), elapsed_ms, fuel)
        case ("failed", str(detail)):
            return Failed(detail[:DETAIL_CHARACTERS_MAX], elapsed_ms)
        case ("none", str(detail)):
            return NoResult(detail[:DETAIL_CHARACTERS_MAX], elapsed_ms)
    raise FrameError("the worker's answer is not an outcome")


def fuel_max_of(task: Task) -> int:
    """Say how much fuel a task can burn: none where its kind does not meter it."""
    return task.fuel_limit if task.kind == METERED_KIND else 0


def answer_bytes_max(task: Task) -> int:
    """Say how long the body of a task's outcome can be."""
    return task.output_limit_bytes + trace_bytes_of(task) + OVERHEAD_BYTES


def trace_bytes_of(task: Task) -> int:
    """Say how long the trace of a task is: a digest for each of its steps."""
    return task.stretch.steps * DIGEST_BYTES if task.stretch is not None else 0


def _is_within(count: int, most: int) -> bool:
    return not isinstance(count, bool) and 0 <= count <= most


def allowance_bytes(task: Task) -> int:
    """Say by how much a worker may grow for a task.

    The limit that the job declares is the artefact's own; reading the task and copying its inputs
    and its output is the runtime's business and must not count against it.
    """
    carried = len(task.artefact) + sum(len(data) for data in task.inputs)
    if task.stretch is not None:
        carried += len(task.stretch.given) + trace_bytes_of(task)
    return task.memory_limit_bytes + SLACK_BYTES + 3 * carried + 3 * task.output_limit_bytes
