"""Seats, candidates, convictions and certificates, as a state driven by hand keeps them."""

import pytest
from msgspec.structs import replace

from protocol.encoding import digest_of
from protocol.errors import Reason
from protocol.facts import (
    BoundaryDisputed,
    CommitteeTooLight,
    EpochCertified,
    EpochClosed,
    OperationFailed,
    Slashed,
    StateFact,
)
from protocol.ledger.certificate_chain import CertificateChain
from protocol.ledger.certified import encode_certificate
from protocol.ledger.committee import Committee
from protocol.ledger.epoch_record import CLOSED_MAX
from protocol.messages import (
    EpochAttestation,
    EpochPayload,
    Lease,
    Registration,
    StakeDeposit,
    StakeWithdrawal,
)
from protocol.parameters import minimal
from protocol.signing import EPOCH, REAL
from protocol.state import State
from protocol.units import CREDIT, Digest, Epoch, Round
from tests.support.builders import (
    STAKE,
    account_id,
    account_seed,
    vrf_key,
)
from tests.support.contradiction import contradict
from tests.support.town import ANN, BEA, CID, DOT, NEW, Town


def test_members_that_were_there_to_the_end_go_on() -> None:
    town = Town()
    (closed,) = town.close(0, 1, 2, 3)
    assert closed == EpochClosed(0, 1, 20, 4, 40_000, (), ())
    assert town.state.committee.epoch == 1
    assert sorted(town.accounts) == sorted([ANN, BEA, CID, DOT])


def test_a_member_whose_last_block_is_of_the_first_half_is_left_out() -> None:
    town = Town()
    town.commit(present={3: 10})
    (closed,) = town.commit(closes=True, present={0: 20, 1: 11, 2: 11})
    assert isinstance(closed, EpochClosed)
    assert (closed.left, closed.weight) == ((DOT,), 30_000)
    assert town.state.accounts.of(DOT).staked == STAKE, "silence costs nothing"


def test_an_evicted_member_returns_by_its_lease_two_epochs_later() -> None:
    town = Town()
    town.close(0, 1, 2)
    assert town.state.epochs.may_lease(DOT)
    town.commit((3, town.lease()))
    assert not town.state.epochs.may_lease(DOT)
    (closed,) = town.close(0, 1, 2)
    assert isinstance(closed, EpochClosed)
    assert closed.joined == (DOT,), "its stake was recorded when it was evicted"


def test_stake_that_comes_in_counts_an_epoch_after_it_was_recorded() -> None:
    town = Town()
    town.commit((9, StakeDeposit(STAKE)), (9, Registration(vrf_key(9))))
    assert not town.state.epochs.may_lease(NEW), "its key counts two epochs later"
    town.close(0, 1, 2, 3)
    town.commit((9, town.lease()), (0, StakeDeposit(CREDIT)))
    (closed,) = town.close(0, 1, 2, 3)
    assert isinstance(closed, EpochClosed)
    assert closed.joined == (NEW,)
    weights = {one.account: one.weight for one in town.state.committee.members}
    assert weights[ANN] == 10_000, "what it added has not been there for an epoch"
    town.close(0, 1, 2, 3, 9)
    weights = {one.account: one.weight for one in town.state.committee.members}
    assert weights[ANN] == 10_001


def test_whoever_lets_an_epoch_pass_without_a_lease_is_no_candidate_in_it() -> None:
    town = Town()
    town.close(0, 1, 2)
    town.close(0, 1, 2)
    town.commit((3, town.lease()))
    (closed,) = town.close(0, 1, 2)
    assert isinstance(closed, EpochClosed)
    assert closed.joined == (), "nobody recorded its stake"
    town.commit((3, town.lease()))
    (closed,) = town.close(0, 1, 2)
    assert isinstance(closed, EpochClosed)
    assert closed.joined == (DOT,)


def test_the_heaviest_take_the_seats() -> None:
    town = Town(parameters=replace(minimal(), committee_max=3))
    town.commit((3, StakeDeposit(CREDIT)))
    town.close(0, 1, 2, 3)
    by_key = sorted([ANN, BEA, CID, DOT])[:3]
    assert sorted(town.accounts) == by_key, "of equals, the lower key wins"


