"""Data folders as earlier programs left them: what they hold, and the program that packs one.

`python -m tests.p2pnode.storage.stored_folder` writes the folder of the schema that the code has
now; it is run once, before a schema changes, and the file stays for ever.
"""

import io
import sys
import tarfile
import tempfile
from pathlib import Path

import trio

from p2pnode.storage import JournalRecord, Note, layout, prepare_data_folder
from p2pnode.storage.database import JOURNAL_FILE, SCHEMA_VERSION
from tests.p2pnode.storage.builders import block, final, journal_in, operation, reveal, slot

STORED = Path(__file__).parent / "stored"
ROUNDS = range(1, 13)
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python knows filters since 3.11.4; the archives are our own."""


def batches() -> list[list[JournalRecord]]:
    """What the node of a stored folder had acknowledged, batch by batch."""
    made: list[list[JournalRecord]] = []
    for round_ in ROUNDS:
        records: list[JournalRecord] = [block(author, round_) for author in range(4)]
        made.append([*records, slot(round_), operation(round_), final(round_)])
    return [*made, [reveal(), Note("height", b"7")]]


def unpack(schema: int, folder: Path) -> None:
    """Puts the stored folder of a schema into an empty folder."""
    with tarfile.open(STORED / f"schema-{schema}.tar.xz") as archive:
        archive.extractall(folder, **SAFELY)  # noqa: S202  our own
    folder.chmod(0o700)


async def pack(path: Path) -> None:
    """Writes a folder whose node was killed: its log is not folded into the database yet."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_data_folder(folder)
        async with journal_in(folder) as journal:
            for records in batches():
                await journal.append(records)
            files = (JOURNAL_FILE, f"{JOURNAL_FILE}-wal", layout(folder).version.name)
            contents = {file: (folder / file).read_bytes() for file in files}
    with tarfile.open(path, "w:xz") as archive:
        for file, content in contents.items():
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    target = STORED / f"schema-{SCHEMA_VERSION}.tar.xz"
    if target.exists():
        sys.exit(f"{target.name} is there: a stored folder is never written anew")
    STORED.mkdir(exist_ok=True)
    trio.run(pack, target)
