"""Feeds spoiled bytes to everything here that decodes: `python -m tests.hostile.decoding`.

A decoder answers with a value or with its own rejection; any other exception is a finding, and is
printed with the bytes that caused it.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import onnx
from google.protobuf.message import DecodeError

from p2pnode.execution import frames, tensors
from p2pnode.execution.onnx_rules import refusal
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached
from p2pnode.job_file import JobFileError, parse_job
from protocol.errors import Rejected
from tests.fuzz import test_bytes as wire
from tests.hostile.mutation import spoiled
from tests.p2pnode.execution import builders

JOB_FILE = builders.ROOT / "examples" / "01_wasm" / "job.toml"


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder, what it should take, and how it says no."""

    name: str
    seeds: tuple[bytes, ...]
    opens: Callable[[bytes], object]
    rejections: tuple[type[Exception], ...]
    share: int = 1
    """How often it is chosen among the others."""


@dataclass(slots=True)
class Count:
    """What one target answered."""

    accepted: int = 0
    rejected: int = 0


class FoundError(AssertionError):
    """A decoder raised what it should not."""


def run(count: int, seed: int) -> dict[str, Count]:
    """Feed that many inputs, the same ones for the same seed.

    Raises:
        FoundError: with the target and the bytes, for the first exception that is no rejection.
    """
    stream = random.Random(seed)  # noqa: S311 - test data
    chosen = [target for target in targets() for _ in range(target.share)]
    counts = {target.name: Count() for target in chosen}
    for _ in range(count):
        target = stream.choice(chosen)
        raw = spoiled(stream, target.seeds)
        try:
            target.opens(raw)
        except target.rejections:
            counts[target.name].rejected += 1
        except Exception as error:
            raise FoundError(f"{target.name} raised {error!r} for {raw.hex()}") from error
        else:
            counts[target.name].accepted += 1
    return counts


def targets() -> Iterator[Target]:
    """Everything here that reads what somebody else wrote."""
    outcomes = (Finished(b"output", 7, 5, 1000), LimitReached(Limit.TIME, 7, 3), Failed("why", 7))
    answers = tuple(frames.encode_outcome(one)[frames.HEADER.size :] for one in outcomes)
    yield Target("outcome", answers, _open_outcome, (frames.FrameError,), 8)
    given = (builders.tensor(), builders.tensor("y", (1.0,) * 40), tensors.encode([]))
    yield Target("tensors", given, _open_tensors, (tensors.TensorError,), 6)
    models = (builders.model(), builders.endless_model(), builders.hungry_model())
    yield Target("model", models, _open_model, (DecodeError, ValueError, TypeError), 2)
    texts = (JOB_FILE.read_bytes(),)
    yield Target("job file", texts, _open_job_file, (JobFileError,), 1)
    signed = (wire.BLOCK, wire.OPERATION, wire.CERTIFICATE, *wire.MESSAGES, *wire.TOLD)
    for opens in wire.DECODERS:
        yield Target(opens.__name__, signed, opens, (Rejected,), 4)


def _open_outcome(raw: bytes) -> object:
    return frames.decode_outcome(raw, 7, 5)


def _open_tensors(raw: bytes) -> object:
    return tensors.to_arrays(tensors.decode(raw))


def _open_model(raw: bytes) -> object:
    return refusal(onnx.load_from_string(raw))


def _open_job_file(raw: bytes) -> object:
    return parse_job(raw.decode(errors="replace"), JOB_FILE.parent)


def main() -> int:
    """Run and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.decoding")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun = time.monotonic()
    try:
        counts = run(arguments.count, arguments.seed)
    except FoundError as found:
        print(found)
        return 1
    for name, count in counts.items():
        print(f"{name:<24} {count.accepted:>9} accepted {count.rejected:>9} rejected")
    total = sum(count.accepted + count.rejected for count in counts.values())
    print(
        f"{total} executions in {time.monotonic() - begun:.0f} s, seed {arguments.seed}, no finding"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
