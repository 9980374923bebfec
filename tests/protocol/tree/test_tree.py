"""A tree's root depends on its entries alone, whatever was changed before and in which order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.tree import hashing
from protocol.tree.hashing import BUCKET_MAX, NO_BRANCH, WIDTH, branch_digest, bucket_digest
from protocol.tree.tree import Tree

KEYS = [b"key %d" % number for number in range(200)]
VALUES = st.one_of(st.none(), st.binary(max_size=3))
CHANGES = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=300)
MANY = {b"entry %d" % number: b"%d" % number for number in range(3_000)}


def naive_root(entries: dict[bytes, bytes]) -> bytes:
    """The root as the definition has it, from scratch and one nibble at a time."""
    rows = [(hashing.path_of(key), hashing.leaf_of(key, value)) for key, value in entries.items()]
    return naive_node(sorted(rows), 0)


def naive_node(rows: list[tuple[bytes, bytes]], depth: int) -> bytes:
    if len(rows) <= BUCKET_MAX:
        return bucket_digest(b"".join(path + leaf for path, leaf in rows))
    parts = []
    for branch in range(WIDTH):
        below = [row for row in rows if int(row[0].hex()[depth], 16) == branch]
        parts.append(naive_node(below, depth + 1) if below else NO_BRANCH)
    return branch_digest(b"".join(parts))


@settings(max_examples=150, deadline=None)
@given(first=CHANGES, second=CHANGES, third=CHANGES)
def test_batches_of_changes_give_what_a_rebuild_gives(
    first: list[tuple[bytes, bytes | None]],
    second: list[tuple[bytes, bytes | None]],
    third: list[tuple[bytes, bytes | None]],
) -> None:
    tree, entries = Tree(), dict[bytes, bytes]()
    for batch in (first, second, third):
        for key, value in batch:
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        tree = tree.updated(batch)
        assert (tree.root, len(tree)) == (naive_root(entries), len(entries))


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(KEYS))
def test_the_order_of_changes_does_not_matter(order: list[bytes]) -> None:
    whole = Tree().updated((key, key) for key in KEYS)
    tree = Tree()
    for key in order:
        tree = tree.updated([(key, key)])
    assert tree.root == whole.root
    for key in order[50:]:
        tree = tree.updated([(key, None)])
    assert tree.root == Tree().updated((key, key) for key in order[:50]).root
    for key in order[:50]:
        tree = tree.updated([(key, None)])
    assert (tree.root, len(tree)) == (Tree().root, 0)


def test_a_large_tree_grows_and_shrinks_as_a_rebuild_says() -> None:
    tree = Tree().updated(MANY.items())
    assert tree.root == naive_root(MANY)
    kept = dict(list(MANY.items())[:1_000])
    tree = tree.updated((key, None) for key in MANY if key not in kept)
    assert (tree.root, len(tree)) == (naive_root(kept), len(kept))


def test_a_tree_stays_as_it_is_when_another_is_made_of_it() -> None:
    before = Tree().updated(MANY.items())
    root = before.root
    after = before.updated([(b"entry 7", b"changed"), (b"entry 8", None)])
    assert after.root != root
    assert (before.root, len(before)) == (root, len(MANY))
    assert before.updated([]).root == root


def test_the_last_change_of_a_key_counts() -> None:
    twice = Tree().updated([(b"key", b"first"), (b"key", b"second")])
    assert twice.root == Tree().updated([(b"key", b"second")]).root
    assert Tree().updated([(b"key", b"first"), (b"key", None)]).root == Tree().root


def test_a_change_of_any_part_changes_the_root() -> None:
    roots = {
        Tree().updated(entries).root
        for entries in (
            [],
            [(b"a", b"")],
            [(b"b", b"")],
            [(b"a", b"a")],
            [(b"a", b""), (b"b", b"")],
            [(b"ab", b"c")],
            [(b"a", b"bc")],
        )
    }
    assert len(roots) == 7
