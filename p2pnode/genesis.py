"""Makes, reads and writes the genesis of a network."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol import parameters
from protocol.encoding import decode, encode
from protocol.endowment import check_endowment
from protocol.errors import Misuse, Rejected
from protocol.ledger.committee import Committee
from protocol.messages import Allocation, Genesis, Validator, network_of
from protocol.parameters import Parameters
from protocol.units import CREDIT, AccountId, Digest

GENESIS_BYTES_MAX: Final = 4 * 1024 * 1024

PRESETS: Final = {
    "live": parameters.live,
    "testnet": parameters.testnet,
    "local": parameters.local,
    "minimal": parameters.minimal,
}

DEVELOPMENT_STAKE: Final = 10_000 * CREDIT
DEVELOPMENT_BALANCE: Final = 1_000_000 * CREDIT
"""What the only account of a development network starts with; its faucet gives from it."""


class GenesisError(Exception):
    """A genesis file cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Founder:
    """A member of a genesis committee."""

    account: AccountId
    vrf_key: bytes
    stake: int = DEVELOPMENT_STAKE
    balance: int = DEVELOPMENT_BALANCE


def make_genesis(
    name: str, terms: Parameters, founders: Sequence[Founder], faucet: AccountId | None
) -> Genesis:
    """Makes the genesis of a new network that starts now."""
    return Genesis(
        name=name,
        time_ms=time.time_ns() // 1_000_000,
        seed=secrets.token_bytes(32),
        parameters=terms,
        validators=tuple(
            Validator(one.account, AccountId(one.vrf_key), one.stake)
            for one in sorted(founders, key=lambda founder: founder.account)
        ),
        allocations=tuple(Allocation(one.account, one.balance) for one in founders if one.balance),
        faucet=faucet,
    )


def read_genesis(path: Path) -> Genesis:
    """Reads a genesis file.

    Raises:
        GenesisError: it is missing, unreadable or not a genesis.
    """
    try:
        return open_genesis(path.read_bytes())
    except GenesisError as error:
        raise GenesisError(f"{path}: {error}") from error
    except OSError as error:
        raise GenesisError(f"cannot read the genesis file {path}: {error.strerror}") from error


def open_genesis(raw: bytes) -> Genesis:
    """Decodes a genesis from outside.

    Raises:
        GenesisError: the bytes are not one.
    """
    try:
        genesis = decode(raw, Genesis, GENESIS_BYTES_MAX)
        Committee.of_genesis(genesis)
        check_endowment(genesis)
    except Rejected as refusal:
        raise GenesisError(f"this is not a genesis file of this version: {refusal}") from refusal
    except Misuse as mistake:
        raise GenesisError(f"this genesis cannot found a network: {mistake}") from mistake
    return genesis


def write_genesis(path: Path, genesis: Genesis) -> Digest:
    """Writes a genesis file and returns the network's digest."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(encode(genesis))
    temporary.replace(path)
    return network_of(genesis)
