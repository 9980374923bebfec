"""Stores of a network that is a thousand epochs old and has many accounts, made without running it.

Blocks, attestations, certificates and snapshots are made by the protocol's own code: its members
propose in lockstep on what all have seen, so that nothing waits for a network.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from pathlib import Path

import trio
from msgspec.structs import replace as with_fields

from p2pnode.genesis import Founder, make_genesis, write_genesis
from p2pnode.snapshots import mark_of
from p2pnode.storage import (
    FinalCommit,
    JournalRecord,
    NodeSeeds,
    OwnSlot,
    SnapshotMark,
    StoredBlock,
    StoredCertificate,
    load_or_create_seeds,
    open_journal,
    prepare_data_folder,
)
from protocol import vrf
from protocol.ledger.block import VerifiedBlock, stored_digest
from protocol.ledger.pool import OperationPool
from protocol.messages import (
    VERSION,
    Allocation,
    EpochPayload,
    Genesis,
    Operation,
    Payload,
    Transfer,
    VerifiedOperation,
    sign_operation,
)
from protocol.parameters import local
from protocol.replica import Replica
from protocol.resting import certificates_in, snapshot_of_end
from protocol.roles.candidate import Candidate
from protocol.roles.validator import Validator
from protocol.signing import REAL, account_of
from protocol.units import CREDIT, MILLISECOND, AccountId, MemberIndex, Round
from tests.benchmarks.real_nodes import Account, benchmark_account

PAYERS = 200
GIFTS_EACH = 2
"""In a block; a payer's turn comes again when its last gift is final, or was lost with an epoch."""
EPOCH_ROUNDS = 32
BATCH = 500
MARGIN_MS = 2_000
SNAPSHOTS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Grown:
    """What the members hold."""

    epochs: int
    blocks: int
    accounts: int


def lay_down_old(
    folder: Path, nodes: int, epochs: int, accounts: int, guests: Sequence[AccountId]
) -> Grown:
    """Write genesis and the stores of all members, as nodes that ran all the time have them.

    Args:
        folder: Where the members' folders go, `node-0` and so on.
        nodes: The members.
        epochs: How many of them have ended.
        accounts: Each is created by a transfer of its own.
        guests: Accounts with credits from genesis.
    """
    seeds = [
        load_or_create_seeds(prepare_data_folder(folder / f"node-{node}").key)
        for node in range(nodes)
    ]
    past = _Past(_genesis(seeds, epochs, guests), seeds, epochs, accounts)
    past.live()
    write_genesis(folder / "genesis", past.replica_genesis)
    for node, one in enumerate(seeds):
        trio.run(_store, folder / f"node-{node}", past, one)
    blocks = sum(isinstance(one, StoredBlock) for one in past.shared)
    return Grown(epochs, blocks, len(past.replica.state.accounts))


def _genesis(seeds: Sequence[NodeSeeds], epochs: int, guests: Sequence[AccountId]) -> Genesis:
    founders = [Founder(account_of(one.signing), vrf.public_key(one.randomness)) for one in seeds]
    terms = with_fields(local(), epoch_rounds=EPOCH_ROUNDS)
    genesis = make_genesis("benchmark", terms, founders, None)
    payers = (benchmark_account(number).identifier for number in range(PAYERS))
    allocations = tuple(Allocation(one, 10_000 * CREDIT) for one in (*payers, *guests))
    past_ms = epochs * EPOCH_ROUNDS * terms.minimum_round_ms + MARGIN_MS
    return with_fields(
        genesis,
        allocations=genesis.allocations + allocations,
        time_ms=time.time_ns() // MILLISECOND - past_ms,
    )


@dataclass(slots=True)
class _Member:
    """One of those who propose: its pool holds what it has signed itself."""

    seeds: NodeSeeds
    account: AccountId
    candidate: Candidate
    nonces: Iterator[int] = field(default_factory=count)
    waiting: list[VerifiedOperation] = field(default_factory=list)
    slots: list[JournalRecord] = field(default_factory=list)


