"""Values of the state survive their bytes, and foreign bytes are refused by name."""

from dataclasses import dataclass, replace
from typing import Final

import pytest

from protocol.balances import Account, Unbonding
from protocol.compact import SHARED_MAX, pack, unpack
from protocol.economy.reputation import Reputation, Seen
from protocol.economy.slashing import Contradiction
from protocol.encoding import encode, pack_plain
from protocol.errors import Misuse, Reason, Rejected
from protocol.job.record import Job, Milestone, Phase
from protocol.job.transcript import PassedOver
from protocol.units import Credits, Epoch, JobId, MemberIndex, Milliseconds, Nonce, Round
from tests.support.builders import HandLedger, account_id

LIMIT: Final = 10**6
ACCOUNT = Account(
    Credits(5),
    Credits(6),
    (Unbonding(Credits(1), Milliseconds(2)),),
    ((JobId(bytes(32)), Credits(3)),),
    Credits(4),
    Nonce(7),
)


@dataclass(frozen=True, slots=True)
class Crowd:
    members: frozenset[Contradiction]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    member: Contradiction


@dataclass(frozen=True, slots=True)
class Formless:
    share: complex


def contradiction(number: int) -> Contradiction:
    return Contradiction(Epoch(0), MemberIndex(number), Round(1))


@pytest.mark.parametrize(
    "value",
    [
        Account(),
        ACCOUNT,
        Reputation(seen=(Seen(account_id(1), 2, 3),)),
        Crowd(frozenset(contradiction(number) for number in range(20))),
        Crowd(frozenset(), "none"),
        Alone(contradiction(1)),
    ],
)
def test_a_value_survives(value: object) -> None:
    assert unpack(pack(value), type(value), LIMIT) == value


def test_a_jobs_whole_record_survives() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    record = ledger.run(job, {ledger.running(job)[0]: b"wrong"})
    assert record.draw is not None
    assert record.slashes
    assert unpack(pack(record), Job, LIMIT) == record


def test_equal_sets_have_equal_bytes() -> None:
    one = [contradiction(number) for number in range(50)]
    assert pack(Crowd(frozenset(one))) == pack(Crowd(frozenset(reversed(one))))


def test_members_of_enumerations_go_by_their_names() -> None:
    passed = PassedOver(account_id(1), Reason.RESTING)
    assert pack(passed) == encode((account_id(1), "RESTING"))


def milestone(*row: object) -> bytes:
    return encode(tuple(row))


@pytest.mark.parametrize(
    ("reason", "raw"),
    [
        (Reason.MALFORMED, b""),
        (Reason.MALFORMED, b"\xc1"),
        (Reason.MALFORMED, encode("no array")),
        (Reason.MALFORMED, milestone("BIDDING", 1)),
        (Reason.MALFORMED, milestone("BIDDING", 1, 2, 3)),
        (Reason.MALFORMED, milestone("BIDDING", True, 2)),
        (Reason.MALFORMED, milestone("BIDDING", "1", 2)),
        (Reason.MALFORMED, milestone("FLYING", 1, 2)),
        (Reason.MALFORMED, milestone(3, 1, 2)),
        (Reason.TOO_LARGE, milestone("BIDDING", 1, b"long" * 20)),
    ],
)
def test_foreign_bytes_are_refused(reason: Reason, raw: bytes) -> None:
    assert unpack(milestone("BIDDING", 1, 2), Milestone, 64).phase is Phase.BIDDING
    with pytest.raises(Rejected) as refusal:
        unpack(raw, Milestone, 64)
    assert refusal.value.reason is reason


def test_a_message_inside_is_refused_like_any_message() -> None:
    record = HandLedger().start()
    raw = pack(record)
    offer = encode(record.offer)
    assert offer in raw
    with pytest.raises(Rejected) as refusal:
        unpack(raw.replace(offer, b"\x00" + offer[1:]), Job, LIMIT)
    assert refusal.value.reason is Reason.MALFORMED
    assert unpack(pack(replace(record, spares=())), Job, LIMIT).spares == ()


def test_a_type_without_a_form_is_our_mistake() -> None:
    with pytest.raises(Misuse):
        pack(Formless(1j))
    with pytest.raises(Misuse):
        unpack(b"\x90", Formless, LIMIT)


def test_equal_values_of_plain_fields_are_one_value_in_memory() -> None:
    one, other = (unpack(pack(Account(nonce=Nonce(number))), Account, LIMIT) for number in (1, 2))
    assert one.accrual == other.accrual == Account().accrual
    assert one.accrual is other.accrual


def test_what_equals_a_shared_value_but_has_another_type_is_refused() -> None:
    """True equals 1, and is none of the integers that the state has."""
    assert unpack(pack_plain([1, 2, 3]), Contradiction, LIMIT) == Contradiction(
        Epoch(1), MemberIndex(2), Round(3)
    )
    with pytest.raises(Rejected) as refusal:
        unpack(pack_plain([True, 2, 3]), Contradiction, LIMIT)
    assert refusal.value.reason is Reason.MALFORMED


def test_more_values_than_are_shared_come_out_right() -> None:
    for number in [*range(2 * SHARED_MAX), 0]:
        assert unpack(pack(contradiction(number)), Contradiction, LIMIT) == contradiction(number)
