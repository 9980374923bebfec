import time
from functools import partial

import pytest

from protocol.errors import Misuse
from protocol.simulator.engine import Engine


def test_actions_run_in_the_order_of_their_times() -> None:
    engine, seen = Engine(), list[object]()
    engine.at(20, lambda: seen.append(20))
    engine.at(10, lambda: seen.append(10))
    engine.run(30)
    assert seen == [10, 20]
    assert engine.now == 30


def test_equal_times_run_in_the_order_of_planning() -> None:
    engine, seen = Engine(), list[object]()
    for name in "cab":
        engine.at(5, partial(seen.append, name))
    engine.run(5)
    assert seen == ["c", "a", "b"]


def test_what_lies_beyond_the_end_waits() -> None:
    engine, seen = Engine(), list[object]()
    engine.at(11, lambda: seen.append(11))
    engine.run(10)
    assert seen == []
    engine.run(11)
    assert seen == [11]


def test_an_action_may_plan_another_at_the_same_time() -> None:
    engine, seen = Engine(), list[object]()
    engine.at(5, lambda: engine.after(0, lambda: seen.append(engine.now)))
    engine.run(5)
    assert seen == [5]


def test_what_was_planned_before_a_time_comes_before_what_is_planned_at_it() -> None:
    engine, seen = Engine(), list[object]()

    def act() -> None:
        seen.append("first")
        engine.after(0, lambda: seen.append("third"))
        engine.at(5, lambda: engine.after(0, lambda: seen.append("fifth")))
        engine.after(0, lambda: seen.append("fourth"))
        engine.after(1, lambda: seen.append("beyond"))

    engine.at(5, act)
    engine.at(5, partial(seen.append, "second"))
    engine.run(5)
    assert seen == ["first", "second", "third", "fourth", "fifth"]
    assert engine.events == 6
    engine.run(6)
    assert seen[-1] == "beyond"


def test_nothing_is_planned_in_the_past() -> None:
    engine = Engine(now=10)
    with pytest.raises(Misuse):
        engine.at(9, lambda: None)


def test_null_actors_run_a_hundred_thousand_events_a_second() -> None:
    engine, count = Engine(), 100_000

    def act() -> None:
        if engine.events < count:
            engine.after(1, act)

    for _ in range(100):
        engine.after(1, act)
    started = time.process_time()
    engine.run(count)
    assert engine.events >= count
    assert time.process_time() - started < 1