def test_a_key_registered_by_a_member_counts_two_epochs_later() -> None:
    town = Town()
    town.commit((0, Registration(vrf_key(40))))
    keys = []
    for _ in range(2):
        town.close(0, 1, 2, 3)
        (member,) = (one for one in town.state.committee.members if one.account == ANN)
        keys.append(member.vrf_key)
    assert keys == [vrf_key(0), vrf_key(40)]


def test_an_equivocator_loses_its_seat_until_it_asks_for_one() -> None:
    town = Town()
    number = town.state.committee.index_of(BEA)
    assert number is not None
    facts = town.commit(equivocations=((number, Round(3)),))
    assert [type(fact) for fact in facts] == [Slashed]
    (closed,) = town.close(0, 1, 2, 3)
    assert isinstance(closed, EpochClosed)
    assert closed.left == (BEA,)
    town.commit((1, town.lease()))
    (closed,) = town.close(0, 2, 3)
    assert isinstance(closed, EpochClosed)
    assert closed.joined == (BEA,)


def test_members_that_all_withdraw_in_one_epoch_leave_a_committee_behind() -> None:
    town = Town()
    facts = town.commit(*((number, StakeWithdrawal(STAKE)) for number in range(4)))
    told = "the members would weigh 10000, and at least 13332 must"
    assert [(one.account, one.reason, one.detail) for one in failures(facts)] == [
        (CID, Reason.SEAT_NEEDED, told),
        (DOT, Reason.SEAT_NEEDED, told),
    ]
    (closed,) = town.close(0, 1, 2, 3)
    assert isinstance(closed, EpochClosed)
    assert (sorted(closed.left), town.state.epochs.stopped) == (sorted([ANN, BEA]), "")
    assert sorted(town.accounts) == sorted([CID, DOT])


def test_the_last_members_may_go_once_others_have_their_seats() -> None:
    town = Town(parameters=replace(minimal(), committee_weight_epochs=2))
    town.commit(*((number, StakeWithdrawal(STAKE)) for number in range(3)))
    town.commit((9, StakeDeposit(STAKE)), (9, Registration(vrf_key(9))))
    town.close(0, 1, 2, 3)
    assert sorted(town.accounts) == sorted([CID, DOT])
    town.commit((9, town.lease()), (2, StakeWithdrawal(STAKE)))
    assert town.state.accounts.of(CID).staked == STAKE, "the newcomer has no seat yet"
    town.close(2, 3)
    assert sorted(town.accounts) == sorted([CID, DOT, NEW])
    town.commit((2, StakeWithdrawal(STAKE)), (3, StakeWithdrawal(STAKE)))
    assert town.state.accounts.of(CID).staked == town.state.accounts.of(DOT).staked == 0
    town.close(2, 3, 9)
    assert town.accounts == [NEW]
    assert town.state.epochs.stopped == ""


def test_a_convicted_member_is_not_counted_on_and_may_go_itself() -> None:
    town = Town()
    number = town.state.committee.index_of(ANN)
    assert number is not None
    town.commit(equivocations=((number, Round(3)),))
    left = town.state.accounts.of(ANN).staked
    facts = town.commit(
        (1, StakeWithdrawal(STAKE)), (2, StakeWithdrawal(STAKE)), (0, StakeWithdrawal(left))
    )
    assert [one.account for one in failures(facts)] == [CID]


def failures(facts: tuple[StateFact, ...]) -> list[OperationFailed]:
    return [fact for fact in facts if isinstance(fact, OperationFailed)]


def test_a_ledger_that_loses_too_much_weight_forms_no_committee() -> None:
    town = Town(parameters=replace(minimal(), committee_weight_min=5_001))
    before = town.state.committee
    (halted,) = town.close(0, 1)
    assert halted == CommitteeTooLight(0, 2, 20_000, 20_004)
    assert (
        town.state.epochs.stopped == "the next committee would weigh 20000, and at least 20004 must"
    )
    assert town.state.committee is before


def test_the_weight_is_compared_with_that_of_some_epochs_ago() -> None:
    terms = replace(minimal(), committee_weight_min=5_001, committee_weight_epochs=2)
    town = Town(parameters=terms)
    town.close(0, 1, 2)
    town.close(0, 1, 2)
    town.close(0, 1)
    assert town.state.epochs.stopped == "", "20,000 is more than half of 30,000"


