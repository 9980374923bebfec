"""One seed is one history: a node lives, loses power, comes back, loses power again.

`python -m tests.support.fault_vfs.losses --seeds 2000` plays many; `--durability NORMAL` shows that
the weaker setting loses what was acknowledged, so that the test can fail at all.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import apsw
import trio

from p2pnode.storage import DamagedData, Journal, StorageFailed, database
from tests.p2pnode.storage.builders import journal_in
from tests.support.fault_vfs.disk import Bites, Call, FaultDisk, Faults, fault_disk
from tests.support.fault_vfs.signer import PromiseBroken, Signer

CHECKPOINT_PAGES: Final = 12
"""The write-ahead log is folded into the file so often that losses hit it."""
OLD_BATCHES: Final = 8
"""Batches in a folder that is not new."""
LIFE_BATCHES: Final = 12
LIVES_MAX: Final = 3
DISK: Final = "power"


@dataclass(slots=True)
class Tally:
    """What all histories of a run did."""

    seeds: int = 0
    broken: dict[int, str] = field(default_factory=dict)
    """The seeds that showed a broken promise, and which."""
    acknowledged: int = 0
    refused: int = 0
    in_start: int = 0
    """Power losses before the journal was open."""
    in_recovery_again: int = 0
    """Power losses before the journal was open, after another loss."""
    in_end: int = 0
    """Power losses while the journal closed."""
    bites: Bites = field(default_factory=Bites)

    @property
    def bit(self) -> dict[str, int]:
        """How often each fault happened and mattered."""
        damage = self.bites.damage
        return {
            "power_losses": self.bites.power_losses,
            "in_start": self.in_start,
            "in_recovery_again": self.in_recovery_again,
            "in_end": self.in_end,
            "writes_dropped": damage.dropped,
            "writes_torn": damage.torn,
            "writes_reordered": damage.reordered,
            "names_lost": self.bites.names_lost,
            "errors": self.bites.errors,
            "no_space": self.bites.refusals,
            "appends_refused": self.refused,
        }


async def play(seeds: range, folder: Path) -> Tally:
    """Plays one history for each seed; the folder is empty and used by nobody else."""
    tally = Tally()
    with _many_checkpoints():
        old = await _old_folder(folder)
        for seed in seeds:
            tally.seeds += 1
            try:
                await _play(seed, folder, old, tally)
            except (PromiseBroken, DamagedData) as broken:  # a loss of power damages nothing
                tally.broken[seed] = str(broken)
    return tally


@contextmanager
def memory_folder() -> Iterator[Path]:
    """An empty folder in memory where there is one: what survives is decided here, not there."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def durability(setting: str) -> Iterator[None]:
    """Opens journals with another setting of the database for the length of a block."""
    usual, database.DURABILITY = database.DURABILITY, setting
    try:
        yield
    finally:
        database.DURABILITY = usual


@contextmanager
def _many_checkpoints() -> Iterator[None]:
    """Also keeps Python from printing the errors that SQLite does not pass on."""

    def configure(connection: apsw.Connection) -> None:
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)

    usual, sys.unraisablehook = sys.unraisablehook, _say_unless_faulty
    apsw.connection_hooks.append(configure)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(configure)
        sys.unraisablehook = usual


def _say_unless_faulty(error: "sys.UnraisableHookArgs") -> None:
    if not isinstance(error.exc_value, apsw.Error):
        sys.__unraisablehook__(error)


@dataclass(frozen=True, slots=True)
class _Old:
    """A folder in which a node has lived before, and what that node knows."""

    contents: dict[str, bytes]
    signer: Signer


async def _old_folder(folder: Path) -> _Old:
    """Lets a node live without faults, and takes its files while it runs."""
    signer = Signer(Random(0))  # noqa: S311  seeded, not secret
    with fault_disk(DISK, folder) as disk:
        async with journal_in(folder, vfs=DISK) as journal:
            for _ in range(OLD_BATCHES):
                assert await signer.sign(journal)
            contents = disk.contents()
    return _Old(contents, signer)


