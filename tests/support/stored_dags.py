"""DAGs kept as files: one that a random search found stays found when the search changes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.ledger.block import VerifiedBlock, genesis_reference, reference_to
from protocol.ledger.committee import Committee
from protocol.units import Digest, MemberIndex, Weight
from tests.support.dag_builder import Links, make_committee, plain_block

FOLDER = Path(__file__).parents[1] / "vectors" / "dags"


@dataclass(frozen=True, slots=True)
class StoredDag:
    """Views of one DAG that a broken rule reads differently."""

    committee: Committee
    views: tuple[tuple[VerifiedBlock, ...], ...]


def store(name: str, committee: Committee, views: Sequence[Sequence[VerifiedBlock]]) -> None:
    """Writes views; each block as author, round, time and the positions of what it refers to."""
    union = {block.digest: block for view in views for block in view}
    blocks = sorted(union.values(), key=lambda one: (one.block.round, one.block.author, one.digest))
    position = {block.digest: place for place, block in enumerate(blocks)}
    rows = []
    for verified in blocks:
        block = verified.block
        own = position.get(block.own.digest, -1)
        parents = [position[parent.digest] for parent in block.parents if parent.round]
        weak = [position[older.digest] for older in block.weak]
        rows.append([block.author, block.round, block.time_ms, own, parents, weak])
    content = {
        "members": len(committee),
        "quorum": committee.quorum,
        "beacon": committee.beacon_at_start.hex(),
        "blocks": rows,
        "views": [[position[block.digest] for block in view] for view in views],
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = (
        json.dumps(content, separators=(",", ":")).replace('],"', '],\n"').replace("]],", "]],\n")
    )
    (FOLDER / f"{name}.json").write_text(text + "\n")


def load(name: str) -> StoredDag:
    """Reads what `store` wrote."""
    content = json.loads((FOLDER / f"{name}.json").read_text())
    beacon = Digest(bytes.fromhex(content["beacon"]))
    committee = make_committee((1,) * content["members"], beacon=beacon)
    committee.quorum = Weight(content["quorum"])
    blocks: list[VerifiedBlock] = []
    for author, block_round, time_ms, own, parents, weak in content["blocks"]:
        mine = genesis_reference(committee, MemberIndex(author))
        others = [genesis_reference(committee, MemberIndex(i)) for i in range(len(committee))]
        links = Links(
            reference_to(blocks[own]) if own >= 0 else mine,
            tuple(sorted(reference_to(blocks[place]) for place in parents))
            if block_round > 1
            else tuple(other for other in others if other.author != author),
            tuple(reference_to(blocks[place]) for place in weak),
        )
        blocks.append(plain_block(committee, author, block_round, links, time_ms))
    views = tuple(tuple(blocks[place] for place in view) for view in content["views"])
    return StoredDag(committee, views)