class _Past:
    """A network's life in lockstep, and what each member keeps of it."""

    def __init__(
        self, genesis: Genesis, seeds: Sequence[NodeSeeds], epochs: int, accounts: int
    ) -> None:
        self.replica_genesis = genesis
        self._epochs = epochs
        self.replica = Replica(genesis, REAL)
        self.shared: list[JournalRecord] = []
        self.snapshots: list[tuple[SnapshotMark, tuple[bytes, ...]]] = []
        self.members = [self._member(one) for one in seeds]
        self._validators = self._seats()
        self._gifts = self._transfers(accounts)

    def live(self) -> None:
        """Go on until enough epochs have ended."""
        pace = self.replica.parameters.minimum_round_ms * MILLISECOND
        for number in count(1):
            if self.replica.ledger.committee.epoch >= self._epochs:
                return
            now = number * pace
            for member in self.members:
                self._owe(member, now)
            for block in [self._propose(index, now) for index in range(len(self.members))]:
                self._take(block)

    def _member(self, seeds: NodeSeeds) -> _Member:
        secrets = (seeds.signing, seeds.randomness)
        candidate = Candidate(secrets, self.replica.state, REAL)
        return _Member(seeds, account_of(seeds.signing), candidate)

    def _seats(self) -> list[Validator]:
        replica = self.replica
        found = []
        for one in self.members:
            member = replica.ledger.committee.index_of(one.account)
            assert member is not None, "nobody is ever silent"
            secrets = (one.seeds.signing, one.seeds.randomness)
            terms = replica.parameters
            found.append(Validator(replica.ledger, member, secrets, replica.network, terms, REAL))
        return found

    def _transfers(self, accounts: int) -> Iterator[VerifiedOperation]:
        """Gifts to accounts that nobody has seen, until there are enough; the payers take turns."""
        payers = [benchmark_account(number) for number in range(PAYERS)]
        state = self.replica.state
        for turn in cycle(range(PAYERS)):
            if turn == 0 and len(state.accounts) >= accounts:
                return
            nonce = state.next_nonce(payers[turn].identifier)
            assert nonce is not None, "every payer has an account"
            key = account_of(turn.to_bytes(16, "big") + nonce.to_bytes(16, "big"))
            yield self._signed(payers[turn], nonce, Transfer(AccountId(key), CREDIT))

    def _owe(self, member: _Member, now: int) -> None:
        """Sign what an account owes the ledger: that it is there, and how epochs ended."""
        final = self.replica.state.next_nonce(member.account) or 0
        member.waiting = [one for one in member.waiting if one.operation.nonce >= final]
        waiting = [one.operation.payload for one in member.waiting]
        for payload in member.candidate.duties(waiting, now):
            member.waiting.append(self._duty(member, payload))

    def _duty(self, member: _Member, payload: EpochPayload) -> VerifiedOperation:
        signer = Account(member.seeds.signing, member.account)
        return self._signed(signer, next(member.nonces), payload)

    def _signed(self, signer: Account, nonce: int, payload: Payload) -> VerifiedOperation:
        operation = Operation(
            version=VERSION,
            network=self.replica.network,
            account=signer.identifier,
            nonce=nonce,
            last_epoch=self.replica.ledger.committee.epoch + 4,
            payload=payload,
        )
        return sign_operation(operation, signer.seed, REAL)

    def _propose(self, index: int, now: int) -> VerifiedBlock:
        pool = OperationPool(self.replica.parameters, self.replica.state.next_nonce)
        pool.begin(self.replica.ledger.committee.epoch)
        for one in self.members[index].waiting:
            pool.add(one, Round(0), own=True)
        for gift in islice(self._gifts, GIFTS_EACH):
            pool.add(gift, Round(0), own=True)
        return self._validators[index].propose(pool, now)

    def _take(self, block: VerifiedBlock) -> None:
        body = block.block
        if body.epoch != self.replica.ledger.committee.epoch:
            return
        taken = self.replica.take(block)
        stored = StoredBlock(block.digest, body.author, body.round, body.epoch, block.raw)
        self.shared.append(stored)
        slot = OwnSlot(body.epoch, Round(body.round), block.digest)
        self._author(MemberIndex(body.author)).slots.append(slot)
        for one in taken.applied:
            self.shared.append(FinalCommit(one.commit.index, one.commit.digest, one.state_digest))
            for kept in certificates_in(self.replica.state, one.facts):
                self.shared.append(StoredCertificate(kept.epoch, kept.raw))
        if self.replica.begin_epoch():
            self._validators = self._seats()
            if self.replica.ledger.committee.epoch > self._epochs - SNAPSHOTS_KEPT:
                self._keep_snapshot()

    def _author(self, index: MemberIndex) -> _Member:
        account = self.replica.ledger.committee.members[index].account
        return next(one for one in self.members if one.account == account)

    def _keep_snapshot(self) -> None:
        """Keep the state as it is now; the members differ in the nonce alone, which is noted."""
        end = snapshot_of_end(self.replica.state, self.members[0].account)
        kept = mark_of(end.snapshot, end.own_nonce), tuple(end.snapshot.pages)
        self.snapshots.append(kept)


async def _store(root: Path, past: _Past, seeds: NodeSeeds) -> None:
    account = account_of(seeds.signing)
    member = next(one for one in past.members if one.account == account)
    records = past.shared + member.slots
    opening = open_journal(root, past.replica.network, account, hash_block=stored_digest)
    async with opening as journal:
        for begin in range(0, len(records), BATCH):
            await journal.append(records[begin : begin + BATCH])
        for mark, pages in past.snapshots:
            await journal.write_snapshot(mark, iter(pages))
