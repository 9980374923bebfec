"""Compares exports of several nodes: do their final sequences agree as far as all of them go?

Nothing is derived here. Commit digests are chained, so two nodes whose digests are equal at one
index have equal histories up to it; state digests are roots over all that the states hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from p2pnode.cli.endings import BadInput
from p2pnode.offline.export_file import NO_DIGEST, Header, RecordedFinal, Trailer, read_frames
from p2pnode.offline.findings import BadEntry
from protocol.units import Digest


@dataclass(frozen=True, slots=True)
class Export:
    """What one file says of itself."""

    path: Path
    network: Digest
    entries: int
    final: RecordedFinal


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether exports agree.

    Attributes:
        exports: What each file holds, in the order in which they were named.
        common: The highest commit that all of them record, of index 0 when there is none.
        difference: Why they do not agree, or an empty text.
    """

    exports: tuple[Export, ...]
    common: RecordedFinal
    difference: str


def compare_exports(paths: Sequence[Path]) -> Comparison:
    """Compares the recorded finals of exports, all read in step.

    Raises:
        BadInput: A file cannot be read.
        BadEntry: A file is no whole export.
    """
    common = RecordedFinal(0, NO_DIGEST, NO_DIGEST)
    exports = tuple(_summarised(path) for path in paths)
    first = exports[0]
    for other in exports[1:]:
        if other.network != first.network:
            difference = f"{first.path} and {other.path} belong to different networks"
            return Comparison(exports, common, difference)
    difference = ""
    with ExitStack() as opened:
        streams = [opened.enter_context(path.open("rb")) for path in paths]
        for finals in _in_step([_finals(stream) for stream in streams]):
            difference = _difference(exports, finals)
            if difference:
                break
            common = finals[0]
    return Comparison(exports, common, difference)


def _difference(exports: Sequence[Export], finals: Sequence[RecordedFinal]) -> str:
    """Names the first file whose final of this index is another one than the first file's."""
    for export, final in zip(exports, finals, strict=True):
        if final != finals[0]:
            return f"{exports[0].path} and {export.path} differ at commit {final.index}"
    return ""


def _summarised(path: Path) -> Export:
    try:
        with path.open("rb") as stream:
            return _read_through(path, stream)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}: name an export") from error
    except BadEntry as bad:
        raise BadEntry(bad.index, bad.code, f"{path}: {bad.detail}") from bad


def _read_through(path: Path, stream: BinaryIO) -> Export:
    export = Export(path, NO_DIGEST, 0, RecordedFinal(0, NO_DIGEST, NO_DIGEST))
    for frame in read_frames(stream):
        if isinstance(frame, Header):
            export = replace(export, network=frame.network)
        elif isinstance(frame, Trailer):
            export = replace(export, entries=frame.entries, final=frame.final)
    return export


def _in_step(
    sequences: Sequence[Iterator[RecordedFinal]],
) -> Iterator[tuple[RecordedFinal, ...]]:
    """Yields the finals of every index that all sequences have."""
    current = [next(sequence, None) for sequence in sequences]
    while True:
        finals = tuple(final for final in current if final is not None)
        if len(finals) < len(sequences):
            return
        highest = max(final.index for final in finals)
        if all(final.index == highest for final in finals):
            yield finals
            highest += 1
        current = [
            final if final.index >= highest else next(sequence, None)
            for final, sequence in zip(finals, sequences, strict=True)
        ]


def _finals(stream: BinaryIO) -> Iterator[RecordedFinal]:
    for frame in read_frames(stream):
        if isinstance(frame, RecordedFinal):
            yield frame
        elif not isinstance(frame, Header):
            return
