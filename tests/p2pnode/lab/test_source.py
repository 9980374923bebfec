import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from p2pnode.lab import source
from p2pnode.lab.source import short_commit, source_commit, version_text

NOBODY = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")


def git(root: Path, *words: str) -> str:
    line = ["git", "-C", str(root), *NOBODY, *words]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def checkout(root: Path) -> str:
    """A repository with one commit; returns the commit."""
    (root / "protocol").mkdir(parents=True)
    (root / "protocol" / "core.py").write_text("pass\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "Begin")
    return git(root, "rev-parse", "HEAD")


def test_a_checkout_has_its_commit_and_says_when_its_source_was_changed(tmp_path: Path) -> None:
    commits = {name: checkout(tmp_path / name) for name in ("clean", "notes", "changed", "new")}
    (tmp_path / "notes" / "notes.md").write_text("no source\n")
    (tmp_path / "changed" / "protocol" / "core.py").write_text("raise\n")
    (tmp_path / "new" / "protocol" / "other.py").write_text("pass\n")
    assert {name: source_commit(tmp_path / name) for name in commits} == {
        "clean": commits["clean"],
        "notes": commits["notes"],
        "changed": commits["changed"] + "+changes",
        "new": commits["new"] + "+changes",
    }


def test_another_repository_of_the_surroundings_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = checkout(tmp_path / "ours")
    (tmp_path / "other" / "protocol").mkdir(parents=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert source_commit(tmp_path / "ours") == commit


def test_a_checkout_without_a_commit_or_without_git_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    assert source_commit(tmp_path / "empty") == ""
    commit = checkout(tmp_path / "whole")
    assert commit
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source_commit(tmp_path / "whole") == ""


class Installed:
    """What an installer left of a package."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.text


@pytest.mark.parametrize(
    ("text", "commit"),
    [
        ('{"vcs_info": {"vcs": "git", "commit_id": "abc"}}', "abc"),
        ('{"dir_info": {}}', ""),
        ("[", ""),
        ("[]", ""),
        (None, ""),
    ],
)
def test_an_installed_package_has_the_commit_that_it_was_installed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, commit: str
) -> None:
    monkeypatch.setattr(source, "distribution", lambda _: Installed(text))
    assert source_commit(tmp_path) == commit


def test_what_was_never_installed_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> Installed:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(source, "distribution", gone)
    assert source_commit(tmp_path) == ""


def test_captions_name_each_commit_in_short() -> None:
    first, second = "a" * 40, "b" * 40 + "+changes"
    assert short_commit(second) == "b" * 12 + "+changes"
    assert version_text({"commit": first}, "1.2") == f"p2pnode 1.2 ({'a' * 12})"
    assert version_text({"commits": [first, "", second]}, "1.2") == (
        f"p2pnode 1.2 ({'a' * 12}, {'b' * 12}+changes)"
    )
    assert (
        version_text({"commit": ""}, "1.2") == version_text({"commits": 7}, "1.2") == "p2pnode 1.2"
    )
