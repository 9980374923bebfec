import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pnode.cli.entry import main
from p2pnode.offline.export_file import (
    Entry,
    Frame,
    Header,
    RecordedFinal,
    read_frames,
)
from protocol.encoding import decode, encode
from protocol.ledger.block import VerifiedBlock, reference_to, sign_block
from protocol.messages import Block, SignedBlock, StakeWithdrawal, network_of
from protocol.parameters import minimal
from protocol.signing import REAL
from protocol.units import SECOND, Digest, Signature
from tests.p2pnode.offline.builders import NODES, block_count, exported, founded, town_with_a_job
from tests.p2pnode.offline.tampering import tampered
from tests.support.builders import STAKE, account_seed, make_genesis

Found = dict[str, object]
Change = Callable[[list[Frame]], list[Frame]]


@pytest.fixture
def export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = exported(tmp_path, town_with_a_job())
    capsys.readouterr()
    return path


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Found]]:
    def run(path: Path, *flags: str) -> tuple[int, Found]:
        code = main(["ledger", "audit", str(path), "--json", *flags])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def first_bad(
    audit: Callable[..., tuple[int, Found]],
) -> Callable[..., tuple[object, object]]:
    def run(path: Path, *flags: str) -> tuple[object, object]:
        code, found = audit(path, *flags)
        bad = found["first_bad"]
        assert isinstance(bad, dict), "the change was not noticed"
        assert (code, found["ok"], bool(bad["detail"])) == (1, False, True)
        return bad["index"], bad["code"]

    return run


def places(frames: list[Frame], kind: type) -> list[int]:
    return [place for place, frame in enumerate(frames) if isinstance(frame, kind)]


def change_entry(number: int, change: Callable[[bytes], bytes]) -> Change:
    def changed(frames: list[Frame]) -> list[Frame]:
        place = places(frames, Entry)[number - 1]
        entry = frames[place]
        assert isinstance(entry, Entry)
        frames[place] = Entry(change(entry.raw))
        assert frames[place] != entry
        return frames

    return changed


def with_body(raw: bytes, **changes: object) -> bytes:
    """A block changed by somebody who cannot sign for its author."""
    signed = decode(raw, SignedBlock, 600_000)
    body = decode(signed.body, Block, 600_000)
    return encode(replace(signed, body=encode(replace(body, **changes))))


def test_an_honest_export_is_audited_to_its_end(
    export: Path, audit: Callable[..., tuple[int, Found]]
) -> None:
    core = town_with_a_job().members[0].core
    last = core.ledger.last_commit
    assert last is not None
    code, found = audit(export, "--network", core.network.hex()[:12])
    counts = found.pop("counts")
    assert (code, found) == (
        0,
        {
            "ok": True,
            "network": core.network.hex(),
            "network_name": "test",
            "entries": block_count(),
            "final_index": core.state.index,
            "commit_digest": last.digest.hex(),
            "state_digest": core.state.digest.hex(),
            "finals_compared": core.state.index,
            "entries_compared": 0,
            "votes_agreeing": found["votes_agreeing"],
            "votes_differing": 0,
            "first_bad": None,
        },
    )
    assert isinstance(counts, dict)
    assert counts["ended_jobs"] == 1
    assert isinstance(found["votes_agreeing"], int)
    assert found["votes_agreeing"] > 0


def test_people_are_told_the_result_and_the_first_bad_entry(
    export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "audit", str(export)]) == 0
    told = capsys.readouterr()
    assert "state_digest" in told.out
    assert told.err == ""
    content = export.read_bytes()
    export.write_bytes(content[: len(content) // 2])
    assert main(["ledger", "audit", str(export)]) == 1
    assert "first bad entry: entry" in capsys.readouterr().err


def test_a_changed_signature_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    forged = tampered(export, change_entry(70, lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])))
    assert first_bad(forged) == (70, "bad_signature")


def test_a_changed_content_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    forged = tampered(export, change_entry(50, lambda raw: with_body(raw, time_ms=7)))
    assert first_bad(forged) == (50, "bad_signature")


