import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from p2pnode.settings import (
    ROLES,
    Settings,
    SettingsError,
    default_data_dir,
    load_settings,
    read_checkpoint,
    split_address,
)

WHOLE = "ab" * 32
BOOTSTRAP = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWabc"


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings({}, {"XDG_DATA_HOME": str(tmp_path)})
    assert settings == Settings(data_dir=tmp_path / "p2pnode" / "default")
    assert settings.roles == ROLES


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'log_level = "error"\nlog_format = "json"\nrole = ["worker"]\n'
    )
    environment = {"P2PNODE_LOG_LEVEL": "warning", "P2PNODE_ROLE": "checker, validator"}
    settings = load_settings({"data_dir": tmp_path, "log_level": "debug"}, environment)
    assert settings.log_level == "debug"
    assert settings.roles == ("validator", "checker")
    assert settings.log_format == "json"
    assert settings.devices == ("auto",)


def test_the_folder_named_by_the_environment_holds_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('network = "abc"')
    settings = load_settings({}, {"P2PNODE_DATA_DIR": str(tmp_path)})
    assert (settings.data_dir, settings.network) == (tmp_path, "abc")


def test_every_setting_can_be_a_flag(tmp_path: Path) -> None:
    flags = {
        "allow_artefact": ["ab" * 32, "blake2b:" + "cd" * 32],
        "api": "[::1]:8080",
        "artefact_store_gib": "3",
        "output_keep_hours": "5",
        "bootstrap": [BOOTSTRAP],
        "checkpoint": "12:" + "Ef" * 32,
        "data_dir": tmp_path,
        "device": "cpu,cuda:0",
        "keep": "12",
        "keep_chain": "34",
        "listen": ["/ip4/0.0.0.0/tcp/1", "/ip4/0.0.0.0/tcp/2"],
        "network": "genesis.toml",
        "role": "worker",
        "start_from": "genesis",
        "unsafe_run_anything": True,
        "config": None,
    }
    assert load_settings(flags, {}) == Settings(
        data_dir=tmp_path,
        artefact_store_gib=3,
        output_keep_hours=5,
        bootstrap=(BOOTSTRAP,),
        checkpoint=(12, b"\xef" * 32),
        start_from="genesis",
        listen=("/ip4/0.0.0.0/tcp/1", "/ip4/0.0.0.0/tcp/2"),
        keep_epochs=12,
        keep_chain=34,
        network="genesis.toml",
        api_host="::1",
        api_port=8080,
        roles=("worker",),
        devices=("cpu", "cuda:0"),
        unsafe_run_anything=True,
        allowed_artefacts=(b"\xab" * 32, b"\xcd" * 32),
    )


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load_settings({"data_dir": tmp_path}, {})
    with pytest.raises(FrozenInstanceError):
        settings.network = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("flags", "environment", "complaint"),
    [
        ({"role": "worker,minor"}, {}, "--role: unknown role 'minor'"),
        ({"api": "8080"}, {}, "--api: '8080' is not HOST:PORT"),
        ({"bootstrap": ["/ip4/192.0.2.1/tcp/1"]}, {}, "does not end in /p2p/"),
        ({"listen": ["0.0.0.0:1"]}, {}, "is no multiaddress"),
        ({"device": "auto,cpu"}, {}, "write auto alone"),
        ({"device": "gpu"}, {}, "--device: 'gpu' is not auto, cpu, cuda:N or cuda:N:M"),
        ({"allow_artefact": ["12"]}, {}, "--allow-artefact: '12' is not a digest"),
        ({"artefact_store_gib": "0"}, {}, "--artefact-store-gib: expected 1 to 1000000"),
        ({"log_level": "loud"}, {}, "--log-level: 'loud' is not one of"),
        ({}, {"P2PNODE_LOG_FORMAT": "xml"}, "environment variable P2PNODE_LOG_FORMAT: 'xml'"),
        ({}, {"P2PNODE_ROLES": "worker"}, "unknown environment variable P2PNODE_ROLES: did you"),
        ({}, {"P2PNODE_UNSAFE_RUN_ANYTHING": "maybe"}, "expected true or false"),
        ({"config": "missing.toml"}, {}, "missing.toml: No such file"),
    ],
)
def test_a_wrong_value_is_named_with_its_source(
    flags: dict[str, object], environment: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        load_settings({"data_dir": tmp_path} | flags, environment)


def test_an_unknown_key_of_the_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('network = "a"\nbotstrap = []\n')
    with pytest.raises(SettingsError, match=r"line 2: unknown key 'botstrap': did you mean 'boots"):
        load_settings({"data_dir": tmp_path}, {})


def test_variables_of_the_client_are_left_to_it(tmp_path: Path) -> None:
    assert load_settings({"data_dir": tmp_path}, {"P2PNODE_TOKEN": "x"}).data_dir == tmp_path


def test_the_default_folder_ignores_a_relative_data_home() -> None:
    found = default_data_dir({"XDG_DATA_HOME": "relative"})
    assert found == Path.home() / ".local" / "share" / "p2pnode" / "default"


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "host:65536", "host:-1", "host:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        split_address(text)


@pytest.mark.parametrize(("value", "epochs"), [("all", None), (0, 0), ("7", 7), (1_000_000, 10**6)])
def test_history_is_kept_whole_or_for_some_epochs(
    value: object, epochs: int | None, tmp_path: Path
) -> None:
    assert load_settings({"keep": value, "data_dir": tmp_path}, {}).keep_epochs == epochs


@pytest.mark.parametrize("value", ["some", "-1", 1_000_001, True, ""])
def test_any_other_length_of_history_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected all, or a number of epochs"):
        load_settings({"keep": value, "data_dir": tmp_path}, {})


@pytest.mark.parametrize(
    "text",
    ["", "12", "12:abcd", ":" + "ab" * 32, "-1:" + "ab" * 32, "1:" + "ab" * 33, "١:" + "ab" * 32],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not EPOCH:HASH, such as"):
        read_checkpoint(text)
