"""Another version of this program: a copy of it in a folder, with its numbers changed."""

import os
import shutil
from pathlib import Path

from p2pnode import __version__
from protocol.messages import VERSION

ROOT = Path(__file__).parents[2]
PROGRAM_LINE = f'__version__ = "{__version__}"'
PROTOCOL_LINE = f"VERSION: Final = {VERSION}\n"


def another_version(folder: Path, program: str, protocol: int = VERSION) -> dict[str, str]:
    """Copy the program and change its numbers.

    Args:
        folder: Where to put it; it is made.
        program: The version of the program, which peers do not see.
        protocol: The version of messages and rules that it speaks.

    Returns:
        The environment in which `python -m p2pnode` is that program, in whatever folder it starts.
    """
    for name in ("p2pnode", "protocol"):
        shutil.copytree(ROOT / name, folder / name)
    _change(folder / "p2pnode" / "__init__.py", PROGRAM_LINE, f'__version__ = "{program}"')
    changed = f"VERSION: Final = {protocol}\n"
    _change(folder / "protocol" / "messages.py", PROTOCOL_LINE, changed)
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path} does not say {old!r}, or more than once"
    path.write_text(text.replace(old, new))
