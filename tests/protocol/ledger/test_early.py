"""Each neighbour has a bounded place of its own for blocks of the next epoch."""

from protocol.ledger.early import EARLY_BYTES_MAX, EARLY_PEERS_MAX, EarlyBlocks
from protocol.units import AccountId

ANN, BEA = AccountId(b"a" * 32), AccountId(b"b" * 32)


def test_what_was_kept_is_handed_out_once() -> None:
    early = EarlyBlocks()
    assert early.keep(ANN, b"one")
    assert not early.keep(ANN, b"one")
    assert early.keep(BEA, b"one"), "the other may have sent rubbish: it costs a copy"
    assert early.take() == ((ANN, b"one"), (BEA, b"one"))
    assert early.take() == ()


def test_rubbish_takes_no_more_than_its_senders_place() -> None:
    early = EarlyBlocks()
    assert early.keep(ANN, bytes(EARLY_BYTES_MAX))
    assert not early.keep(ANN, b"more")
    assert early.keep(BEA, b"honest")


def test_only_so_many_neighbours_have_a_place() -> None:
    early = EarlyBlocks()
    for number in range(EARLY_PEERS_MAX):
        assert early.keep(AccountId(bytes([number])), b"block")
    assert not early.keep(ANN, b"block")
