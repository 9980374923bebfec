"""A proof convinces whoever has the root, and none but the true one does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Reason, Rejected
from protocol.tree.hashing import BUCKET_MAX, DEPTH_MAX, ROW_BYTES, path_of, step
from protocol.tree.proof import Level, Proof, verify
from protocol.tree.tree import Tree
from protocol.units import Digest

ENTRIES: Final = {b"entry %d" % number: b"%d" % number for number in range(3_000)}
TREE = Tree().updated(ENTRIES.items())
SMALL = Tree().updated([(b"a", b"1"), (b"b", b"2")])
KEY, VALUE = b"entry 7", b"7"


def refusal_of(root: Digest, key: bytes, value: bytes | None, proof: Proof) -> Reason | None:
    try:
        verify(root, key, value, proof)
    except Rejected as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("tree", [TREE, SMALL, Tree()])
def test_presence_and_absence_are_proven(tree: Tree) -> None:
    known = {b"a": b"1", b"b": b"2"} if tree is SMALL else ENTRIES if len(tree) else {}
    for key in (*list(known)[:200], *(b"stranger %d" % number for number in range(200))):
        proof = tree.prove(key)
        verify(tree.root, key, known.get(key), proof)
        assert refusal_of(tree.root, key, b"another", proof) is Reason.BAD_PROOF
        if key in known:
            assert refusal_of(tree.root, key, None, proof) is Reason.BAD_PROOF


def test_an_absence_shows_also_where_a_branch_is_empty() -> None:
    """Few keys that share their first bits leave branches without entries."""
    keys = [key for key in (b"%d" % number for number in range(9_000)) if path_of(key)[0] < 2]
    tree = Tree().updated((key, b"") for key in keys[: BUCKET_MAX + 1])
    stranger = next(key for key in (b"%d" % number for number in range(99)) if path_of(key)[0] > 15)
    proof = tree.prove(stranger)
    assert (len(proof.levels), proof.rows) == (1, b"")
    verify(tree.root, stranger, None, proof)
    assert refusal_of(tree.root, keys[0], None, proof) is Reason.MALFORMED


def test_a_proof_belongs_to_one_root_key_and_value() -> None:
    proof = TREE.prove(KEY)
    newer = TREE.updated([(b"entry 8", b"changed")])
    assert refusal_of(newer.root, KEY, VALUE, proof) is Reason.BAD_PROOF
    assert refusal_of(SMALL.root, KEY, VALUE, proof) is Reason.BAD_PROOF
    assert refusal_of(TREE.root, b"entry 9", b"9", proof) is Reason.BAD_PROOF
    verify(newer.root, KEY, VALUE, newer.prove(KEY))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_changed_proof_convinces(data: st.DataObject) -> None:
    proof = TREE.prove(KEY)
    number = data.draw(st.integers(0, len(proof.levels)))
    if number == len(proof.levels):
        changed = replace(proof, rows=flipped(data, proof.rows))
    else:
        level = proof.levels[number]
        if data.draw(st.booleans()):
            level = replace(level, digests=flipped(data, level.digests))
        else:
            level = replace(level, mask=level.mask ^ 1 << data.draw(st.integers(0, 16)))
        levels = (*proof.levels[:number], level, *proof.levels[number + 1 :])
        changed = replace(proof, levels=levels)
    assert refusal_of(TREE.root, KEY, VALUE, changed) in (Reason.BAD_PROOF, Reason.MALFORMED)
    assert refusal_of(TREE.root, KEY, None, changed) in (Reason.BAD_PROOF, Reason.MALFORMED)


def flipped(data: st.DataObject, content: bytes) -> bytes:
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    return (int.from_bytes(content, "big") ^ 1 << bit).to_bytes(len(content), "big")


FULL = Level(2**16 - 1, bytes(16 * 32))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        (Reason.TOO_LARGE, lambda proof: Proof(proof.levels * DEPTH_MAX, proof.rows)),
        (Reason.TOO_LARGE, lambda proof: Proof((), bytes(ROW_BYTES * (BUCKET_MAX + 1)))),
        (Reason.MALFORMED, lambda proof: replace(proof, rows=proof.rows[:-1])),
        (Reason.MALFORMED, lambda proof: replace(proof, rows=proof.rows[:ROW_BYTES] * 2)),
        (Reason.MALFORMED, lambda proof: replace(proof, levels=(FULL,))),
        (Reason.MALFORMED, lambda proof: replace(proof, levels=(Level(-1, b""),))),
        (Reason.MALFORMED, lambda proof: replace(proof, levels=(Level(2**16, bytes(32)),))),
        (Reason.MALFORMED, lambda proof: replace(proof, levels=(Level(0, bytes(32)),))),
        (Reason.BAD_PROOF, lambda proof: replace(proof, levels=())),
        (Reason.BAD_PROOF, lambda proof: replace(proof, rows=b"")),
    ],
)
def test_a_hostile_proof_is_refused_by_name(
    reason: Reason, change: Callable[[Proof], Proof]
) -> None:
    changed = change(TREE.prove(KEY))
    claimed = VALUE if path_of(KEY) in changed.rows else None
    assert refusal_of(TREE.root, KEY, claimed, changed) is reason


def test_a_proof_is_small() -> None:
    proof = TREE.prove(KEY)
    size = len(proof.rows) + sum(len(level.digests) for level in proof.levels)
    assert size <= len(proof.levels) * 15 * 32 + BUCKET_MAX * ROW_BYTES
    assert not proof.levels[0].mask >> step(path_of(KEY), 0) & 1
