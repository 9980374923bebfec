"""Stores of a network that has run for a while, made without running it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio
from msgspec.structs import replace as with_fields

from p2pnode.genesis import Founder, make_genesis, write_genesis
from p2pnode.storage import (
    FinalCommit,
    JournalRecord,
    NodeSeeds,
    OwnSlot,
    StoredBlock,
    load_or_create_seeds,
    open_journal,
    prepare_data_folder,
)
from protocol import vrf
from protocol.encoding import digest_of
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.pool import OperationPool
from protocol.messages import Allocation, Genesis, VerifiedOperation
from protocol.parameters import local
from protocol.replica import Replica
from protocol.roles.validator import Validator
from protocol.signing import BLOCK, REAL, account_of
from protocol.units import CREDIT, MILLISECOND, MemberIndex, Round
from tests.benchmarks.real_nodes import Account, benchmark_account, transfer

ACCOUNTS = 500
BATCH = 500
MARGIN_MS = 2_000


@dataclass(slots=True)
class History:
    """What the nodes of a network have stored; the same for all but their own slots."""

    genesis: Genesis
    shared: list[JournalRecord] = field(default_factory=list)
    own: dict[int, list[JournalRecord]] = field(default_factory=dict)
    """Slots by position in the committee."""


def lay_down(folder: Path, nodes: int, rounds: int) -> None:
    """Write genesis and stores of a calm network: a block of each node in each round.

    Each block holds one transfer, signed by its account.
    """
    roots = [folder / f"node-{node}" for node in range(nodes)]
    seeds = [load_or_create_seeds(prepare_data_folder(root).key) for root in roots]
    people = [benchmark_account(number) for number in range(ACCOUNTS)]
    history = _weave(seeds, people, rounds)
    write_genesis(folder / "genesis", history.genesis)
    for root, secret in zip(roots, seeds, strict=True):
        trio.run(_store, root, history, secret)


def _genesis(seeds: Sequence[NodeSeeds], people: Sequence[Account], rounds: int) -> Genesis:
    founders = [Founder(account_of(one.signing), vrf.public_key(one.randomness)) for one in seeds]
    genesis = make_genesis("benchmark", local(), founders, None)
    allocations = tuple(Allocation(one.identifier, 1_000 * CREDIT) for one in people)
    past_ms = rounds * genesis.parameters.minimum_round_ms + MARGIN_MS
    return with_fields(
        genesis,
        allocations=genesis.allocations + allocations,
        time_ms=time.time_ns() // MILLISECOND - past_ms,
    )


def _weave(seeds: Sequence[NodeSeeds], people: Sequence[Account], rounds: int) -> History:
    genesis = _genesis(seeds, people, rounds)
    replica = Replica(genesis, REAL)
    history = History(genesis)
    validators = _validators(replica, seeds)
    operations = _operations(replica, people)
    pace = genesis.parameters.minimum_round_ms * MILLISECOND
    for number in range(1, rounds + 1):
        # All propose on what all have seen, then everybody gets everything.
        blocks = []
        for validator in validators:
            pool = OperationPool(replica.parameters, replica.state.next_nonce)
            pool.add(next(operations), number, own=True)
            blocks.append(validator.propose(pool, number * pace))
        for block in blocks:
            _take(replica, history, block)
    return history


def _validators(replica: Replica, seeds: Sequence[NodeSeeds]) -> list[Validator]:
    found = []
    for one in seeds:
        member = replica.ledger.committee.index_of(account_of(one.signing))
        assert member is not None, "every founder is a member"
        secrets = (one.signing, one.randomness)
        made = Validator(replica.ledger, member, secrets, replica.network, replica.parameters, REAL)
        found.append(made)
    return found


def _operations(replica: Replica, people: Sequence[Account]) -> Iterator[VerifiedOperation]:
    """One transfer of each account in turn: the last one is final when its next turn comes."""
    nonce = 0
    while True:
        for payer in people:
            raw = transfer(replica.network, payer, nonce, people[0].identifier)
            yield replica.admission.operation(raw)
        nonce += 1


def _take(replica: Replica, history: History, block: VerifiedBlock) -> None:
    body = block.block
    taken = replica.take(block)
    assert taken.accepted == (block,), "in lockstep nothing waits"
    history.shared.append(StoredBlock(block.digest, body.author, body.round, body.epoch, block.raw))
    slots = history.own.setdefault(MemberIndex(body.author), [])
    slots.append(OwnSlot(body.epoch, Round(body.round), block.digest))
    history.shared += [
        FinalCommit(one.commit.index, one.commit.digest, one.state_digest) for one in taken.applied
    ]


async def _store(root: Path, history: History, seeds: NodeSeeds) -> None:
    replica = Replica(history.genesis, REAL)
    account = account_of(seeds.signing)
    member = replica.ledger.committee.index_of(account)
    assert member is not None, "every founder is a member"
    records = history.shared + history.own[member]
    async with open_journal(root, replica.network, account, hash_block=_unused) as journal:
        for begin in range(0, len(records), BATCH):
            await journal.append(records[begin : begin + BATCH])


def _unused(raw: bytes) -> bytes:
    return digest_of(BLOCK, raw)
