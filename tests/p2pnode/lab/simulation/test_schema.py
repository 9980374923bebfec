import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

import pytest

from p2pnode.lab.simulation.schema import (
    Misread,
    Slot,
    key_of,
    kind_of,
    read_record,
    write_record,
)
from protocol.simulator.network import Delay, Law
from protocol.simulator.scenario import Fault, LossBurst, Scenario, StaleDisk

TOP = Slot(("thing",), "", 5)


@dataclass(frozen=True, slots=True)
class Extra:
    """Stands for what the simulator may learn."""

    rate_bps: int
    delay: Delay | None = None
    is_loud: bool = False
    waits_ns: tuple[int, ...] = ()
    title: str = ""


def records(kind: object) -> Iterator[type]:
    """Every class of values that a type is made of."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
        for hint in typing.get_type_hints(kind).values():
            yield from records(hint)
    for part in typing.get_args(kind):
        yield from records(part)


def test_no_two_fields_of_a_value_share_a_key() -> None:
    for record in dict.fromkeys(records(Scenario)):
        keys = [key_of(record, field.name) for field in fields(record)]
        assert len(keys) == len(set(keys)), record


def test_no_two_faults_share_a_kind_and_each_has_its_window() -> None:
    faults = typing.get_args(Fault)
    assert len({kind_of(one) for one in faults}) == len(faults)
    assert kind_of(StaleDisk) == "stale-disk"
    assert all({"start_ns", "end_ns"} <= {field.name for field in fields(one)} for one in faults)


def test_a_value_of_a_new_kind_is_read_and_written_by_its_types_alone() -> None:
    table = {
        "rate": "64 kbit/s",
        "delay": {"law": "constant", "low": "5 ms"},
        "is_loud": True,
        "waits": ["1 s", "2 ms"],
        "title": "new",
    }
    delay = Delay(Law.CONSTANT, 5_000_000, 5_000_000)
    extra = Extra(64_000, delay, True, (1_000_000_000, 2_000_000), "new")
    assert read_record(Extra, table, TOP, {}) == extra
    assert read_record(Extra, write_record(extra, full=True), TOP, {}) == extra
    assert write_record(Extra(8_000), full=False) == {"rate": "8 kbit/s"}


def test_a_field_of_units_alone_has_a_word_of_its_own() -> None:
    assert write_record(LossBurst(0, 1, 300_000), full=True, skip=("start_ns", "end_ns")) == {
        "loss": "30 %"
    }


@pytest.mark.parametrize(
    ("table", "path", "said"),
    [
        ({"rate": "1 bit/s", "lout": 1}, "thing.lout", "unknown key 'lout'"),
        ({}, "thing", "'rate' is missing"),
        ({"rate": 5}, "thing.rate", "expected a rate with its unit"),
        ({"rate": "0 bit/s"}, "thing.rate", "'0 bit/s' is nothing"),
        ({"rate": "-5 bit/s"}, "thing.rate", "'-5 bit/s' is negative"),
        ({"rate": "1 bit/s", "is_loud": 1}, "thing.is_loud", "expected true or false"),
        ({"rate": "1 bit/s", "title": 1}, "thing.title", "expected a text"),
        ({"rate": "1 bit/s", "waits": "1 s"}, "thing.waits", "a list is expected"),
        ({"rate": "1 bit/s", "waits": ["1 s", "x"]}, "thing.waits.1", "expected a time"),
        ({"rate": "1 bit/s", "delay": "1 s"}, "thing.delay", "a table with keys is expected"),
        (
            {"rate": "1 bit/s", "delay": {"law": "uniforms", "low": "1 s"}},
            "thing.delay.law",
            "did you mean 'uniform'?",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_path(table: dict[str, object], path: str, said: str) -> None:
    with pytest.raises(Misread) as refusal:
        read_record(Extra, table, TOP, {})
    assert ".".join(refusal.value.path) == path
    assert said in str(refusal.value)
