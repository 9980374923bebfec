"""Which source a result came from: results outlive the tree that made them."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import p2pnode

ROOT: Final = Path(p2pnode.__file__).resolve().parents[1]
"""Of a checkout; elsewhere, the folder of all packages."""
PARTS: Final = ("protocol", "p2pnode")
"""What decides a result; documents and tests do not."""
GIT_SECONDS: Final = 10.0
CHANGED: Final = "+changes"
"""Ends the commit of a tree whose source is not what was committed."""
SHOWN: Final = 12
"""Digits of a commit that people are shown."""


@functools.cache
def source_commit(root: Path = ROOT) -> str:
    """Names the commit of the running source.

    Returns:
        Its digits, with `CHANGED` behind them where the source differs from it; empty where it
        is not known, as in a package that was not installed from a repository.
    """
    if not (root / ".git").exists():
        return _installed_commit()
    git = shutil.which("git")
    commit = _answer(git, root, "rev-parse", "HEAD") if git else None
    if git is None or not commit:
        return ""
    changes = _answer(git, root, "status", "--porcelain", "--", *PARTS)
    return commit if changes == "" else commit + CHANGED


def short_commit(commit: str) -> str:
    """Shortens a commit for people, and keeps what says that it was changed."""
    digits, changed, _ = commit.partition(CHANGED)
    return digits[:SHOWN] + changed


def version_text(manifest: Mapping[str, object], version: object) -> str:
    """Says which program made a result, as captions do.

    Args:
        manifest: Of a run, with `commit`, or of a sweep, with `commits`; damaged or not.
        version: Of the program.
    """
    found = manifest.get("commits", [manifest.get("commit", "")])
    commits = [str(one) for one in found if one] if isinstance(found, list) else []
    told = ", ".join(map(short_commit, commits))
    return f"p2pnode {version}{f' ({told})' if told else ''}"


def _answer(git: str, root: Path, *words: str) -> str | None:
    """Asks git, whatever repository the caller's surroundings name; None when it cannot tell."""
    surroundings = {key: one for key, one in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603  the system's git, fixed words
            [git, "-C", str(root), *words],
            capture_output=True,
            check=True,
            env=surroundings | {"GIT_OPTIONAL_LOCKS": "0"},
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def _installed_commit() -> str:
    """Reads what an installer kept of a repository (PEP 610)."""
    try:
        text = distribution("p2pnode").read_text("direct_url.json")
        found = json.loads(text or "{}")
        return str(found["vcs_info"]["commit_id"])
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return ""