async def _play(seed: int, folder: Path, old: _Old, tally: Tally) -> None:
    chance = Random(seed)  # noqa: S311  seeded, not secret
    is_new = chance.random() < 0.2
    signer = Signer(chance)
    with fault_disk(DISK, folder, seed) as disk:
        disk.load({} if is_new else old.contents)
        if not is_new:
            signer.sent = dict(old.signer.sent)
            signer.acknowledged = list(old.signer.acknowledged)
            signer.made = old.signer.made
        lives = 1 + chance.randrange(LIVES_MAX)
        try:
            for life in range(lives):
                disk.faults = _faults(chance)
                await _live(disk, folder, signer, tally, life)
                disk.restart()
            async with journal_in(folder, vfs=DISK) as journal:
                signer.check(journal)
                assert await signer.sign(journal), "a sound disk refused"
        finally:
            tally.acknowledged += len(signer.acknowledged)
            tally.refused += signer.refused
            _add(tally.bites, disk.bites)


def _faults(chance: Random) -> Faults:
    """Draws what goes wrong in a life: always the power, at times something else before."""
    longest = chance.choice((6, 40, 160))
    faults = Faults(power_loss_in=1 + chance.randrange(longest))
    kind = chance.randrange(8)
    if kind == 0:
        faults.failing = frozenset({chance.choice((Call.WRITE, Call.SYNC, Call.READ))})
    elif kind == 1:
        faults.capacity_bytes = chance.randrange(4_096, 160_000)
    return faults


async def _live(disk: FaultDisk, folder: Path, signer: Signer, tally: Tally, life: int) -> None:
    """Opens, checks, signs until the power goes or the life is over, and closes."""
    was_open = was_dead = False
    is_failing = bool(disk.faults.failing) or disk.faults.capacity_bytes is not None
    try:
        async with journal_in(folder, vfs=DISK) as journal:
            was_open = True
            disk.sync_names()  # the journal syncs its folder, which SQLite does not see
            signer.check(journal)
            await _sign_some(disk, journal, signer)
            was_dead = disk.is_dead
    except StorageFailed:
        if not disk.is_dead and not is_failing:
            raise
    tally.in_start += disk.is_dead and not was_open
    tally.in_recovery_again += disk.is_dead and not was_open and life > 0
    tally.in_end += disk.is_dead and was_open and not was_dead


async def _sign_some(disk: FaultDisk, journal: Journal, signer: Signer) -> None:
    for _ in range(signer.chance.randrange(LIFE_BATCHES)):
        if not await signer.sign(journal) and disk.is_dead:
            return
        disk.faults.failing = frozenset()


def _add(total: Bites, one: Bites) -> None:
    for name in ("power_losses", "names_lost", "errors", "refusals"):
        setattr(total, name, getattr(total, name) + getattr(one, name))
    for name in ("dropped", "torn", "reordered"):
        setattr(total.damage, name, getattr(total.damage, name) + getattr(one.damage, name))


def main() -> None:
    """Plays seeds and prints what they did; fails when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--durability", choices=("FULL", "NORMAL"), default="FULL")
    options = parser.parse_args()
    begun = time.monotonic()
    with memory_folder() as folder, durability(options.durability):
        seeds = range(options.first, options.first + options.seeds)
        tally = trio.run(play, seeds, folder)
    seconds = time.monotonic() - begun
    print(f"{tally.seeds} seeds in {seconds:.1f} s, {tally.acknowledged} records acknowledged")
    print(", ".join(f"{name} {count}" for name, count in tally.bit.items()))
    print(f"{len(tally.broken)} seeds broke a promise")
    for seed, what in list(tally.broken.items())[:10]:
        print(f"  seed {seed}: {what}")
    raise SystemExit(bool(tally.broken))


if __name__ == "__main__":
    main()
