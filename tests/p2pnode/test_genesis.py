import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pnode.genesis import (
    DEVELOPMENT_BALANCE,
    DEVELOPMENT_STAKE,
    GENESIS_BYTES_MAX,
    PRESETS,
    Founder,
    GenesisError,
    make_genesis,
    open_genesis,
    read_genesis,
    write_genesis,
)
from protocol.encoding import encode
from protocol.messages import network_of
from tests.support.builders import account_id, vrf_key
from tests.support.builders import make_genesis as built_genesis

FOUNDERS = [Founder(account_id(number), vrf_key(number)) for number in range(4)]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_what_was_written_is_what_is_read(preset: str, tmp_path: Path) -> None:
    genesis = make_genesis("net", PRESETS[preset](), FOUNDERS, account_id(1))
    network = write_genesis(tmp_path / "genesis", genesis)
    assert read_genesis(tmp_path / "genesis") == genesis
    assert network == network_of(genesis)
    assert [path.name for path in tmp_path.iterdir()] == ["genesis"]


def test_founders_become_members_in_the_order_of_their_accounts() -> None:
    genesis = make_genesis("net", PRESETS["local"](), FOUNDERS[::-1], None)
    assert [one.account for one in genesis.validators] == sorted(one.account for one in FOUNDERS)
    assert {one.stake for one in genesis.validators} == {DEVELOPMENT_STAKE}
    assert {one.amount for one in genesis.allocations} == {DEVELOPMENT_BALANCE}


def test_two_networks_with_equal_terms_are_told_apart() -> None:
    first, second = (make_genesis("net", PRESETS["local"](), FOUNDERS, None) for _ in range(2))
    assert network_of(first) != network_of(second)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"\xc1" * 100,
        b"\x91" * 10_000,
        encode(built_genesis(4))[:-1],
        encode(built_genesis(4)) + b"\0",
        encode(replace(built_genesis(4), validators=())),
        bytes(GENESIS_BYTES_MAX + 1),
    ],
)
def test_what_is_no_genesis_is_refused_with_a_sentence(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="not a genesis file of this version"):
        open_genesis(raw)
    (tmp_path / "genesis").write_bytes(raw)
    with pytest.raises(GenesisError, match=str(tmp_path)):
        read_genesis(tmp_path / "genesis")


def test_a_genesis_that_no_ledger_could_start_from_is_refused() -> None:
    genesis = built_genesis(4)
    twice = replace(genesis, validators=genesis.validators + genesis.validators)
    with pytest.raises(GenesisError, match="a member only once"):
        open_genesis(encode(twice))


@pytest.mark.parametrize("stake", [2**62, 2**63 - 1])
def test_a_genesis_that_gives_out_more_than_can_be_counted_is_refused(stake: int) -> None:
    with pytest.raises(GenesisError, match="gives out at most"):
        open_genesis(encode(built_genesis(4, stake=stake)))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="nowhere: No such file"):
        read_genesis(tmp_path / "nowhere")
    with pytest.raises(GenesisError, match="directory"):
        read_genesis(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for the administrator")
def test_a_file_of_somebody_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "genesis").touch(mode=0)
    with pytest.raises(GenesisError, match="Permission denied"):
        read_genesis(tmp_path / "genesis")
