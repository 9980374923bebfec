"""Find code that nothing uses: `python -m tests.support.dead_code`.

Vulture reads; this filters. It cannot know the fields of a value that is encoded whole, nor the
attributes that a library reads from its settings, so lower-case variables and attributes are left
to people. Functions, methods, classes, imports and constants (members of enumerations among them)
must have a user. `[tool.vulture]` names what only a library calls.
"""

import sys
import tomllib
from collections.abc import Iterator

from vulture.core import Item, Vulture

from tests.support.sources import FOLDERS, ROOT


def unused(paths: list[str], ignore_names: list[str], ignore_decorators: list[str]) -> list[Item]:
    """Return what no code under these paths uses, in order of place."""
    reader = Vulture(ignore_names=ignore_names, ignore_decorators=ignore_decorators)
    reader.scavenge(paths)
    return [item for item in reader.get_unused_code() if _matters(item)]


def _matters(item: Item) -> bool:
    kind: str = item.typ
    if kind == "variable":
        return str(item.name).isupper()
    return kind != "attribute"


def _findings() -> Iterator[str]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = document["tool"]["vulture"]
    paths = [str(ROOT / folder) for folder in FOLDERS if (ROOT / folder).is_dir()]
    for item in unused(paths, settings["ignore_names"], settings["ignore_decorators"]):
        place = item.filename.relative_to(ROOT)
        yield f"{place}:{item.first_lineno} unused {item.typ} {item.name}"


if __name__ == "__main__":
    found = list(_findings())
    print("\n".join(found) or "no dead code")
    sys.exit(1 if found else 0)
