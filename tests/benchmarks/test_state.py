"""The benchmark of the state runs, in a tiny form: it makes its entries by hand."""

import gc

import pytest

from tests.benchmarks.figures import Effort
from tests.benchmarks.state import measure

TINY = Effort(quick=True, share=25)


@pytest.mark.slow
def test_the_state_is_made_committed_to_and_written_again() -> None:
    figures = list(measure(TINY))
    gc.unfreeze()  # it froze what it had loaded, and other tests follow in this process
    assert len({(figure.name, figure.conditions) for figure in figures}) == len(figures)
    # An earlier test of this process may have held more memory.
    assert all(figure.value > 0 for figure in figures if "memory" not in figure.name)
    assert "2,000 accounts, 200 open jobs" in figures[-2].conditions