@pytest.mark.parametrize(
    ("number", "payload", "reason"),
    [
        (9, Registration(vrf_key(9)), Reason.INSUFFICIENT_STAKE),
        (0, Lease(Digest(bytes(32))), Reason.ALREADY_COUNTED),
        (0, Lease(digest_of(b"no", b"beacon")), Reason.WRONG_EPOCH),
        (0, EpochAttestation(0, Digest(bytes(32)), bytes(64)), Reason.WRONG_EPOCH),
    ],
)
def test_what_an_epoch_has_no_use_for_is_refused(
    number: int, payload: EpochPayload, reason: Reason
) -> None:
    town = Town()
    if reason is Reason.ALREADY_COUNTED:
        town.commit((0, town.lease()))
    assert town.refusal(number, payload) is reason


def test_a_lease_needs_a_key_for_random_values() -> None:
    town = Town()
    town.commit((9, StakeDeposit(STAKE)))
    assert town.refusal(9, town.lease()) is Reason.NOT_REGISTERED


def test_a_key_is_registered_once_an_epoch() -> None:
    town = Town()
    town.commit((0, Registration(vrf_key(40))))
    assert town.refusal(0, Registration(vrf_key(41))) is Reason.ALREADY_COUNTED


def test_a_lease_that_comes_an_epoch_late_costs_nothing_and_counts_for_nothing() -> None:
    town = Town()
    late = town.lease()
    town.close(0, 1, 2)
    available = town.state.accounts.of(DOT).available
    facts = town.commit((3, late))
    assert not [fact for fact in facts if isinstance(fact, OperationFailed)]
    assert town.state.accounts.of(DOT).available == available
    assert town.state.epochs.may_lease(DOT)


def test_a_quorum_of_attestations_certifies_how_an_epoch_ended() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    facts = town.commit(*((number, town.attestation(number)) for number in (0, 1, 2, 3)))
    assert [fact for fact in facts if isinstance(fact, EpochCertified)] == [EpochCertified(0)]
    closed = town.state.epochs.closed[-1]
    assert closed.is_certified
    for index, signature in closed.signatures.items():
        account = closed.committee.members[index].account
        REAL.verify(account, EPOCH, closed.boundary.digest, signature)
    assert closed.boundary.beacon == town.state.committee.beacon_at_start
    assert closed.boundary.state_digest != town.state.digest


def attested_late(town: Town, number: int, epoch: int) -> EpochAttestation:
    """The word of a member of an earlier epoch, which the state may still wait for."""
    digest = town.state.epochs.closed[0].digest
    assert town.state.epochs.closed[0].boundary.epoch == epoch
    return EpochAttestation(epoch, digest, REAL.sign(account_seed(number), EPOCH, digest))


def closed_epochs(town: Town) -> list[int]:
    return [one.boundary.epoch for one in town.state.epochs.closed]


def pass_epochs(town: Town, count: int) -> None:
    """Epochs whose members attest their ends at once."""
    for _ in range(count):
        town.close(0, 1, 2, 3)
        town.commit(*((number, town.attestation(number)) for number in (0, 1, 2)))


def test_an_end_that_was_not_attested_in_time_is_certified_later_and_the_chain_goes_on() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    town.commit((0, town.attestation(0)), (1, town.attestation(1)))
    pass_epochs(town, 4)
    assert closed_epochs(town) == [0, 1, 2, 3, 4]
    certified = [town.state.epochs.certificate(Epoch(epoch)) for epoch in range(5)]
    assert [one is not None for one in certified] == [False, True, True, True, True]
    owed = [one.boundary.epoch for one in town.state.epochs.owed_by(account_id(3))]
    assert owed == [0, 1, 2, 3, 4], "who comes back attests what it owes"
    facts = town.commit((3, attested_late(town, 3, 0)))
    assert EpochCertified(Epoch(0)) in facts
    chain = CertificateChain(town.genesis, REAL)
    for epoch in range(5):
        certificate = town.state.epochs.certificate(Epoch(epoch))
        assert certificate is not None
        chain.extend(encode_certificate(certificate))
    assert chain.newest == town.state.epochs.closed[-1].boundary
    pass_epochs(town, 1)
    assert closed_epochs(town) == [4, 5], "what is certified is let go"


