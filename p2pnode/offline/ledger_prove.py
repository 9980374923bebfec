"""Makes the proof of one entry from a node's own store, also beside the running node."""

from pathlib import Path
from typing import Final

from p2pnode.cli.endings import BadInput
from p2pnode.offline.findings import BadEntry, Unreadable
from p2pnode.offline.ledger_verify import begin_late, replay_journal
from p2pnode.offline.proof_file import ProofFile, plain_levels
from p2pnode.offline.store import Store, opened_store
from p2pnode.storage import DamagedData
from protocol.entries import ACCOUNT, ESCROW, JOB, KINDS, REPUTATION
from protocol.errors import Rejected
from protocol.ledger.certified import open_certificate
from protocol.ledger.committee import Committee
from protocol.messages import network_of
from protocol.signing import REAL
from protocol.snapshot import decode_pages
from protocol.state import State

PROVABLE: Final = tuple(kind.name for kind in (ACCOUNT, JOB, ESCROW, REPUTATION))
"""Kinds of entries that an account or a job has; the first is looked for first."""


def prove_entry(folder: Path, identifier: bytes, name: str | None) -> ProofFile:
    """Derives the newest final state of a store, and proves one of its entries.

    Args:
        folder: The node's data folder.
        identifier: An account or a job.
        name: One of `PROVABLE`; None for whatever of an account and a job there is.

    Raises:
        BadInput: There is no node's data, or no entry and no kind was named.
        BadEntry: The store breaks a rule.
        Unreadable: The disk refused.
    """
    try:
        with opened_store(folder) as store:
            replay, begun = begin_late(store)
            replay_journal(store.journal, replay, begun)
    except DamagedData as damage:
        raise Unreadable(str(damage)) from damage
    return _proof(replay.replica.state, network_of(store.genesis), identifier, name)


def prove_certified_entry(folder: Path, identifier: bytes, name: str | None) -> ProofFile:
    """Proves an entry of the newest snapshot whose root the members of its epoch have signed.

    Such a proof can be checked with a chain of certificates, by somebody who trusts nobody.

    Raises:
        BadInput: As for `prove_entry`, or no epoch's end is certified yet.
        BadEntry: The snapshot is not the state that was certified.
        Unreadable: The disk refused.
    """
    try:
        with opened_store(folder) as store:
            state = _certified_state(store)
    except DamagedData as damage:
        raise Unreadable(str(damage)) from damage
    except Rejected as refusal:
        raise BadEntry(0, refusal.reason.name.lower(), str(refusal)) from refusal
    return _proof(state, network_of(store.genesis), identifier, name)


def _certified_state(store: Store) -> State:
    first = Committee.of_genesis(store.genesis)
    for mark in store.journal.snapshots():
        (stored, *_) = store.journal.certificates(mark.epoch - 1, 1) or (None,)
        if stored is not None:
            root = open_certificate(stored.raw).state_digest
            pages = store.journal.snapshot_pages(mark)
            return State.load(store.genesis, first, REAL, pages, root)
    raise BadInput(
        "no end of an epoch is certified in this store yet: wait until the next epoch is under way"
    )


def _proof(state: State, network: bytes, identifier: bytes, name: str | None) -> ProofFile:
    entries = dict(decode_pages(state.encode_pages()))
    sought = [kind for kind in KINDS if kind.name in ((name,) if name else PROVABLE[:2])]
    present = [kind for kind in sought if kind.key(identifier) in entries]
    if not present and name is None:
        raise BadInput(
            f"the state at commit {state.index} has neither an account nor a job "
            f"{identifier.hex()}: a job leaves it some time after its end; name --kind to prove "
            "that there is none"
        )
    kind = (present or sought)[0]
    value, proof = entries.get(kind.key(identifier)), state.tree.prove(kind.key(identifier))
    return ProofFile(
        network=network.hex(),
        index=state.index,
        root=state.digest.hex(),
        kind=kind.name,
        identifier=identifier.hex(),
        value=None if value is None else value.hex(),
        levels=plain_levels(proof),
        rows=proof.rows.hex(),
    )
