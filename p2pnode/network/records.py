"""Signed address records: what an account says of itself, carried unaltered by others."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from p2pnode.network.addresses import check_transport
from p2pnode.network.errors import BadAddress
from p2pnode.network.limits import ADDRESSES_PER_RECORD, RECORDS_PER_EXCHANGE

_DOMAIN = b"p2pnode address record 1\n"
_LAST_SEQUENCE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """Where an account can be dialled, in its own words."""

    account: bytes
    transports: tuple[str, ...]
    """Addresses without the peer id, such as `/ip4/192.0.2.1/tcp/4001`."""
    sequence: int
    """Of two records of an account the greater one holds; milliseconds when it was made."""
    signature: bytes

    def is_genuine(self) -> bool:
        """Whether the account signed exactly this."""
        statement = _statement(self.account, self.transports, self.sequence)
        try:
            VerifyKey(self.account).verify(statement, self.signature)
        except (BadSignatureError, ValueError):
            return False
        return True


def sign_record(seed: bytes, transports: tuple[str, ...], sequence: int) -> AddressRecord:
    """A record of the account that the seed belongs to."""
    key = SigningKey(seed)
    account = bytes(key.verify_key)
    kept = transports[:ADDRESSES_PER_RECORD]
    signature = key.sign(_statement(account, kept, sequence)).signature
    return AddressRecord(account, kept, sequence, signature)


def encode_records(records: Iterable[AddressRecord]) -> bytes:
    """Records as they travel between neighbours and lie on the disk."""
    rows = [
        [record.account.hex(), list(record.transports), record.sequence, record.signature.hex()]
        for record in records
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def decode_records(data: bytes, limit: int = RECORDS_PER_EXCHANGE) -> tuple[AddressRecord, ...]:
    """Read records; their signatures are not checked yet.

    Raises:
        BadAddress: They are not what `encode_records` writes, or too many.
    """
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadAddress("address records that cannot be read") from error
    if not isinstance(rows, list) or len(rows) > limit:
        raise BadAddress("address records of the wrong shape")
    return tuple(_decode_row(row) for row in rows)


def _decode_row(row: object) -> AddressRecord:
    match row:
        case [str() as account, list() as transports, int() as sequence, str() as signature]:
            pass
        case _:
            raise BadAddress("an address record of the wrong shape")
    if len(transports) > ADDRESSES_PER_RECORD or not 0 <= sequence <= _LAST_SEQUENCE:
        raise BadAddress("an address record out of bounds")
    if not all(isinstance(transport, str) for transport in transports):
        raise BadAddress("an address record of the wrong shape")
    checked = tuple(check_transport(transport, lowest_port=1) for transport in transports)
    try:
        key, proof = bytes.fromhex(account), bytes.fromhex(signature)
    except ValueError as error:
        raise BadAddress("an address record that is not hexadecimal") from error
    if len(key) != 32 or len(proof) != 64:
        raise BadAddress("an address record with a key or signature of the wrong length")
    return AddressRecord(key, checked, sequence, proof)


def _statement(account: bytes, transports: tuple[str, ...], sequence: int) -> bytes:
    body = json.dumps([account.hex(), list(transports), sequence], separators=(",", ":"))
    return _DOMAIN + body.encode()
