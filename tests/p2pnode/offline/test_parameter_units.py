from msgspec.structs import fields

from p2pnode.offline.parameter_units import UNITS, unit_of
from protocol.parameters import Parameters


def test_every_parameter_has_a_unit() -> None:
    names = [field.name for field in fields(Parameters)]
    assert [name for name in names if not unit_of(name)] == []
    assert set(UNITS) <= set(names)


def test_a_name_says_its_unit_where_it_can() -> None:
    assert unit_of("minimum_round_ms") == "ms"
    assert unit_of("block_bytes_max") == "bytes"
    assert unit_of("bid_window_rounds_min") == "rounds"
    assert unit_of("stake_minimum") == "millionths of a credit"
    assert unit_of("something_else") == ""
