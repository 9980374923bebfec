"""Every kind of entry reaches the root, and what is loaded is no change."""

import pytest

from protocol.compact import pack
from protocol.economy.reputation import NEWCOMER, Reputation
from protocol.economy.uptime import Uptime
from protocol.encoding import digest_of
from protocol.entries import (
    ACCOUNT,
    HEADER,
    KINDS,
    REPUTATION,
    Entries,
    Table,
    single,
)
from protocol.errors import Reason, Rejected
from protocol.tree.tree import Tree
from protocol.units import AccountId, Epoch, Round
from tests.support.builders import HandLedger, account_id, make_state

ANN = account_id(0)
GOOD = Reputation(right=5)


def test_no_number_or_name_is_given_twice() -> None:
    assert [kind.number for kind in KINDS] == list(range(len(KINDS)))
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert ACCOUNT.key(ANN) == b"\x01" + ANN


def test_a_table_is_in_the_root_as_it_is_now() -> None:
    table = Table[AccountId, Reputation]()
    entries = Entries([table.section(REPUTATION)])
    assert entries.seal() == Tree().root
    table.set(ANN, Reputation(right=1))
    table.set(ANN, GOOD)
    packed = [(REPUTATION.key(ANN), pack(GOOD))]
    assert entries.seal() == Tree().updated(packed).root
    assert list(entries.packed()) == packed
    assert table.get(ANN, NEWCOMER) == GOOD


def test_pages_being_written_do_not_show_later_changes() -> None:
    table = Table[AccountId, Reputation]()
    entries = Entries([table.section(REPUTATION)])
    table.set(ANN, GOOD)
    written = entries.packed()
    table.set(ANN, NEWCOMER)
    table.set(account_id(1), GOOD)
    assert list(written) == [(REPUTATION.key(ANN), pack(GOOD))]


def test_a_single_value_is_written_when_it_is_another_one() -> None:
    header = make_state()._header()
    held = [header]
    section = single(HEADER, lambda: held[0], lambda value: held.__setitem__(0, value))
    assert list(section.changes()) == [(b"\x00", pack(header))]
    assert list(section.changes()) == []
    section.take(b"", pack(header))
    assert (held, list(section.changes())) == ([header], [])


def loaded(table: Table[AccountId, Reputation], *packed: tuple[bytes, bytes]) -> Entries:
    entries = Entries([table.section(REPUTATION)])
    entries.load(packed, Tree().updated(packed).root)
    return entries


def test_what_is_loaded_is_no_change() -> None:
    table = Table[AccountId, Reputation]()
    packed = (REPUTATION.key(ANN), pack(GOOD))
    entries = loaded(table, packed)
    assert table.get(ANN, NEWCOMER) == GOOD
    assert entries.seal() == Tree().updated([packed]).root
    assert list(table.section(REPUTATION).changes()) == []


@pytest.mark.parametrize(
    "packed",
    [
        (b"", pack(GOOD)),
        (b"\x77key", pack(GOOD)),
        (REPUTATION.key(ANN), b""),
        (REPUTATION.key(ANN), pack(Round(1))),
    ],
)
def test_entries_of_another_version_are_refused(packed: tuple[bytes, bytes]) -> None:
    with pytest.raises(Rejected) as refusal:
        loaded(Table[AccountId, Reputation](), packed)
    assert refusal.value.reason is Reason.MALFORMED


def test_nothing_is_loaded_under_another_root() -> None:
    table = Table[AccountId, Reputation]()
    entries = Entries([table.section(REPUTATION)])
    with pytest.raises(Rejected) as refusal:
        entries.load([(REPUTATION.key(ANN), pack(GOOD))], digest_of(b"another"))
    assert refusal.value.reason is Reason.WRONG_ROOT
    assert table.get(ANN, NEWCOMER) is NEWCOMER


def test_a_states_entries_are_of_every_kind() -> None:
    ledger = HandLedger()
    ledger.start()
    ledger.state._reputations.set(ANN, GOOD)
    ledger.state.earnings.attendance.load(ANN, Uptime(Epoch(3), b"\x01"))
    kinds = {key[0] for key, _ in ledger.state._entries.packed()}
    assert kinds == {kind.number for kind in KINDS}
