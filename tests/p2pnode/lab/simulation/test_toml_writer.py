import tomllib

from hypothesis import given
from hypothesis import strategies as st

from p2pnode.lab.simulation.toml_writer import write_toml

TEXTS = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=20)
PLAIN = TEXTS | st.integers(-(2**62), 2**62) | st.booleans()
VALUES = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXTS, one, max_size=3)
)
TABLES = st.dictionaries(TEXTS, VALUES, max_size=4)
DOCUMENTS = st.dictionaries(TEXTS, PLAIN | TABLES | st.lists(TABLES, min_size=1, max_size=3))


@given(DOCUMENTS)
def test_what_is_written_reads_as_the_same_document(document: dict[str, object]) -> None:
    assert tomllib.loads(write_toml(document)) == document


def test_tables_stand_below_plain_values_and_arrays_have_two_brackets() -> None:
    document = {
        "nodes": {"members": 5},
        "name": "x",
        "about": "One line.\nAnother.",
        "fault": [{"kind": "cut", "delay": {"low": "1 s"}}],
    }
    assert write_toml(document) == (
        'name = "x"\nabout = """\nOne line.\nAnother."""\n\n[nodes]\nmembers = 5\n\n'
        '[[fault]]\nkind = "cut"\ndelay = { low = "1 s" }\n'
    )
