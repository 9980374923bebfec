import json
import stat
from pathlib import Path

import pytest

from p2pnode.cli.entry import main
from p2pnode.network.addresses import peer_id_of as peer_id_by_the_network
from p2pnode.offline.keys_commands import peer_id_of
from p2pnode.storage import layout, load_or_create_seeds
from protocol import vrf
from protocol.signing import account_of
from tests.support.builders import account_id

Capture = pytest.CaptureFixture[str]


def test_new_keys_are_private_and_only_their_public_part_is_shown(
    tmp_path: Path, capsys: Capture
) -> None:
    data = tmp_path / "node"
    assert main(["keys", "new", "--data-dir", str(data), "--json"]) == 0
    shown = capsys.readouterr().out
    key = layout(data).key
    seeds = load_or_create_seeds(key)
    account, vrf_key = account_of(seeds.signing), vrf.public_key(seeds.randomness)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert json.loads(shown) == {
        "file": str(key),
        "account": account.hex(),
        "peer_id": peer_id_by_the_network(account),
        "vrf_key": vrf_key.hex(),
        "validator": f"{account.hex()}:{vrf_key.hex()}",
    }
    assert main(["keys", "show", "--data-dir", str(data), "--json"]) == 0
    assert capsys.readouterr().out == shown
    assert main(["keys", "show", "--key", str(key)]) == 0
    told = capsys.readouterr().out
    for secret in (seeds.signing, seeds.randomness):
        assert secret.hex() not in shown + told


def test_a_key_is_never_replaced(tmp_path: Path, capsys: Capture) -> None:
    key = tmp_path / "key"
    assert main(["keys", "new", "--key", str(key)]) == 0
    content = key.read_bytes()
    assert main(["keys", "new", "--key", str(key)]) == 2
    assert "never replaced" in capsys.readouterr().err
    assert key.read_bytes() == content


def test_secrets_are_printed_only_when_confirmed(tmp_path: Path, capsys: Capture) -> None:
    key = tmp_path / "key"
    seeds = load_or_create_seeds(key)
    assert main(["keys", "export", "--key", str(key), "--json"]) == 2
    refused = capsys.readouterr()
    assert seeds.signing.hex() not in refused.out + refused.err
    assert "--yes-show-secret" in refused.err
    assert main(["keys", "export", "--key", str(key), "--json", "--yes-show-secret"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "account": account_of(seeds.signing).hex(),
        "signing_seed": seeds.signing.hex(),
        "randomness_seed": seeds.randomness.hex(),
    }


@pytest.mark.parametrize("command", ["show", "export"])
def test_looking_makes_no_key(command: str, tmp_path: Path, capsys: Capture) -> None:
    line = ["keys", command, "--data-dir", str(tmp_path)]
    assert main([*line, "--yes-show-secret"] if command == "export" else line) == 2
    assert "there is no key file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_may_read_is_refused(tmp_path: Path, capsys: Capture) -> None:
    key = tmp_path / "key"
    load_or_create_seeds(key)
    key.chmod(0o644)
    assert main(["keys", "show", "--key", str(key)]) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_not_made_for_a_lone_key(tmp_path: Path) -> None:
    assert main(["keys", "new", "--key", str(tmp_path / "no" / "key")]) == 2


@pytest.mark.parametrize("number", range(5))
def test_peer_ids_are_those_of_the_network(number: int) -> None:
    assert peer_id_of(account_id(number)) == peer_id_by_the_network(account_id(number))
