from dataclasses import replace

import pytest

from p2pnode.offline.export_file import RecordedFinal
from p2pnode.offline.findings import BadEntry
from p2pnode.offline.replaying import VOTES_KEPT, Replay, Votes
from p2pnode.storage import FinalCommit, StoredBlock
from protocol.encoding import content_digest
from protocol.ledger.committee import Committee
from protocol.messages import Checkpoint
from protocol.units import Credits, Digest, MemberIndex, Signature
from tests.p2pnode.offline.builders import town_of_epochs, town_with_a_job
from tests.support.builders import account_id, make_genesis

OURS = (content_digest(b"commit"), content_digest(b"state"))
THEIRS = (content_digest(b"commit"), content_digest(b"other state"))


def votes() -> Votes:
    return Votes(Committee.of_genesis(make_genesis(validators=4)))


def checkpoint(index: int, vote: tuple[Digest, Digest]) -> Checkpoint:
    return Checkpoint(index, vote[0], vote[1], Signature(bytes(64)))


def test_a_minority_may_sign_another_state_and_is_counted() -> None:
    heard = votes()
    assert heard.derive(8, OURS)
    assert heard.hear(MemberIndex(0), checkpoint(8, THEIRS))
    assert heard.hear(MemberIndex(0), checkpoint(8, THEIRS))
    assert heard.hear(MemberIndex(1), checkpoint(8, OURS))
    assert (heard.agreeing, heard.differing) == (1, 2)


def test_more_than_a_minority_that_signed_another_state_is_noticed() -> None:
    heard = votes()
    heard.derive(8, OURS)
    assert heard.hear(MemberIndex(0), checkpoint(8, THEIRS))
    assert not heard.hear(MemberIndex(1), checkpoint(8, THEIRS))


def test_votes_that_come_before_the_commit_count_as_well() -> None:
    heard = votes()
    for member in range(2):
        assert heard.hear(MemberIndex(member), checkpoint(8, THEIRS))
    assert not heard.derive(8, OURS)


def test_what_is_remembered_of_votes_is_bounded() -> None:
    heard = votes()
    for index in range(1, 10 * VOTES_KEPT):
        heard.hear(MemberIndex(0), checkpoint(10_000 + index, THEIRS))
        heard.derive(index, OURS)
        heard.hear(MemberIndex(1), checkpoint(index, THEIRS))
    sizes = [len(heard._own), len(heard._early), len(heard._liars)]
    assert sizes == [VOTES_KEPT] * 3


def test_a_credit_out_of_nowhere_is_noticed() -> None:
    town = town_with_a_job()
    replay = Replay(town.genesis, lambda index: None)
    blocks = [one.raw for one in town.members[0].records if isinstance(one, StoredBlock)]
    for index, raw in enumerate(blocks[:50], start=1):
        replay.take(index, raw)
    replay.finish(0)
    accounts = replay.replica.state.accounts
    rich = accounts.of(account_id(1))
    accounts._accounts[account_id(1)] = replace(rich, available=Credits(rich.available + 1))
    with pytest.raises(BadEntry) as caught:
        replay.finish(0)
    assert (caught.value.index, caught.value.code) == (50, "not_conserved")


def test_the_derivation_follows_the_epochs_of_its_ledger() -> None:
    town = town_of_epochs()
    core = town.members[0].core
    records = town.members[0].records
    assert core.state.committee.epoch >= 3
    finals = {one.index: one for one in records if isinstance(one, FinalCommit)}
    recorded = {
        index: RecordedFinal(one.index, Digest(one.digest), Digest(one.state_digest))
        for index, one in finals.items()
    }
    replay = Replay(town.genesis, recorded.get)
    for index, one in enumerate(records, start=1):
        if isinstance(one, StoredBlock):
            replay.take(index, one.raw)
    replay.finish(max(finals))
    state = replay.replica.state
    assert state.digest == core.state.digest
    assert state.committee.epoch == core.state.committee.epoch
    assert [closed.digest for closed in state.epochs.closed] == [
        closed.digest for closed in core.state.epochs.closed
    ]
    assert state.epochs.closed[0].is_certified
    assert replay.summary().votes_agreeing > 0


def test_a_block_of_an_epoch_that_is_over_is_out_of_place() -> None:
    town = town_of_epochs()
    blocks = [one for one in town.members[0].records if isinstance(one, StoredBlock)]
    replay = Replay(town.genesis, lambda index: None)
    for index, one in enumerate(blocks, start=1):
        replay.take(index, one.raw)
    with pytest.raises(BadEntry) as caught:
        replay.take(len(blocks) + 1, blocks[0].raw)
    assert caught.value.code == "past_epoch"
