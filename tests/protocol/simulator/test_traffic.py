from dataclasses import fields

from protocol.simulator.traffic import Traffic


def test_traffic_adds_up_field_by_field() -> None:
    names = [one.name for one in fields(Traffic)]
    total = Traffic(*range(len(names)))
    total.add(Traffic(*[10] * len(names)))
    assert total == Traffic(*range(10, 10 + len(names)))
