"""The house rules hold everywhere, and each of them can fail."""

import textwrap

import pytest

from tests.support import house_rules
from tests.support.house_rules import RULES, workshop_traces
from tests.support.sources import PACKAGES, ROOT, Source, all_sources, all_texts, source

LONG_FUNCTION = "def long() -> None:\n" + "    print()\n" * 70

BREACHES: dict[str, list[tuple[str, str]]] = {
    "sizes_stay_small": [
        ("protocol/wide.py", f"# {'x' * 99}\n"),
        ("protocol/tall.py", "pass\n" * 401),
        ("protocol/long.py", LONG_FUNCTION),
    ],
    "functions_take_few_parameters": [
        ("p2pnode/many.py", "def many(a, b, c, d, *, e, f, g=1): ...\n"),
        ("tests/p2pnode/builders.py", "def many(a, b, c, d, *, e, f, g): ...\n"),
    ],
    "blocks_nest_shallowly": [
        (
            "protocol/deep.py",
            """
            def deep(rows):
                for row in rows:
                    try:
                        with row:
                            if row:
                                print(row)
                    except ValueError:
                        raise
            """,
        ),
        (
            "protocol/cases.py",
            """
            def cases(value):
                match value:
                    case 1:
                        while value:
                            for row in value:
                                if row:
                                    print(row)
            """,
        ),
    ],
    "names_say_what_is_inside": [
        ("protocol/utils.py", ""),
        ("p2pnode/common/door.py", ""),
        ("tests/test_helpers.py", ""),
    ],
    "public_things_are_described": [
        ("protocol/silent.py", "X = 1\n"),
        ("protocol/silent.py", '"""Said."""\ndef act(): ...\n'),
        ("p2pnode/silent.py", '"""Said."""\nclass Thing:\n    "Said."\n    def act(self): ...\n'),
    ],
    "tests_mirror_files": [
        ("tests/protocol/test_nowhere.py", ""),
        ("tests/protocol/ledger/test_units.py", ""),
        ("tests/elsewhere/test_units.py", ""),
    ],
    "nothing_is_left_unfinished": [("p2pnode/later.py", f"# {'todo'.upper()}: later\n")],
    "the_protocol_counts_in_integers": [
        ("protocol/rate.py", "RATE = 0.5\n"),
        ("protocol/rate.py", "def rate(a, b): return a / b\n"),
        ("protocol/rate.py", "def rate(a): return float(a)\n"),
        ("protocol/simulator/world.py", "def wait(stream): return stream.expovariate(3)\n"),
    ],
    "classes_do_not_inherit_ours": [
        ("protocol/kin.py", "class Parent: ...\nclass Child(Parent): ...\n"),
        ("protocol/kin.py", "class Child(interfaces.Gossiped): ...\n"),
    ],
    "one_file_moves_credits": [
        ("protocol/economy/gift.py", "def gift(one): return replace(one, available=1)\n"),
        ("p2pnode/gift.py", "def gift(): return Account(staked=1)\n"),
    ],
}

INNOCENT = [
    (
        "p2pnode/chain.py",
        '''
        """An `elif` stands beside its `if`, and what is nested in a nested function is its own."""

        class Trouble(Exception):
            """Errors may have heirs."""

        class Worse(Trouble):
            """An heir."""

        def choose(value):
            """Choose."""
            for row in value:
                if row == 1:
                    pass
                elif row == 2:
                    pass
                elif row == 3:
                    with row:
                        pass
        ''',
    ),
    ("protocol/half.py", '"""Integer division rounds down."""\nHALF = 5 // 2\n'),
    ("protocol/simulator/report.py", '"""Figures for people."""\nSHARE = 1 / 2\n'),
    ("tests/protocol/builders.py", "def offer(*, a=1, b=2, c=3, d=4, e=5, f=6, g=7): ...\n"),
    ("tests/protocol/test_units_edges.py", ""),
    ("tests/simulation/test_anything.py", ""),
]


def read(path: str, text: str) -> Source:
    return source(path, textwrap.dedent(text))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps(rule: house_rules.Rule) -> None:
    breaches = [breach for one in all_sources() for breach in rule(one)]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_breach_is_noticed_by(rule: house_rules.Rule) -> None:
    for path, text in BREACHES[rule.__name__]:
        assert list(rule(read(path, text))), (path, text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_innocent_files_are_left_alone_by(rule: house_rules.Rule) -> None:
    assert [breach for path, text in INNOCENT for breach in rule(read(path, text))] == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    breaches = [breach for path, text in all_texts() for breach in workshop_traces(path, text)]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize("folder", ["work", "root", "home/someone"])
def test_a_folder_of_one_machine_is_noticed(folder: str) -> None:
    assert list(workshop_traces("docs/NOTE.md", f"see /{folder}/main"))
    assert not list(workshop_traces("docs/NOTE.md", f"see docs/{folder}/main"))


def test_the_host_of_a_registry_is_noticed() -> None:
    host = ".".join(("pypi", "org"))
    assert list(workshop_traces("requirements/runtime.txt", f"https://{host}/simple"))


def test_every_folder_of_code_is_a_package() -> None:
    files = [ROOT / one.path for one in all_sources() if not one.path.startswith("examples/")]
    folders = {path.parent for path in files}
    assert sorted(folder for folder in folders if not (folder / "__init__.py").is_file()) == []


def test_both_packages_are_read_and_carry_their_types() -> None:
    paths = {one.path for one in all_sources()}
    assert {f"{package}/__init__.py" for package in PACKAGES} < paths
    assert all((ROOT / package / "py.typed").is_file() for package in PACKAGES)
