"""Which artifacts are outputs of which jobs, and since when: an empty file for each pair.

The name of a file says it all, so that one look at the folder after a restart tells what has to
stay: the output of an open job, and that of an ended one for as long as the operator keeps it.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from p2pnode.storage.disk import PRIVATE_FILE, PRIVATE_FOLDER, disk_errors
from protocol.units import DIGEST_BYTES

OUTPUTS = "outputs"
NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True, order=True)
class KeptOutput:
    """An artifact that a job made."""

    made_ns: int
    """Nanoseconds of the Unix clock."""
    digest: bytes
    job: bytes


def find_outputs(folder: Path) -> list[KeptOutput]:
    """Lists the outputs that are kept, the oldest first.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        (folder / OUTPUTS).mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        return sorted(_outputs(folder))


def _outputs(folder: Path) -> Iterator[KeptOutput]:
    for path in (folder / OUTPUTS).iterdir():
        with suppress(ValueError):
            digest, job = map(bytes.fromhex, path.name.split("."))
            if len(digest) == DIGEST_BYTES == len(job):
                yield KeptOutput(path.stat().st_mtime_ns, digest, job)


def note_output(folder: Path, digest: bytes, job: bytes) -> KeptOutput:
    """Writes down that a job made an artifact, now.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        _path(folder, digest, job).touch(PRIVATE_FILE)
    return KeptOutput(time.time_ns(), digest, job)


def forget_output(folder: Path, kept: KeptOutput) -> None:
    """Strikes an output off; one that is gone already is fine.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        _path(folder, kept.digest, kept.job).unlink(missing_ok=True)


def _path(folder: Path, digest: bytes, job: bytes) -> Path:
    return folder / OUTPUTS / f"{digest.hex()}.{job.hex()}"
