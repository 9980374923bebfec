"""What a result class says of steps."""

import pytest

from protocol.job.stepped import is_of_one_class, seats_of, steps_of
from protocol.parameters import live, local


@pytest.mark.parametrize(
    ("result_class", "steps"),
    [
        ("stepped/1", 1),
        ("stepped/2000", 2_000),
        ("stepped/65536", 65_536),
        ("stepped/65537", None),
        ("stepped/0", None),
        ("stepped/01", None),
        ("stepped/-1", None),
        ("stepped/+1", None),
        ("stepped/٣", None),
        ("stepped/1_0", None),
        ("stepped/999999999999999999999999", None),
        ("stepped/", None),
        ("stepped", None),
        ("exact", None),
        ("class-exact", None),
    ],
)
def test_the_number_of_steps_is_read_in_one_form_only(result_class: str, steps: int | None) -> None:
    assert steps_of(result_class) == steps


def test_steps_are_compared_within_one_device_class() -> None:
    found = [is_of_one_class(one) for one in ("exact", "class-exact", "stepped/7", "stepped/x")]
    assert found == [False, True, True, False]


def test_somebody_runs_the_step_also_where_jobs_have_no_jury() -> None:
    assert (seats_of(live()), seats_of(local())) == (3, 1)
