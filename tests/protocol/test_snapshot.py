"""A state survives its pages, and pages from strangers are refused by name."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import pack_plain
from protocol.entries import VALUE_BYTES_MAX
from protocol.errors import Reason, Rejected
from protocol.messages import StakeDeposit, StakeWithdrawal
from protocol.signing import REAL
from protocol.snapshot import KEY_BYTES_MAX, PAGE_BYTES, PAGE_BYTES_MAX, decode_pages, encode_pages
from protocol.state import State
from protocol.units import CREDIT, Digest
from tests.support.builders import HandLedger, make_genesis, make_reveal

ROW = (b"key", b"value")


@cache
def busy_ledger() -> HandLedger:
    """Something of everything: jobs open and ended, an unbonding, a slash, a contradiction."""
    ledger = HandLedger()
    job = ledger.start().identifier
    ledger.run(job, {ledger.running(job)[0]: b"wrong"})
    ledger.deposit(1, amount=10 * CREDIT)
    ledger.do(1, StakeWithdrawal(CREDIT))
    ledger.turn(2)
    ledger.commit(equivocations=((0, 1),))  # type: ignore[arg-type]  # numbers of a member, a round
    second = ledger.start(bidders=range(2, 7)).identifier
    ledger.send_commitment(ledger.running(second)[0], make_reveal(second))
    ledger.open(3)
    return ledger


def load(pages: list[bytes], root: Digest | None = None) -> State:
    ledger = busy_ledger()
    root = ledger.state.digest if root is None else root
    return State.load(ledger.genesis, ledger.state.committee, REAL, pages, root)


def refusal_of(pages: list[bytes], root: Digest | None = None) -> Reason:
    with pytest.raises(Rejected) as refusal:
        load(pages, root)
    return refusal.value.reason


def test_a_loaded_state_is_the_same_and_goes_on_the_same() -> None:
    ledger = busy_ledger()
    pages = list(ledger.state.encode_pages())
    one, two = load(pages), load(pages)
    assert (one.digest, one.index, one.jobs) == (
        ledger.state.digest,
        ledger.state.index,
        ledger.state.jobs,
    )
    assert one.accounts.equals(ledger.state.accounts)
    assert one.awaiting_ledger == ledger.state.awaiting_ledger
    ahead = HandLedger(ledger.genesis)
    ahead.state = two
    for _ in range(200):
        facts = ahead.commit(step_ms=14_000)
        assert one.apply(*ahead.commits[-1]) == facts
        assert one.digest == two.digest
    assert not one.open_jobs, "deadlines came although nothing but entries was loaded"
    assert not one.accounts.totals.unbonding, "and so did unbonding stake"
    ahead.state = one
    ahead.do(1, StakeDeposit(CREDIT))


def test_pages_are_filled_and_bounded() -> None:
    rows = [(b"key %06d" % number, bytes(2_000)) for number in range(1_000)]
    pages = list(encode_pages(rows))
    assert decode_pages(pages) == rows
    assert all(PAGE_BYTES - 8_192 < len(page) <= PAGE_BYTES for page in pages[:-1])
    large = [*rows[:3], (b"large", bytes(VALUE_BYTES_MAX))]
    assert [len(page) <= PAGE_BYTES_MAX for page in encode_pages(large)] == [True, True]
    assert list(encode_pages([])) == []


@pytest.mark.parametrize(
    ("reason", "page"),
    [
        (Reason.MALFORMED, b""),
        (Reason.MALFORMED, b"\xc1"),
        (Reason.MALFORMED, pack_plain(7)),
        (Reason.MALFORMED, pack_plain([])),
        (Reason.MALFORMED, pack_plain([b"key"])),
        (Reason.MALFORMED, pack_plain([b"key", 7])),
        (Reason.MALFORMED, pack_plain(["key", b"value"])),
        (Reason.MALFORMED, pack_plain([b"", b"value"])),
        (Reason.MALFORMED, pack_plain([b"b", b"", b"a", b""])),
        (Reason.MALFORMED, pack_plain([b"a", b"", b"a", b""])),
        (Reason.TOO_LARGE, pack_plain([bytes(KEY_BYTES_MAX + 1), b""])),
        (Reason.TOO_LARGE, pack_plain([b"a", bytes(VALUE_BYTES_MAX + 1)])),
        (Reason.TOO_LARGE, pack_plain([b"a", bytes(PAGE_BYTES_MAX)])),
    ],
)
def test_a_hostile_page_is_refused_by_name(reason: Reason, page: bytes) -> None:
    assert refusal_of([page]) is reason


def test_keys_ascend_from_page_to_page() -> None:
    page = pack_plain(ROW)
    with pytest.raises(Rejected) as refusal:
        decode_pages([page, page])
    assert refusal.value.reason is Reason.MALFORMED


def test_pages_of_another_state_are_refused() -> None:
    state = busy_ledger().state
    pages = list(state.encode_pages())
    rows = decode_pages(pages)
    for changed in (rows[1:], rows[:-1], [*rows, (b"\xff", b"")], [(b"\x00", b""), *rows[1:]]):
        assert refusal_of(list(encode_pages(changed))) is Reason.WRONG_ROOT
    assert refusal_of(pages, Digest(bytes(32))) is Reason.WRONG_ROOT
    assert refusal_of([]) is Reason.WRONG_ROOT


def test_a_state_of_another_network_is_refused() -> None:
    other = HandLedger(make_genesis(validators=5)).state
    assert refusal_of(list(other.encode_pages()), other.digest) is Reason.WRONG_NETWORK


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_page_is_always_noticed(data: st.DataObject) -> None:
    (page,) = busy_ledger().state.encode_pages()
    at = data.draw(st.integers(0, len(page) - 1))
    damaged = page[:at] + bytes([page[at] ^ data.draw(st.integers(1, 255))]) + page[at + 1 :]
    assert refusal_of([damaged]) in (Reason.MALFORMED, Reason.TOO_LARGE, Reason.WRONG_ROOT)