def test_an_end_that_nobody_attests_is_waited_for_so_long_and_no_longer() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    pass_epochs(town, CLOSED_MAX - 1)
    assert closed_epochs(town) == list(range(CLOSED_MAX))
    late = attested_late(town, 0, 0)
    town.state.epochs.check(ANN, late)
    pass_epochs(town, 1)
    assert closed_epochs(town) == [CLOSED_MAX - 1, CLOSED_MAX]
    assert town.refusal(0, late) is Reason.WRONG_EPOCH


def test_another_end_is_heard_for_two_epochs_and_no_longer() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    other = digest_of(b"another", b"end")
    disputes = [town.attestation(number, other) for number in (0, 1)]
    pass_epochs(town, 1)
    town.commit((0, disputes[0]))
    assert len(town.state.epochs.closed[0].disputing) == 1
    pass_epochs(town, 1)
    assert closed_epochs(town) == [0, 1, 2], "it waits for its certificate"
    assert town.refusal(1, disputes[1]) is Reason.WRONG_EPOCH
    town.commit((1, attested_late(town, 1, 0)))
    assert town.state.epochs.stopped == ""


def test_a_state_that_waits_for_an_old_end_is_loaded_as_it_was() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    pass_epochs(town, 3)
    town.close(0, 1, 2, 3)
    boundary = town.state.epochs.closed[-1].boundary
    pages = list(town.state.encode_pages())
    first = Committee.of_genesis(town.genesis)
    other = State.load(town.genesis, first, REAL, iter(pages), boundary.state_digest)
    other.epochs.resume(boundary)
    assert other.epochs.record() == town.state.epochs.record()
    assert closed_epochs(town) == [0, 1, 2, 3, 4]


def test_an_attestation_counts_once_and_only_of_members() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    assert town.refusal(9, town.attestation(9)) is Reason.NOT_A_MEMBER
    stolen = replace(town.attestation(0), signature=town.attestation(1).signature)
    assert town.refusal(0, stolen) is Reason.BAD_SIGNATURE
    assert list(town.state.epochs.owed_by(ANN)) == [town.state.epochs.closed[-1]]
    town.commit((0, town.attestation(0)))
    assert list(town.state.epochs.owed_by(ANN)) == []
    assert town.refusal(0, town.attestation(0)) is Reason.ALREADY_COUNTED


def test_a_lone_liar_about_an_end_is_named_and_more_than_a_minority_halts_the_ledger() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    other = digest_of(b"another", b"end")
    facts = town.commit((0, town.attestation(0, other)))
    assert [fact for fact in facts if isinstance(fact, BoundaryDisputed)] == [
        BoundaryDisputed(0, ANN)
    ]
    assert town.state.epochs.stopped == ""
    town.commit((1, town.attestation(1, other)))
    assert town.state.epochs.stopped == "members signed another end of epoch 0"
    assert not town.state.epochs.closed[-1].is_certified


def test_the_next_committee_binds_how_the_epoch_ended() -> None:
    one, other = Town(), Town()
    other.commit((0, Registration(vrf_key(40))))
    for town in (one, other):
        town.close(0, 1, 2, 3)
    first, second = one.state.committee, other.state.committee
    assert [m.account for m in first.members] == [m.account for m in second.members]
    assert set(first.genesis_digests).isdisjoint(second.genesis_digests)


def test_a_contradiction_of_the_last_epoch_is_punished_once_and_one_before_it_is_not() -> None:
    town = Town()
    evidence = contradict(town.state.committee, 1)
    town.close(0, 1, 2, 3)
    facts = town.commit((0, evidence))
    assert [fact.account for fact in facts if isinstance(fact, Slashed)] == [BEA]
    (again,) = town.commit((2, evidence))
    assert isinstance(again, OperationFailed)
    assert again.reason is Reason.ALREADY_PUNISHED
    old = contradict(town.state.committee, 3)
    for _ in range(2):
        town.close(0, 1, 2, 3)
    (late,) = town.commit((2, old))
    assert isinstance(late, OperationFailed)
    assert late.reason is Reason.EVIDENCE_TOO_OLD


def test_a_window_of_rounds_goes_on_across_an_end() -> None:
    town = Town()
    town.close(0, 1, 2, 3)
    assert town.state.leader_round == 20
    town.commit()
    assert town.state.leader_round == 21
