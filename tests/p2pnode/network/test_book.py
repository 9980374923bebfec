import dataclasses

from p2pnode.network.addresses import DialAddress
from p2pnode.network.book import AddressBook, write_whole
from p2pnode.network.counters import Counters
from p2pnode.network.limits import (
    BACKOFF_CAP_SECONDS,
    BOOK_LIMIT_PER_SOURCE,
    SHUNNED_CAP_SECONDS,
    SHUNNED_FIRST_SECONDS,
)
from p2pnode.network.records import sign_record

PLACE = "/ip4/192.0.2.1/tcp/4001"
OWN = bytes(32)
SOURCE = b"\2" * 32


def record_of(number: int, sequence: int = 1, place: str = PLACE):
    return sign_record(number.to_bytes(32, "big"), (place,), sequence)


def new_book() -> AddressBook:
    return AddressBook(OWN, Counters())


def test_the_newest_record_of_an_account_holds():
    book = new_book()
    newer = record_of(1, sequence=2, place="/ip4/192.0.2.2/tcp/1")
    for record in (record_of(1), newer, record_of(1)):
        assert book.learn(record, SOURCE)
    assert book.entries()[0].record == newer


def test_a_forged_record_is_not_learned():
    book = new_book()
    assert not book.learn(dataclasses.replace(record_of(1), sequence=9), SOURCE)
    assert book.entries() == ()


def test_one_neighbour_cannot_fill_the_book():
    book = new_book()
    for number in range(BOOK_LIMIT_PER_SOURCE + 5):
        book.learn(record_of(number + 1), SOURCE)
    assert len(book.entries()) == BOOK_LIMIT_PER_SOURCE
    assert book.learn(record_of(5000), b"\3" * 32)
    assert len(book.entries()) == BOOK_LIMIT_PER_SOURCE + 1


def test_pauses_between_dials_grow_to_a_cap():
    entry = new_book().give(DialAddress(SOURCE, PLACE))
    pauses = []
    for _ in range(15):
        entry.failed(now=0.0)
        pauses.append(entry.not_before)
    assert pauses[0] <= 0.5
    assert BACKOFF_CAP_SECONDS / 2 <= pauses[-1] <= BACKOFF_CAP_SECONDS
    entry.reset()
    assert entry.not_before == 0


def test_pauses_before_a_shunned_peer_is_dialled_are_longer_and_grow_to_their_own_cap():
    entry = new_book().give(DialAddress(SOURCE, PLACE))
    entry.wanted = True
    pauses = []
    for _ in range(12):
        entry.shunned(now=0.0)
        pauses.append(entry.not_before)
    assert SHUNNED_FIRST_SECONDS / 2 <= pauses[0] <= SHUNNED_FIRST_SECONDS
    assert SHUNNED_CAP_SECONDS / 2 <= pauses[-1] <= SHUNNED_CAP_SECONDS
    assert not entry.wanted


def test_a_lost_neighbour_is_given_up_in_the_end():
    entry = new_book().give(DialAddress(SOURCE, PLACE))
    entry.wanted = True
    for _ in range(19):
        entry.failed(now=0.0)
    assert entry.wanted
    entry.failed(now=0.0)
    assert not entry.wanted


def test_the_book_survives_on_disk(tmp_path):
    path = tmp_path / "deep" / "book.json"
    book, again = new_book(), new_book()
    book.learn(record_of(1), SOURCE)
    assert book.changed
    write_whole(path, book.text())
    again.load(path)
    assert [entry.record for entry in again.entries()] == [record_of(1)]
    assert not book.changed


def test_a_damaged_book_is_left_out(tmp_path):
    path = tmp_path / "book.json"
    path.write_bytes(b"\xff\xfe not a book")
    counters = Counters()
    book = AddressBook(OWN, counters)
    book.load(path)
    assert book.entries() == ()
    assert counters.values() == {"book_unreadable": 1}
