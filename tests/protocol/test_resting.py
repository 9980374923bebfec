"""What a node keeps of an epoch's end is enough to begin there."""

from dataclasses import replace
from functools import cache

import pytest

from protocol import effects as fx
from protocol.errors import Reason, Rejected
from protocol.ledger.certified import open_certificate, verify_certificate
from protocol.ledger.committee import Committee
from protocol.replica import Replica
from protocol.simulator.scheme import FAKE
from protocol.snapshot import Snapshot, decode_boundary, encode_boundary
from protocol.state import State
from protocol.units import SECOND, Round
from tests.support.epoch_trace import Run, losing


class Kept:
    """Everything that one node asked to keep, and its state at each end as it was then."""

    def __init__(self) -> None:
        self.snapshots: list[fx.PersistSnapshot] = []
        self.certificates: list[fx.PersistCertificate] = []
        self.blocks: list[fx.PersistBlock] = []

    def event(self, time: int, node: int, event: object) -> None:
        pass

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if node != 0:
            return
        match effect:
            case fx.PersistSnapshot(snapshot, own_nonce):
                whole = Snapshot(snapshot.boundary, tuple(snapshot.pages))
                self.snapshots.append(fx.PersistSnapshot(whole, own_nonce))
            case fx.PersistCertificate():
                self.certificates.append(effect)
            case fx.PersistBlock():
                self.blocks.append(effect)
            case _:
                pass


@cache
def history() -> tuple[Run, Kept]:
    """Four nodes, some payments, several epochs; and what node 0 kept."""
    run, kept = Run(losing((), members=4)), Kept()
    run.world.nodes[0].surroundings.recorder.join([kept])  # type: ignore[attr-defined]
    run.until(22 * SECOND)
    assert len(kept.snapshots) >= 3
    return run, kept


def replayed(snapshot: Snapshot | None, until_epoch: int | None = None) -> Replica:
    """A replica that begins somewhere and takes all later blocks of node 0."""
    run, kept = history()
    replica = Replica(run.world.genesis, FAKE, snapshot)
    for effect in kept.blocks:
        if replica.ledger.committee.epoch == until_epoch:
            break
        block = replica.restored_block(effect.raw)
        if block is not None:
            replica.take(block)
            replica.begin_epoch()
    return replica


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_replica_at_an_end_is_the_one_that_lived_through_it(number: int) -> None:
    snapshot = history()[1].snapshots[number].snapshot
    opened = Replica(history()[0].world.genesis, FAKE, snapshot)
    lived = replayed(None, until_epoch=snapshot.boundary.epoch + 1)
    assert opened.ledger.last_commit == lived.ledger.last_commit
    assert opened.ledger.base_round == lived.ledger.base_round > Round(0)
    assert opened.ledger.committee.genesis_digests == lived.ledger.committee.genesis_digests
    assert opened.state.epochs.record() == lived.state.epochs.record()
    assert opened.state.digest == lived.state.digest


@pytest.mark.parametrize("number", [0, 1, 2])
def test_later_blocks_lead_from_a_snapshot_to_the_same_ledger(number: int) -> None:
    run, kept = history()
    core = run.world.nodes[0].core
    assert core is not None
    end = kept.snapshots[number].snapshot
    replica = replayed(end)
    assert replica.state.index == core.state.index > end.boundary.index
    assert replica.ledger.last_commit == core.ledger.last_commit
    assert replica.state.digest == core.state.digest
    assert list(replica.state.encode_pages()) == list(core.state.encode_pages())


def test_the_certificates_that_a_node_keeps_are_a_chain_from_genesis() -> None:
    run, kept = history()
    committee = Committee.of_genesis(run.world.genesis)
    assert [one.epoch for one in kept.certificates] == list(range(len(kept.certificates)))
    for one, snapshot in zip(kept.certificates, kept.snapshots, strict=False):
        certificate = open_certificate(one.raw)
        assert certificate.state_digest == snapshot.snapshot.boundary.state_digest
        committee = verify_certificate(certificate, committee, FAKE, churn_profile=False)
    assert committee.epoch == len(kept.certificates) >= 3
    disk = run.world.nodes[0].disk
    assert disk.certificates == {one.epoch: one.raw for one in kept.certificates}


def test_a_snapshot_says_where_the_nodes_own_operations_begin_again() -> None:
    run, kept = history()
    node = run.world.nodes[0]
    assert node.core is not None
    nonces = [one.own_nonce for one in kept.snapshots]
    for one in kept.snapshots:
        at_end = Replica(run.world.genesis, FAKE, one.snapshot).state
        assert at_end.next_nonce(node.core.account) == one.own_nonce
    assert nonces == sorted(nonces)
    assert nonces[-1] > nonces[0], "it has sent nothing, so this shows nothing"


def test_a_boundary_goes_through_a_store_unchanged() -> None:
    boundary = history()[1].snapshots[0].snapshot.boundary
    assert decode_boundary(encode_boundary(boundary)) == boundary
    for raw in (encode_boundary(boundary)[:-1], b"", b"\x90", bytes(2_000)):
        with pytest.raises(Rejected):
            decode_boundary(raw)


def refusal(snapshot: Snapshot) -> Reason:
    with pytest.raises(Rejected) as caught:
        Replica(history()[0].world.genesis, FAKE, snapshot)
    return caught.value.reason


def test_nothing_begins_from_a_snapshot_that_is_not_of_its_end() -> None:
    first, second = (one.snapshot for one in history()[1].snapshots[:2])
    flipped = bytes([first.pages[0][-1] ^ 1])  # type: ignore[index]
    damaged = (first.pages[0][:-1] + flipped, *first.pages[1:])  # type: ignore[index]
    assert refusal(replace(first, pages=damaged)) in (Reason.WRONG_ROOT, Reason.MALFORMED)
    assert refusal(replace(first, pages=())) is Reason.WRONG_ROOT
    assert refusal(Snapshot(first.boundary, second.pages)) is Reason.WRONG_ROOT
    later = replace(first.boundary, index=first.boundary.index + 1)
    assert refusal(Snapshot(later, first.pages)) is Reason.WRONG_EPOCH
    stranger = replace(first.boundary, epoch=first.boundary.epoch + 1)
    assert refusal(Snapshot(stranger, first.pages)) is Reason.WRONG_EPOCH


def test_the_pages_of_an_end_do_not_show_what_comes_after_it() -> None:
    run = Run(losing((), members=4)).until(9 * SECOND)
    core = run.world.nodes[0].core
    assert core is not None
    kept: list[Snapshot] = []

    class Listener:
        def event(self, time: int, node: int, event: object) -> None:
            pass

        def effect(self, time: int, node: int, effect: fx.Effect) -> None:
            if node == 0 and isinstance(effect, fx.PersistSnapshot):
                kept.append(effect.snapshot)

    run.world.nodes[0].surroundings.recorder.join([Listener()])  # type: ignore[attr-defined]
    run.until(17 * SECOND)
    index = core.state.index
    assert index > kept[0].boundary.index
    genesis = run.world.genesis
    first = Committee.of_genesis(genesis)
    pages, root = kept[0].pages, kept[0].boundary.state_digest
    assert State.load(genesis, first, FAKE, pages, root).index == kept[0].boundary.index
