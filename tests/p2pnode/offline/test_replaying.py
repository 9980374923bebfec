from dataclasses import replace

import pytest

from p2pnode.offline.findings import BadEntry
from p2pnode.offline.replaying import VOTES_KEPT, Replay, Votes
from p2pnode.storage import StoredBlock
from protocol.encoding import content_digest
from protocol.ledger.committee import Committee
from protocol.messages import Checkpoint
from protocol.units import Credits, Digest, MemberIndex, Signature
from tests.p2pnode.offline.builders import town_with_a_job
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
