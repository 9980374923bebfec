import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.network import BadAddress
from p2pnode.network.records import decode_records, encode_records, sign_record

PLACE = ("/ip4/192.0.2.1/tcp/4001",)


def test_a_record_travels_unaltered_and_stays_genuine():
    record = sign_record(b"\1" * 32, PLACE, 7)
    (read,) = decode_records(encode_records([record]))
    assert read == record
    assert read.is_genuine()


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 8},
        {"transports": ("/ip4/192.0.2.2/tcp/4001",)},
        {"account": bytes(32)},
        {"signature": bytes(64)},
    ],
)
def test_an_altered_record_is_not_genuine(change):
    assert not dataclasses.replace(sign_record(b"\1" * 32, PLACE, 7), **change).is_genuine()


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_a_bad_address(data):
    try:
        decode_records(data)
    except BadAddress:
        return


@pytest.mark.parametrize(
    "rows",
    [
        {},
        [[1, 2, 3, 4]],
        [["00", [], 1]],
        [["00" * 32, [], -1, "00" * 64]],
        [["00" * 32, [], 1, "00" * 63]],
        [["zz" * 32, [], 1, "00" * 64]],
        [["00" * 32, [5], 1, "00" * 64]],
        [["00" * 32, ["/ip4/1.2.3.4/udp/4"], 1, "00" * 64]],
        [["00" * 32, list(PLACE) * 9, 1, "00" * 64]],
        [["00" * 32, [], 2**64, "00" * 64]],
        [["00" * 32, [], 1, "00" * 64]] * 65,
    ],
)
def test_a_malformed_record_is_a_bad_address(rows):
    with pytest.raises(BadAddress):
        decode_records(json.dumps(rows).encode())


def test_deep_nesting_is_a_bad_address():
    with pytest.raises(BadAddress):
        decode_records(b"[" * 60_000)
