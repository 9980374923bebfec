"""Flips single bits of a node's store, and says what the journal makes of each.

`python -m tests.support.fault_vfs.flips --flips 300` prints a table; it fails when anything was
silently wrong.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import trio

from p2pnode.storage import DamagedData, Journal, JournalRecord, Note, StorageFailed, StoredBlock
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import block, final, journal_in, operation, reveal, slot
from tests.support.fault_vfs.losses import memory_folder

FOLDED: Final = range(1, 25)
IN_LOG: Final = range(25, 49)
"""Rounds that are in the database file, and in the write-ahead log."""

HARMLESS: Final = "harmless"
REFUSED: Final = "refused at the start"
BLOCK: Final = "block, fetched again"
OWN_SLOTS: Final = "own slots, signs nothing"
OTHER: Final = "other rows, refused when read"
LAST: Final = "as if the last commit never came"
WRONG: Final = "silently wrong"


@dataclass(slots=True)
class Flips:
    """What became of the flipped bits, by file."""

    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[tuple[str, int]] = field(default_factory=list)
    """File and bit of what nobody noticed."""

    def count(self, outcome: str) -> int:
        return sum(number for (_, what), number in self.found.items() if what == outcome)


Content = dict[str, object]


async def flip_bits(flips: int, folder: Path, seed: int = 1) -> Flips:
    """Flips one bit at a time, in either file alike."""
    chance = Random(seed)  # noqa: S311  seeded, not secret
    files = await _make_store(folder)
    whole = await _read(folder, files)
    shorter = _without_last(whole)
    done = Flips()
    for _ in range(flips):
        name = chance.choice(list(files))
        bit = chance.randrange(8 * len(files[name]))
        damaged = bytearray(files[name])
        damaged[bit // 8] ^= 1 << bit % 8
        outcome = await _judge(folder, files | {name: bytes(damaged)}, whole, shorter)
        done.found[name, outcome] += 1
        if outcome == WRONG:
            done.wrong.append((name, bit))
    return done


async def _make_store(folder: Path) -> dict[str, bytes]:
    """The files of a node that was killed: older rounds are folded, newer ones in the log."""
    async with journal_in(folder) as journal:
        for round_ in FOLDED:
            await journal.append(_batch(round_))
        await journal.append([reveal(b"%d" % number) for number in range(10)])
        await journal.append([Note(str(number), b"value") for number in range(10)])
    async with journal_in(folder) as journal:
        for round_ in IN_LOG:
            await journal.append(_batch(round_))
        names = (JOURNAL_FILE, f"{JOURNAL_FILE}-wal")
        return {name: (folder / name).read_bytes() for name in names}


def _batch(round_: int) -> list[JournalRecord]:
    blocks = [block(author, round_, size_bytes=400 * author) for author in range(1, 4)]
    return [*blocks, slot(round_), operation(round_), final(round_)]


async def _judge(folder: Path, files: dict[str, bytes], whole: Content, shorter: Content) -> str:
    try:
        found = await _read(folder, files)
    except (DamagedData, StorageFailed):
        return REFUSED
    if found in (whole, shorter):
        return HARMLESS if found == whole else LAST
    kinds = {key for key, value in found.items() if isinstance(value, DamagedData)}
    others = {key for key in found.keys() - kinds if found[key] not in (whole[key], shorter[key])}
    if others or not kinds:
        return WRONG
    return _class_of(kinds, is_repaired=found["repaired"] == whole["blocks"])


def _class_of(kinds: set[str], *, is_repaired: bool) -> str:
    """What a node does when these questions end in a complaint."""
    if "own slots" in kinds:
        return OWN_SLOTS
    return BLOCK if kinds <= {"blocks", "beyond"} and is_repaired else OTHER


async def _read(folder: Path, files: dict[str, bytes]) -> Content:
    """Everything that a journal with these files says, with its complaints instead of answers."""
    _put(folder, files)
    rounds = range(FOLDED.start, IN_LOG.stop)
    async with journal_in(folder) as journal:
        found: Content = {
            "blocks": _said(lambda: [one for _, one in journal.blocks()]),
            "own slots": _said(journal.own_slots),
            "operations": _said(journal.own_operations),
            "reveals": _said(journal.prepared_reveals),
            "last final": _said(journal.last_final),
            "finals": _said(lambda: [journal.final(round_) for round_ in rounds]),
            "notes": _said(lambda: [journal.note(str(number)) for number in range(10)]),
        }
        found["beyond"] = await _beyond(journal)
        found["repaired"] = await _repair(journal, found["blocks"])
    return found


def _put(folder: Path, files: dict[str, bytes]) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _said(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except DamagedData as damage:
        return damage


async def _beyond(journal: Journal) -> object:
    try:
        return list(await journal.blocks_beyond(0, [], 10_000_000))
    except DamagedData as damage:
        return damage


async def _repair(journal: Journal, said: object) -> object:
    """Does what a node does about a damaged block: forget it, and take a fresh copy."""
    if not isinstance(said, DamagedData) or said.digest is None:
        return said
    try:
        await journal.forget_damaged(said.digest)
        rounds = range(FOLDED.start, IN_LOG.stop)
        await journal.append(blocks_of(rounds))
        blocks = [one for _, one in journal.blocks()]
    except DamagedData as damage:
        return damage
    # Where the name of a block was damaged, its place stays empty and the fresh copy comes last.
    return blocks if set(blocks) != set(blocks_of(rounds)) else blocks_of(rounds)


def blocks_of(rounds: range) -> list[StoredBlock]:
    """All blocks of some rounds, in order of acceptance."""
    return [one for r in rounds for one in _batch(r) if isinstance(one, StoredBlock)]


def _without_last(whole: Content) -> Content:
    """What the journal says when its last batch is gone: three blocks, and one row of others."""
    shorter = dict(whole)
    for key in ("blocks", "beyond", "repaired"):
        shorter[key] = _list(whole[key])[:-3]
    for key in ("own slots", "operations"):
        shorter[key] = tuple(_list(whole[key])[:-1])
    finals = _list(whole["finals"])
    return shorter | {"last final": finals[-2], "finals": [*finals[:-1], None]}


def _list(value: object) -> list[object]:
    assert isinstance(value, list | tuple)
    return list(value)


async def _run(flips: int, seed: int) -> Flips:
    with memory_folder() as folder:
        return await flip_bits(flips, folder, seed)


def main() -> None:
    """Flips bits and prints what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    done = trio.run(_run, options.flips, options.seed)
    for (name, outcome), number in sorted(done.found.items()):
        print(f"{number:6} {name:20} {outcome}")
    print(f"{len(done.wrong)} silently wrong {done.wrong}")
    raise SystemExit(bool(done.wrong))


if __name__ == "__main__":
    main()
