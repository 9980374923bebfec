"""The benchmark of pruning runs, in a small form, and its bound is no accident."""

import pytest

from tests.benchmarks.bounded import BLOCKS, KEEP, Past, bound_bytes, measure
from tests.benchmarks.figures import Effort

TINY = Effort(quick=True, share=2)


@pytest.mark.slow
def test_a_part_of_a_year_is_pruned_to_its_bounds() -> None:
    figures = {figure.name: figure for figure in measure(TINY)}
    assert {figure.verdict for figure in figures.values()} == {"", "met"}
    assert figures["a year: transactions of pruning"].value > 2
    assert figures["a year, pruned: in use"].value < figures["a year: file"].value
    assert figures["a year, pruned: free pages"].value > 1


def test_a_record_of_the_past_is_as_large_as_a_real_one() -> None:
    *records, certificate, mark = Past(1_000).epoch(KEEP)
    assert len(records) == 3 * BLOCKS
    assert 3_800 < len(certificate.raw) < 4_000  # type: ignore[union-attr]  # that is its place
    assert mark.epoch == KEEP + 1  # type: ignore[union-attr]  # the same
    assert bound_bytes(2, 2, 1_000) < bound_bytes(2, 200, 1_000)
