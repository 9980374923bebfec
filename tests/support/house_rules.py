"""The rules of `docs/STYLE.md` that no off-the-shelf tool holds, one function per rule.

Each rule takes a `Source` and yields one sentence per breach; `tests/test_architecture.py` runs all
of them over the whole project, and each of them over a snippet that must break it.
"""

import ast
import builtins
import re
from collections.abc import Callable, Iterator
from functools import cache

from tests.support.sources import PACKAGES, ROOT, Function, Source, all_sources

FILE_LINES = 400
FUNCTION_LINES = 70
LINE_CHARACTERS = 100
PARAMETERS = 6
NESTING = 3

BANNED_NAMES = {"common", "helper", "helpers", "misc", "miscellaneous", "stuff", "util", "utils"}
TEST_KINDS = {
    "benchmarks",
    "examples",
    "fuzz",
    "hostile",
    "integration",
    "properties",
    "simulation",
    "support",
    "vectors",
}
"""Folders of tests that are not mirrors of one source file."""

FLOAT_FILES = {"protocol/simulator/__main__.py", "protocol/simulator/report.py"}
"""Where figures are made for people, after virtual time has ended."""
FLOAT_DRAWS = {"betavariate", "expovariate", "gauss", "normalvariate", "random", "uniform"}

OPEN_BASES = {"Protocol", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}
"""Bases whose descendants may be inherited from; exceptions are open, too."""

BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
)

LEDGER_FILE = "protocol/accounts.py"
BUCKETS = {"available", "staked", "unbonding", "escrow", "accrual"}

UNFINISHED = re.compile(r"\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/")
REGISTRY_HOST = re.compile(r"\b(?:pypi|pythonhosted|npmjs|crates)\.(?:org|com|io)\b")

Breaches = Iterator[str]
Rule = Callable[[Source], Breaches]


def sizes_stay_small(source: Source) -> Breaches:
    """A file, a line and a function have a greatest length."""
    lines = source.text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{source.path} has {len(lines)} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARACTERS:
            yield f"{source.path}:{number} has {len(line)} characters"
    for function in source.functions():
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES:
            yield f"{_place(source, function)} has {length} lines"


def functions_take_few_parameters(source: Source) -> Breaches:
    """More parameters than six want a value that holds them; builders of tests default theirs."""
    for function in source.functions():
        given = function.args
        names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        count = sum(name not in {"self", "cls"} for name in names)
        if source.path.startswith("tests/"):
            count -= len(given.defaults) + sum(one is not None for one in given.kw_defaults)
        if count > PARAMETERS:
            yield f"{_place(source, function)} has {count} parameters"


def blocks_nest_shallowly(source: Source) -> Breaches:
    """A block inside a block inside a block is the deepest that people follow."""
    for function in source.functions():
        depth = max(_depth(statement) for statement in function.body)
        if depth > NESTING:
            yield f"{_place(source, function)} nests {depth} deep"


def names_say_what_is_inside(source: Source) -> Breaches:
    """A drawer for everything is a place where nothing is found."""
    for part in source.path.removesuffix(".py").split("/"):
        if part.removeprefix("test_") in BANNED_NAMES:
            yield f"{source.path}: `{part}` does not say what is inside"


def public_things_are_described(source: Source) -> Breaches:
    """Modules, public classes and public functions of the packages have docstrings."""
    if not source.in_package:
        return
    if not ast.get_docstring(source.tree):
        yield f"{source.path} has no docstring"
    for node in _public_definitions(source.tree):
        if not ast.get_docstring(node):
            yield f"{source.path}:{node.lineno} {node.name} has no docstring"


def tests_mirror_files(source: Source) -> Breaches:
    """`tests/protocol/job/test_offer.py` tests `protocol/job/offer.py`."""
    folder, _, name = source.path.rpartition("/")
    top, _, rest = folder.partition("/")
    if top != "tests" or not name.startswith("test_"):
        return
    kind = rest.split("/")[0]
    if kind and kind not in TEST_KINDS and not _mirrored(rest, name):
        yield f"{source.path} mirrors no source file"


