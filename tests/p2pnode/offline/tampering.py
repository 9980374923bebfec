"""Ten ways to tamper with an export, each of another kind, and what the audit names.

`python -m tests.p2pnode.offline.tampering` prints the table of `docs/AUDIT.md`.
"""

import contextlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace as with_fields

from p2pnode.cli.entry import main as p2pnode
from p2pnode.offline.export_file import (
    Entry,
    ExportWriter,
    Frame,
    Header,
    RecordedPage,
    Trailer,
    read_frames,
)
from protocol.balances import Account
from protocol.compact import pack, unpack
from protocol.encoding import decode, encode
from protocol.entries import (
    ACCOUNT,
    EPOCHS,
    HEADER,
    JOB,
    PENALTIES,
    REPUTATION,
    VALUE_BYTES_MAX,
    Kind,
)
from protocol.job.record import Job
from protocol.messages import SignedBlock, StakeWithdrawal
from protocol.parameters import minimal
from protocol.snapshot import decode_pages, encode_pages
from protocol.units import SECOND, Credits, Digest, Milliseconds, Weight
from tests.p2pnode.offline.builders import Town, founded, settle_into
from tests.support.builders import STAKE, account_id, make_offer
from tests.support.contradiction import contradict

Change = Callable[[list[Frame]], list[Frame]]
Key = TypeVar("Key", bound=bytes)
Value = TypeVar("Value")
LEAVER = 1
DIGITS = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Tampering:
    """One thing changed by somebody who can make every checksum fit, and sign for nobody."""

    kind: str
    code: str
    place: str
    """What the audit has to name."""
    change: Change


