"""When a node was up."""

from p2pnode.lab.results.notes import LifeNote


def test_a_node_is_down_before_its_start_and_after_its_stop() -> None:
    life = LifeNote()
    assert not life.is_live(5)
    life.start(10)
    life.stop(20)
    life.stop(25)
    life.start(30)
    assert [life.is_live(time) for time in (9, 10, 19, 20, 29, 30, 99)] == [
        *(False, True, True, False, False, True, True)
    ]


def test_a_node_that_nobody_saw_stop_was_down_since_its_last_sign_of_life() -> None:
    life = LifeNote()
    life.start(10)
    life.heard_ns = 17
    life.start(30)
    life.start(30)
    assert life.downs == [(0, 10), (17, 30)]
