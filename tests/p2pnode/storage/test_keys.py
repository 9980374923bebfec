"""The node's secrets: made once, private, and never silently replaced."""

import stat
from pathlib import Path

import pytest

from p2pnode.storage import (
    DamagedData,
    KeyFileExposed,
    NodeSeeds,
    create_seeds,
    load_or_create_seeds,
    load_or_create_token,
)


def test_seeds_are_made_once_and_stay(tmp_path: Path) -> None:
    seeds = load_or_create_seeds(tmp_path / "key")
    assert load_or_create_seeds(tmp_path / "key") == seeds
    assert (len(seeds.signing), len(seeds.randomness)) == (32, 32)
    assert seeds.signing != seeds.randomness
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert load_or_create_seeds(tmp_path / "other") != seeds


def test_chosen_seeds_are_kept_and_never_replace_others(tmp_path: Path) -> None:
    chosen = NodeSeeds(b"s" * 32, b"r" * 32)
    create_seeds(tmp_path / "key", chosen)
    create_seeds(tmp_path / "key", NodeSeeds(b"x" * 32, b"y" * 32))
    assert load_or_create_seeds(tmp_path / "key") == chosen
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_the_key_file_is_private_and_the_seeds_are_not_shown(tmp_path: Path) -> None:
    seeds = load_or_create_seeds(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert repr(seeds) == "NodeSeeds()"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    seeds = load_or_create_seeds(path)
    path.chmod(mode)
    with pytest.raises(KeyFileExposed, match="chmod 600"):
        load_or_create_seeds(path)
    path.chmod(0o600)
    assert load_or_create_seeds(path) == seeds


def test_every_damage_to_the_key_file_is_detected_and_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_or_create_seeds(path)
    content = path.read_bytes()
    flipped = [content[:n] + bytes([content[n] ^ 1]) + content[n + 1 :] for n in range(94)]
    assert len(content) == 94
    for damaged in [*flipped, content[:-1], content + b"x", b""]:
        path.write_bytes(damaged)
        with pytest.raises(DamagedData):
            load_or_create_seeds(path)
        assert path.read_bytes() == damaged


def test_an_unfinished_key_of_a_crash_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "key.1.new").write_bytes(b"half")
    assert len(load_or_create_seeds(tmp_path / "key").signing) == 32


def test_the_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = load_or_create_token(path)
    assert len(token) >= 32
    assert load_or_create_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_that_a_crash_left_unwritten_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    assert len(load_or_create_token(path)) >= 32
