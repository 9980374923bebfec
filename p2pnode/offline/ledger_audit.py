"""Audits an export: nothing in it is believed but genesis, and what the members signed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from p2pnode.cli.endings import BadInput
from p2pnode.genesis import GenesisError, open_genesis
from p2pnode.offline.export_file import Entry, Header, RecordedFinal, RecordedPage, read_frames
from p2pnode.offline.findings import BadEntry
from p2pnode.offline.progress import Progress, shown_progress
from p2pnode.offline.recorded_state import compare_state
from p2pnode.offline.replaying import Replay, Replayed
from protocol.errors import Misuse
from protocol.messages import Genesis, network_of
from protocol.units import Digest


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        genesis: Where the ledger starts; None when not even that could be read.
        replayed: What the ledger holds, up to the first thing wrong.
        first_bad: The first thing wrong.
        entries_compared: How many entries of a state that the export claims were found right.
    """

    genesis: Genesis | None
    replayed: Replayed | None
    first_bad: BadEntry | None
    entries_compared: int = 0


def audit_ledger(path: Path, network: str = "") -> Audit:
    """Derives everything that an export leads to, with all signatures verified.

    Args:
        path: The export.
        network: The beginning of the digest that the network must have; empty for any.

    Raises:
        BadInput: The file cannot be read.
    """
    try:
        size_bytes = path.stat().st_size
        with (
            path.open("rb") as stream,
            path.open("rb") as beside,
            shown_progress("auditing", size_bytes) as progress,
        ):
            return Auditor(stream, beside, progress).run(network.lower())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}: name an export") from error


class Auditor:
    """One audit.

    Args:
        stream: The export.
        beside: The same file opened once more: the recorded finals are read again in step with
            the commits, so that memory does not grow with their number.
        progress: Told how far it is.
    """

    def __init__(self, stream: BinaryIO, beside: BinaryIO, progress: Progress) -> None:
        self._stream = stream
        self._finals = _finals(beside)
        self._next_final = RecordedFinal(0, Digest(b""), Digest(b""))
        self._progress = progress
        self._genesis: Genesis | None = None
        self._replay: Replay | None = None
        self._compared = 0

    def run(self, network: str) -> Audit:
        """Audits to the end, or to the first thing wrong."""
        first_bad = None
        try:
            self._read(network)
        except BadEntry as bad:
            first_bad = bad
        replayed = self._replay.summary() if self._replay else None
        return Audit(self._genesis, replayed, first_bad, self._compared)

    def _read(self, network: str) -> None:
        frames = read_frames(self._stream)
        header = next(frames)
        assert isinstance(header, Header), "the reader gives the header first"
        self._replay = replay = self._begin(header, network)
        last, entries = 0, 0
        pages: list[bytes] = []
        for frame in frames:
            if isinstance(frame, RecordedFinal):
                last = frame.index
            elif isinstance(frame, Entry):
                entries += 1
                replay.take(entries, frame.raw)
                self._progress.show(entries, self._stream.tell())
            elif isinstance(frame, RecordedPage):
                pages.append(frame.raw)
        replay.finish(last)
        if pages:
            self._compared = compare_state(entries, pages, replay.replica.state)

    def _begin(self, header: Header, network: str) -> Replay:
        try:
            genesis = open_genesis(header.genesis)
            replay = Replay(genesis, self._recorded)
        except (GenesisError, Misuse) as error:
            raise BadEntry(0, "bad_genesis", str(error)) from error
        self._genesis = genesis
        found = network_of(genesis)
        if found != header.network:
            detail = f"the genesis inside makes network {found.hex()}, not {header.network.hex()}"
            raise BadEntry(0, "wrong_network", detail)
        if not found.hex().startswith(network):
            detail = f"the ledger belongs to network {found.hex()}, not to {network}"
            raise BadEntry(0, "wrong_network", detail)
        return replay

    def _recorded(self, index: int) -> RecordedFinal | None:
        """Finds the recorded final of an index; asked with growing indices only."""
        while self._next_final.index < index:
            final = next(self._finals, None)
            if final is None:
                return None
            self._next_final = final
        return self._next_final if self._next_final.index == index else None


def _finals(stream: BinaryIO) -> Iterator[RecordedFinal]:
    for frame in read_frames(stream):
        if isinstance(frame, RecordedFinal):
            yield frame
        elif isinstance(frame, Entry):
            return
