"""The schema refuses what it does not know."""

import re

import pytest

from p2pnode.lab.results.schema import SCHEMA, BadTable, Column, Kind, check_tables, table_of
from tests.p2pnode.lab.results.builders import tables

UNITS = re.compile(r"(_ms|_bytes|_microcredits|_bp)$")


def test_the_tables_are_those_that_the_documents_name() -> None:
    names = ["blocks", "votes", "operations", "jobs", "faults", "links", "series"]
    assert list(SCHEMA) == names


def test_every_time_names_its_unit_and_every_column_is_described() -> None:
    for columns in SCHEMA.values():
        for column in columns:
            assert column.about.endswith(".")
            assert (
                column.kind is not Kind.REAL
                or UNITS.search(column.name)
                or (column.name == "divergence")
            )


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(BadTable, match="links: row 0 has 2 cells, not 7"):
        table_of("links", [(1, 2)])


def test_good_tables_pass() -> None:
    check_tables(tables(links=[{"source": 0, "target": 1}]))


def test_a_missing_table_is_named() -> None:
    good = dict(tables())
    del good["votes"]
    with pytest.raises(BadTable, match=r"there are tables \['blocks'"):
        check_tables(good)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [(1.5, "links.source, row 0: 1.5 is no whole"), (True, "True is no whole"), ("a", "'a'")],
)
def test_a_cell_of_another_kind_is_named(cell: float | str, reason: str) -> None:
    with pytest.raises(BadTable, match=reason):
        check_tables(tables(links=[{"source": cell}]))


def test_a_missing_column_is_noticed() -> None:
    good = dict(tables())
    good["links"] = {"source": []}
    with pytest.raises(BadTable, match="links: the columns are source"):
        check_tables(good)


def test_columns_of_different_length_are_noticed() -> None:
    good = dict(tables())
    good["links"] = {**good["links"], "cut": [1]}
    with pytest.raises(BadTable, match="links: the columns differ in length"):
        check_tables(good)


def test_a_column_is_a_value() -> None:
    assert SCHEMA["links"][0] == Column("source", Kind.WHOLE, "Sender.")
