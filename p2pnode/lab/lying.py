"""A worker that runs the job and then claims another output, alone or together with others."""

import secrets
from dataclasses import replace
from hashlib import blake2b

from p2pnode.execution import tensors
from p2pnode.executions import Run
from p2pnode.interfaces import Finished, RunOutcome, Stretch, Task

DIGEST_BYTES = 32
CONSPIRACY = b"every colluding liar tells the same lie"


def lying(run: Run, *, together: bool) -> Run:
    """Wrap a run so that a finished one reports an altered output.

    Args:
        run: The true run; it is done, since a lie has to arrive when the truth would.
        together: Whether all such liars of a network tell the same lie about a job.
    """
    secret = CONSPIRACY if together else secrets.token_bytes(32)

    async def lie(task: Task) -> RunOutcome:
        key = secret + task.name.encode()
        if task.stretch is not None:
            return await _lie_in_one_step(run, task, task.stretch, key)
        outcome = await run(task)
        if not isinstance(outcome, Finished):
            return outcome
        return replace(outcome, output=altered(outcome.output, key))

    return lie


async def _lie_in_one_step(run: Run, task: Task, stretch: Stretch, key: bytes) -> RunOutcome:
    """Do one step wrongly, which one the key decides, and go on honestly from what it left."""
    chance = int.from_bytes(blake2b(key, digest_size=8).digest())
    middle = stretch.first + chance % stretch.steps + 1
    begun = await run(replace(task, stretch=replace(stretch, last=middle)))
    if not isinstance(begun, Finished):
        return begun
    wrong = _slightly_wrong(begun.output, chance)
    trace = begun.trace[:-DIGEST_BYTES] + blake2b(wrong, digest_size=DIGEST_BYTES).digest()
    if middle == stretch.last:
        return replace(begun, output=wrong, trace=trace)
    ended = await run(replace(task, stretch=Stretch(middle, stretch.last, wrong)))
    if not isinstance(ended, Finished):
        return ended
    elapsed_ms, fuel = begun.elapsed_ms + ended.elapsed_ms, begun.fuel + ended.fuel
    return replace(ended, elapsed_ms=elapsed_ms, fuel=fuel, trace=trace + ended.trace)


def _slightly_wrong(left: bytes, chance: int) -> bytes:
    """Change the lowest bit of one number of the first tensor, or of any byte where none are."""
    try:
        first, *others = tensors.decode(left)
    except ValueError:
        return _with_flipped_bit(left, chance % len(left)) if left else b"\0"
    size_bytes = tensors.ITEM_BYTES[first.dtype]
    number = chance % max(1, len(first.data) // size_bytes)
    data = _with_flipped_bit(first.data, number * size_bytes)
    return tensors.encode([replace(first, data=data), *others])


def _with_flipped_bit(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else data


def altered(output: bytes, key: bytes) -> bytes:
    """Flip bits of one to four of the last bytes, of which ones and how the key decides."""
    if not output:
        return b"\0"
    changed = bytearray(output)
    masks = blake2b(key, digest_size=min(4, len(output))).digest()
    for offset, mask in enumerate(masks, start=1):
        changed[-offset] ^= mask or 0xFF
    return bytes(changed)
