"""A state that is loaded where an epoch ended, next to the one that lived through it."""

from dataclasses import replace

import pytest

from protocol.errors import Reason, Rejected
from protocol.facts import EpochCertified, EpochClosed
from protocol.ledger.certificate import Boundary
from protocol.ledger.committee import Committee
from protocol.messages import Registration, StakeDeposit
from protocol.signing import REAL
from protocol.state import State
from tests.support.builders import STAKE, vrf_key
from tests.support.town import DOT, NEW, Town


def town_at_an_end() -> Town:
    """Epoch 2 has just begun: somebody was evicted and is back, a newcomer has registered."""
    town = Town()
    town.commit((9, StakeDeposit(STAKE)), (9, Registration(vrf_key(9))))
    town.close(0, 1, 2)
    town.commit((3, town.lease()), (0, town.attestation(0)))
    (closed,) = town.close(0, 1, 2)
    assert isinstance(closed, EpochClosed)
    assert closed.joined == (DOT,)
    return town


def loaded(town: Town, end: Boundary | None = None) -> State:
    own = town.state.epochs.closed[-1].boundary
    first = Committee.of_genesis(town.genesis)
    pages = list(town.state.encode_pages())
    state = State.load(town.genesis, first, REAL, pages, own.state_digest)
    state.epochs.resume(end or own)
    return state


def test_a_state_loaded_at_an_end_goes_on_like_the_one_that_came_there_by_itself() -> None:
    town = town_at_an_end()
    copy = loaded(town)
    assert copy.committee.members == town.state.committee.members
    assert copy.committee.genesis_digests == town.state.committee.genesis_digests
    assert [one.digest for one in copy.epochs.closed] == [
        one.digest for one in town.state.epochs.closed
    ]
    known = len(town.applied)
    attested = [(number, town.attestation(number)) for number in (0, 1, 2)]
    town.commit((9, town.lease()), *attested[:1])
    town.commit(*attested[1:])
    town.close(0, 1, 2, 3)
    town.commit((9, town.lease()))
    town.close(0, 1, 2, 3)
    again = [copy.apply(*one) for one in town.applied[known:]]
    assert again == town.facts[known:]
    assert EpochCertified(1) in town.facts[known + 1]
    assert copy.digest == town.state.digest
    assert copy.committee.members == town.state.committee.members
    assert copy.committee.index_of(NEW) is not None, "it asked in time, both times"


def test_the_pages_of_an_end_are_those_under_the_root_that_its_members_attest() -> None:
    town = town_at_an_end()
    assert town.state.digest == town.state.epochs.closed[-1].boundary.state_digest
    assert list(loaded(town).encode_pages()) == list(town.state.encode_pages())


@pytest.mark.parametrize("field", ["network", "epoch", "committee"])
def test_a_state_does_not_go_on_from_an_end_that_is_not_its_own(field: str) -> None:
    town = town_at_an_end()
    boundary = town.state.epochs.closed[-1].boundary
    other = 7 if field == "epoch" else bytes(32)
    with pytest.raises(Rejected) as caught:
        loaded(town, replace(boundary, **{field: other}))
    assert caught.value.reason is Reason.WRONG_EPOCH