def test_a_block_signed_by_somebody_else_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def resigned(raw: bytes) -> bytes:
        signed = decode(raw, SignedBlock, 600_000)
        body = decode(signed.body, Block, 600_000)
        output = b"x" if body.proof else b""
        return sign_block(body, account_seed(9), REAL, output, signed.operations).raw

    assert first_bad(tampered(export, change_entry(5, resigned))) == (5, "bad_signature")


def test_changed_operations_are_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def enlarged(raw: bytes) -> bytes:
        signed = decode(raw, SignedBlock, 600_000)
        return encode(replace(signed, operations=(*signed.operations, b"more")))

    assert first_bad(tampered(export, change_entry(30, enlarged))) == (30, "bad_content")


def test_a_block_of_another_network_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    other = Digest(b"\x07" * 32)
    forged = tampered(export, change_entry(9, lambda raw: with_body(raw, network=other)))
    assert first_bad(forged) == (9, "wrong_network")


def test_one_flipped_bit_is_found_wherever_it_is(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    content = export.read_bytes()
    for place in range(3, len(content), len(content) // 11):
        damaged = bytearray(content)
        damaged[place] ^= 4
        export.write_bytes(damaged)
        first_bad(export)


def test_a_cut_inside_a_block_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    entries = block_count()
    content = export.read_bytes()
    trailer_bytes = 120
    export.write_bytes(content[: -trailer_bytes - 50])
    assert first_bad(export) == (entries, "truncated")


def test_a_cut_between_blocks_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    with export.open("rb") as stream:
        frames = read_frames(stream)
        for _ in range(10):
            while not isinstance(next(frames), Entry):
                pass
        end = stream.tell()
    export.write_bytes(export.read_bytes()[:end])
    assert first_bad(export) == (11, "truncated")


def test_an_empty_file_is_no_export(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    export.write_bytes(b"")
    assert first_bad(export) == (0, "not_an_export")


def test_bytes_after_the_end_are_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    export.write_bytes(export.read_bytes() + b"\0")
    entries = block_count()
    assert first_bad(export) == (entries + 1, "trailing_bytes")


def test_blocks_in_another_order_are_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def reordered(frames: list[Frame]) -> list[Frame]:
        places_ = places(frames, Entry)
        frames.insert(places_[20], frames.pop(places_[40]))
        return frames

    assert first_bad(tampered(export, reordered)) == (21, "missing_ancestor")


def test_a_missing_block_is_found_at_the_first_that_needs_it(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def thinned(frames: list[Frame]) -> list[Frame]:
        del frames[places(frames, Entry)[0]]
        return frames

    index, code = first_bad(tampered(export, thinned))
    assert code == "missing_ancestor"
    assert isinstance(index, int)
    assert index < 10


def test_a_repeated_block_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def repeated(frames: list[Frame]) -> list[Frame]:
        place = places(frames, Entry)[-1]
        return [*frames[: place + 1], frames[place], *frames[place + 1 :]]

    entries = block_count()
    assert first_bad(tampered(export, repeated)) == (entries + 1, "duplicate")


@pytest.mark.parametrize(
    ("field", "code"),
    [("commit_digest", "commit_differs"), ("state_digest", "state_differs")],
)
def test_another_recorded_final_is_found(
    field: str, code: str, export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def changed(frames: list[Frame]) -> list[Frame]:
        place = places(frames, RecordedFinal)[3]
        final = frames[place]
        assert isinstance(final, RecordedFinal)
        frames[place] = replace(final, **{field: Digest(b"\x05" * 32)})
        return frames

    index, found = first_bad(tampered(export, changed))
    assert (found, isinstance(index, int)) == (code, True)


def test_a_final_that_the_blocks_do_not_reach_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def extended(frames: list[Frame]) -> list[Frame]:
        place = places(frames, RecordedFinal)[-1] + 1
        frames.insert(place, RecordedFinal(10_000, Digest(bytes(32)), Digest(bytes(32))))
        return frames

    assert first_bad(tampered(export, extended))[1] == "final_not_reached"


def test_another_genesis_in_the_file_is_found(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    other = make_genesis(validators=5)

    def founded_anew(frames: list[Frame]) -> list[Frame]:
        header = frames[0]
        assert isinstance(header, Header)
        return [Header(header.network, encode(other)), *frames[1:]]

    def moved(frames: list[Frame]) -> list[Frame]:
        return [Header(network_of(other), encode(other)), *frames[1:]]

    def broken(frames: list[Frame]) -> list[Frame]:
        return [Header(network_of(other), b"\xc1"), *frames[1:]]

    assert first_bad(tampered(export, founded_anew)) == (0, "wrong_network")
    assert first_bad(tampered(export, moved)) == (1, "wrong_network")
    assert first_bad(tampered(export, broken)) == (0, "bad_genesis")


def test_another_network_than_the_one_asked_for_is_refused(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    assert first_bad(export, "--network", "0123456789") == (0, "wrong_network")


def test_a_third_variant_waits_for_the_block_that_refers_to_it(
    export: Path, audit: Callable[..., tuple[int, Found]]
) -> None:
    def equivocated(frames: list[Frame]) -> list[Frame]:
        return [*frames[:-1], *(Entry(block.raw) for block in _three_faces()), frames[-1]]

    code, found = audit(tampered(export, equivocated))
    counts = found["counts"]
    assert isinstance(counts, dict)
    assert (code, counts["equivocations"]) == (0, 2)


def _three_faces() -> list[VerifiedBlock]:
    """Two more blocks of one member in one round, and another member's block upon the last."""
    ledger = town_with_a_job().members[0].core.ledger
    upper = next(
        block
        for block in ledger.dag.blocks_of_round(ledger.clock_round)
        + ledger.dag.blocks_of_round(type(ledger.clock_round)(ledger.clock_round - 1))
        if block.block.parents
    )
    mentioned = upper.block.parents[0]
    lower = ledger.dag.get(mentioned.digest)
    assert lower is not None
    faces = [_face(lower, time_ms=lower.block.time_ms + more) for more in (1, 2)]
    parents = (reference_to(faces[1]), *upper.block.parents[1:])
    return [*faces, _face(upper, parents=parents)]


def _face(block: VerifiedBlock, **changes: object) -> VerifiedBlock:
    members = town_with_a_job().members
    accounts = [member.core.account for member in members]
    committee = members[0].core.ledger.committee
    number = accounts.index(committee.members[block.block.author].account)
    body = replace(block.block, **changes)
    return sign_block(body, account_seed(number), REAL, block.output, block.operations)


@pytest.mark.parametrize("network", ["xyz", "abc", "0" * 65])
def test_a_mistyped_network_is_a_mistake_of_the_line(network: str, export: Path) -> None:
    assert main(["ledger", "audit", str(export), "--network", network]) == 2


def test_a_missing_file_is_a_mistake_of_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "audit", str(tmp_path / "nothing")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_signature_of_the_right_form_is_not_enough(
    export: Path, first_bad: Callable[..., tuple[object, object]]
) -> None:
    def zeroed(raw: bytes) -> bytes:
        return encode(replace(decode(raw, SignedBlock, 600_000), signature=Signature(bytes(64))))

    assert first_bad(tampered(export, change_entry(1, zeroed))) == (1, "bad_signature")


def test_a_history_in_which_all_members_wished_to_leave_is_followed_past_its_epochs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], audit: Callable[..., tuple[int, Found]]
) -> None:
    town = founded(replace(minimal(), epoch_rounds=12, epoch_rounds_min=6))
    town.run_until(SECOND)
    for number in range(NODES):
        town.ask(number, StakeWithdrawal(STAKE))
    state = town.members[0].core.state
    while state.epochs.epoch < 2:
        town.run_until(town.now + SECOND)
    assert len(state.committee) == NODES // 2, "the others were let go"
    path = exported(tmp_path, town)
    capsys.readouterr()
    code, found = audit(path)
    assert (code, found["ok"]) == (0, True)
    assert found["final_index"] == state.index
