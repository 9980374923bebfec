"""A worker that runs the job and then claims another output, alone or together with others."""

import secrets
from dataclasses import replace
from hashlib import blake2b

from p2pnode.executions import Run
from p2pnode.interfaces import Finished, RunOutcome, Task

CONSPIRACY = b"every colluding liar tells the same lie"


def lying(run: Run, *, together: bool) -> Run:
    """Wrap a run so that a finished one reports an altered output.

    Args:
        run: The true run; it is done, since a lie has to arrive when the truth would.
        together: Whether all such liars of a network tell the same lie about a job.
    """
    secret = CONSPIRACY if together else secrets.token_bytes(32)

    async def lie(task: Task) -> RunOutcome:
        outcome = await run(task)
        if not isinstance(outcome, Finished):
            return outcome
        return replace(outcome, output=altered(outcome.output, secret + task.name.encode()))

    return lie


def altered(output: bytes, key: bytes) -> bytes:
    """Flip bits of one to four of the last bytes, of which ones and how the key decides."""
    if not output:
        return b"\0"
    changed = bytearray(output)
    masks = blake2b(key, digest_size=min(4, len(output))).digest()
    for offset, mask in enumerate(masks, start=1):
        changed[-offset] ^= mask or 0xFF
    return bytes(changed)