@cache
def busy_town() -> Town:
    """A network with a settled job, stake that unbonds, a slash, and an epoch behind it."""
    town = founded(with_fields(minimal(), epoch_rounds=60, epoch_rounds_min=30))
    town.run_until(3 * SECOND)
    state = town.members[0].core.state
    town.ask(2, contradict(state.committee, 3))
    town.ask(LEAVER, StakeWithdrawal(STAKE // 2))
    town.ask(0, make_offer(replicas=2, replicas_max=3, tolerated_error_ppm=100_000))
    for _ in range(60):
        town.run_until(town.now + SECOND)
        ended = [job.terminal for job in state.jobs.values()]
        if ended == [True] and state.epochs.epoch:
            break
    return town


def export(folder: Path) -> Path:
    """Exports the ledger of the busy town, its state included."""
    data = settle_into(folder / "node", busy_town())
    path = folder / "node.ledger"
    flags = ["--data-dir", str(data), "--out", str(path), "--with-state", "--json"]
    assert p2pnode(["ledger", "export", *flags]) == 0
    return path


def tampered(path: Path, change: Change) -> Path:
    """Rewrites an export with something changed, and its checksum made to fit."""
    with path.open("rb") as stream:
        frames = list(read_frames(stream))
    header, *rest = change(frames)
    assert isinstance(header, Header)
    forged = path.with_suffix(".forged")
    with forged.open("wb") as stream:
        writer = ExportWriter(stream, header)
        for frame in rest:
            if not isinstance(frame, Header | Trailer):
                writer.write(frame)
        writer.finish()
    return forged


def recorded(kind: Kind[Key, Value], change: Callable[[Value], Value], key: bytes = b"") -> Change:
    """Changes one entry of the recorded state: that of a key, or else the first of its kind."""

    def changed(frames: list[Frame]) -> list[Frame]:
        pages = [frame.raw for frame in frames if isinstance(frame, RecordedPage)]
        entries = decode_pages(pages)
        wanted = [at for at, (name, _) in enumerate(entries) if name.startswith(kind.key(key))]
        name, raw = entries[wanted[0]]
        value = change(unpack(raw, kind.form, VALUE_BYTES_MAX))
        assert pack(value) != raw, "something is changed"
        entries[wanted[0]] = (name, pack(value))
        others = [frame for frame in frames if not isinstance(frame, RecordedPage)]
        forged: list[Frame] = [RecordedPage(page) for page in encode_pages(entries)]
        return [*others[:-1], *forged, others[-1]]

    return changed


def _with_block(number: int, change: Callable[[SignedBlock], SignedBlock]) -> Change:
    def changed(frames: list[Frame]) -> list[Frame]:
        place = _blocks(frames)[number - 1]
        entry = frames[place]
        assert isinstance(entry, Entry)
        forged = Entry(encode(change(decode(entry.raw, SignedBlock, 600_000))))
        assert forged != entry, "something is changed"
        return [*frames[:place], forged, *frames[place + 1 :]]

    return changed


def _blocks(frames: list[Frame]) -> list[int]:
    return [place for place, frame in enumerate(frames) if isinstance(frame, Entry)]


def _reordered(frames: list[Frame]) -> list[Frame]:
    places = _blocks(frames)
    frames.insert(places[20], frames.pop(places[40]))
    return frames


def _sooner(account: Account) -> Account:
    (entry,) = account.unbonding
    return replace(
        account, unbonding=(replace(entry, release_ms=Milliseconds(entry.release_ms - 1)),)
    )


def _drawn_backwards(job: Job) -> Job:
    assert job.draw is not None, "the job has its executors"
    return replace(job, draw=replace(job.draw, order=job.draw.order[::-1]))


TAMPERINGS = (
    Tampering(
        "balance",
        "entry_differs",
        f"account {account_id(0).hex()}: available",
        recorded(
            ACCOUNT,
            lambda one: replace(one, available=Credits(one.available + 1)),
            account_id(0),
        ),
    ),
    Tampering(
        "unbonding date",
        "entry_differs",
        f"account {account_id(LEAVER).hex()}: unbonding[0].release_ms",
        recorded(ACCOUNT, _sooner, account_id(LEAVER)),
    ),
    Tampering(
        "reputation",
        "entry_differs",
        ": right is recorded as",
        recorded(REPUTATION, lambda one: replace(one, right=one.right + 1_000)),
    ),
    Tampering(
        "lottery draw",
        "entry_differs",
        ": draw.order[0] is recorded as",
        recorded(JOB, _drawn_backwards),
    ),
    Tampering(
        "committee",
        "entry_differs",
        "epochs: seats.members[0].weight",
        recorded(
            EPOCHS,
            lambda one: replace(
                one,
                seats=replace(
                    one.seats,
                    members=(
                        replace(
                            one.seats.members[0], weight=Weight(2 * one.seats.members[0].weight)
                        ),
                        *one.seats.members[1:],
                    ),
                ),
            ),
        ),
    ),
    Tampering(
        "beacon",
        "entry_differs",
        "header: position.beacon",
        recorded(
            HEADER,
            lambda one: replace(one, position=replace(one.position, beacon=Digest(b"\x07" * 32))),
        ),
    ),
    Tampering(
        "slash",
        "entry_differs",
        "penalties: punished[0]",
        recorded(PENALTIES, lambda one: replace(one, punished=frozenset())),
    ),
    Tampering(
        "reward",
        "entry_differs",
        ": payouts[0].amount",
        recorded(
            JOB,
            lambda job: replace(
                job,
                payouts=(
                    replace(job.payouts[0], amount=Credits(2 * job.payouts[0].amount)),
                    *job.payouts[1:],
                ),
            ),
        ),
    ),
    Tampering("order", "missing_ancestor", "entry 21", _reordered),
    Tampering(
        "signature",
        "bad_signature",
        "entry 70",
        _with_block(
            70,
            lambda block: with_fields(
                block, signature=bytes([block.signature[0] ^ 1]) + block.signature[1:]
            ),
        ),
    ),
)


def audited(path: Path) -> tuple[int, dict[str, object]]:
    """Runs the command; returns its exit code and what it printed for programs."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        code = p2pnode(["ledger", "audit", str(path), "--json"])
    return code, json.loads(printed.getvalue())


def said(path: Path) -> str:
    """Runs the command as people do; returns the last line of what it tells them."""
    told = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        p2pnode(["ledger", "audit", str(path)])
    return told.getvalue().splitlines()[-1]


def main() -> int:
    """Prints what the audit says of the honest export and of each tampered one."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            path = export(Path(folder))
        print(json.dumps(audited(path)[1], indent=1))
        for one in TAMPERINGS:
            told = said(tampered(path, one.change)).removeprefix("p2pnode: first bad entry: ")
            print(f"| {one.kind} | {DIGITS.sub(lambda found: found[0][:8], told)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