def nothing_is_left_unfinished(source: Source) -> Breaches:
    """Unfinished work lives in the tracker, not in the source."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield f"{source.path}:{number} is marked as unfinished"


def the_protocol_counts_in_integers(source: Source) -> Breaches:
    """Floats differ between machines; the protocol has none."""
    if not source.in_protocol or source.path in FLOAT_FILES:
        return
    for node in source.nodes:
        if _makes_float(node):
            line = getattr(node, "lineno", 0)
            yield f"{source.path}:{line} makes or names a float"


def classes_do_not_inherit_ours(source: Source) -> Breaches:
    """Only errors, enumerations and interfaces may have heirs among our own classes."""
    bases = _own_bases() | _bases_in(source)
    for node in source.classes():
        for base in map(_last_name, node.bases):
            if base in bases and base != node.name and not _is_open(base, bases):
                yield f"{source.path}:{node.lineno} {node.name} inherits from {base}"


def one_file_moves_credits(source: Source) -> Breaches:
    """No rule writes a balance; it asks `protocol.accounts` for a movement."""
    if not source.in_package or source.path == LEDGER_FILE:
        return
    for node in source.nodes:
        if not isinstance(node, ast.Call) or _last_name(node.func) not in {"replace", "Account"}:
            continue
        written = {one.arg for one in node.keywords} & BUCKETS
        if written:
            yield f"{source.path}:{node.lineno} writes {', '.join(sorted(written))}"


RULES: tuple[Rule, ...] = (
    sizes_stay_small,
    functions_take_few_parameters,
    blocks_nest_shallowly,
    names_say_what_is_inside,
    public_things_are_described,
    tests_mirror_files,
    nothing_is_left_unfinished,
    the_protocol_counts_in_integers,
    classes_do_not_inherit_ours,
    one_file_moves_credits,
)


def workshop_traces(path: str, text: str) -> Breaches:
    """Yield every mention of one machine's folders or of a package registry's host."""
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
            yield f"{path}:{number} names a machine's folder or a registry's host"


def _place(source: Source, function: Function) -> str:
    return f"{source.path}:{function.lineno} {function.name}"


def _depth(statement: ast.stmt) -> int:
    """Count blocks on the deepest way down; `elif` stands beside its `if`, not inside it."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return 0
    own = int(isinstance(statement, BLOCKS))
    deepest = 0
    for name, field in ast.iter_fields(statement):
        children = field if isinstance(field, list) else ()
        chained = name == "orelse" and len(children) == 1 and isinstance(children[0], ast.If)
        inner = max(map(_depth_of_child, children), default=0)
        deepest = max(deepest, inner - own if chained else inner)
    return own + deepest


def _depth_of_child(child: object) -> int:
    if isinstance(child, ast.stmt):
        return _depth(child)
    if isinstance(child, ast.ExceptHandler | ast.match_case):
        return max(map(_depth, child.body))
    return 0


def _public_definitions(tree: ast.Module) -> Iterator[Function | ast.ClassDef]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from (
                method
                for method in node.body
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                and not method.name.startswith("_")
            )


def _mirrored(folder: str, name: str) -> bool:
    """Accept `test_dag.py` and `test_dag_<aspect>.py` for `dag.py` or the folder `dag`."""
    if folder.split("/", maxsplit=1)[0] not in PACKAGES:
        return False
    words = name.removeprefix("test_").removesuffix(".py").split("_")
    candidates = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    place = ROOT / folder
    return any(
        (place / f"{stem}.py").is_file()
        or (place / f"__{stem}__.py").is_file()
        or (place / stem).is_dir()
        for stem in candidates
    )


def _makes_float(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=float()) | ast.Name(id="float"):
            return True
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return True
        case ast.Call(func=ast.Attribute(attr=name)) if name in FLOAT_DRAWS:
            return True
        case _:
            return False


@cache
def _own_bases() -> dict[str, tuple[str, ...]]:
    """Map every class of the packages to the last names of its bases."""
    found: dict[str, tuple[str, ...]] = {}
    for source in all_sources():
        if source.in_package:
            found.update(_bases_in(source))
    return found


def _bases_in(source: Source) -> dict[str, tuple[str, ...]]:
    return {node.name: tuple(map(_last_name, node.bases)) for node in source.classes()}


def _last_name(base: ast.expr) -> str:
    match base:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last_name(value)
        case _:
            return ""


def _is_open(name: str, bases: dict[str, tuple[str, ...]]) -> bool:
    """Tell whether a class descends from an exception, an enumeration or an interface."""
    known = getattr(builtins, name, None)
    if name in OPEN_BASES or (isinstance(known, type) and issubclass(known, BaseException)):
        return True
    return any(_is_open(base, bases) for base in bases.get(name, ()) if base != name)
