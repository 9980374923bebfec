"""Whatever is changed in an export, the audit names the first entry that is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.offline.export_file import Frame, RecordedPage
from protocol.entries import ACCOUNT
from protocol.snapshot import decode_pages, encode_pages
from protocol.units import Credits
from tests.p2pnode.offline.tampering import (
    LEAVER,
    TAMPERINGS,
    Tampering,
    audited,
    busy_town,
    export,
    recorded,
    said,
    tampered,
)
from tests.support.builders import account_id

Entries = list[tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("export"))


def test_an_honest_export_agrees_in_every_entry(honest: Path) -> None:
    state = busy_town().members[0].core.state
    code, found = audited(honest)
    assert (code, found["first_bad"]) == (0, None)
    assert found["entries_compared"] == len(decode_pages(state.encode_pages()))
    counts = found["counts"]
    assert isinstance(counts, dict)
    assert (counts["slashes"], counts["ended_jobs"]) == (1, 1)
    assert state.accounts.of(account_id(LEAVER)).unbonding


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda one: one.kind)
def test_the_first_wrong_entry_is_named(tampering: Tampering, honest: Path) -> None:
    path = tampered(honest, tampering.change)
    code, found = audited(path)
    bad = found["first_bad"]
    assert isinstance(bad, dict)
    assert (code, found["ok"], bad["code"]) == (1, False, tampering.code)
    assert tampering.place in said(path)


def with_entries(change: Callable[[Entries], Entries]) -> Callable[[list[Frame]], list[Frame]]:
    def changed(frames: list[Frame]) -> list[Frame]:
        pages = [frame.raw for frame in frames if isinstance(frame, RecordedPage)]
        others = [frame for frame in frames if not isinstance(frame, RecordedPage)]
        forged: list[Frame] = [
            RecordedPage(raw) for raw in encode_pages(change(decode_pages(pages)))
        ]
        return [*others[:-1], *forged, others[-1]]

    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda entries: entries[1:], "header is derived, and recorded is none"),
        (lambda entries: [*entries, (b"\xff\x01", b"")], "entry 01 is recorded, and derived is"),
        (lambda entries: [(entries[0][0], b"\xc1"), *entries[1:]], "bytes that no state has"),
    ],
)
def test_entries_that_lack_or_are_too_many_or_broken_are_named(
    change: Callable[[Entries], Entries], told: str, honest: Path
) -> None:
    path = tampered(honest, with_entries(change))
    assert audited(path)[0] == 1
    assert told in said(path)


def test_pages_that_no_state_has_are_malformed(honest: Path) -> None:
    def broken(frames: list[Frame]) -> list[Frame]:
        return [RecordedPage(b"\xc1") if isinstance(one, RecordedPage) else one for one in frames]

    bad = audited(tampered(honest, broken))[1]["first_bad"]
    assert isinstance(bad, dict)
    assert bad["code"] == "malformed"


def test_of_two_wrong_entries_the_first_is_named(honest: Path) -> None:
    both = TAMPERINGS[7].change
    first = recorded(
        ACCOUNT, lambda one: replace(one, staked=Credits(one.staked + 1)), account_id(2)
    )
    told = said(tampered(honest, lambda frames: first(both(frames))))
    assert f"account {account_id(2).hex()}: staked" in told
