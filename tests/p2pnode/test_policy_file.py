"""The policy file is strict: what it says holds, and what it does not understand it refuses."""

import re
from pathlib import Path

import pytest

from p2pnode.kinds import known
from p2pnode.policy_file import Hours, PolicyError, PolicyFile, read_policy
from p2pnode.settings import Settings, SettingsError, load_settings
from tests.support.sources import ROOT

DIGEST, ACCOUNT = "ab" * 32, "CD" * 32
WHOLE = f"""
kinds = ["wasm", "onnx"]

[prices]
onnx = "0.02"

[limits]
seconds = 600
memory_mib = 4096
output_mib = 64

[artefacts]
allow = ["{DIGEST}"]
deny = []

[requesters]
allow = []
deny = [
    "{ACCOUNT}",
]

[hours]
from = "22:00"
to = "06:30"

[gpu]
temperature_celsius = 83
memory_mib = 16000
lease_folder = "/run/lock/p2pnode"
"""


def read(folder: Path, text: str) -> PolicyFile:
    path = folder / "policy.toml"
    path.write_text(text)
    return read_policy(path)


def test_every_key_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == PolicyFile(
        kinds=frozenset({"wasm", "onnx"}),
        prices={"onnx": 20_000},
        time_ms_max=600_000,
        memory_bytes_max=4096 * 2**20,
        output_bytes_max=64 * 2**20,
        allowed_artefacts=frozenset({b"\xab" * 32}),
        denied_requesters=frozenset({b"\xcd" * 32}),
        hours=Hours(22 * 60, 6 * 60 + 30),
        temperature_celsius=83,
        gpu_memory_bytes=16_000 * 2**20,
        lease_folder=Path("/run/lock/p2pnode"),
    )


def test_what_is_left_out_is_not_restricted(tmp_path: Path) -> None:
    assert read(tmp_path, "") == PolicyFile()
    assert read(tmp_path, "[hours]\n[gpu]\n") == PolicyFile()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind = []", "line 1: unknown key 'kind': did you mean 'kinds'?"),
        ("\nkinds = []", "line 2: 'kinds': expected a list of kinds"),
        ("kinds = ['onnyx']", "line 1: 'kinds': unknown kind 'onnyx': did you mean 'onnx'?"),
        ("gpu = 3", "line 1: 'gpu' is a table: write [gpu]"),
        ("prices = '1'", "line 1: 'prices' is a table: write [prices]"),
        ("[prices]\nonnx = 0.02", "line 2: 'onnx': expected credits per second in quotes"),
        ("[prices]\nonnx = '0'", "line 2: 'onnx': a price is more than nothing"),
        ("[prices]\nonyx = '1'", "line 2: unknown key 'onyx' in [prices]: did you mean 'onnx'?"),
        ("[limits]\nhours = 1", "line 2: unknown key 'hours' in [limits]"),
        ("[limits]\nseconds = 0", "line 2: 'seconds': expected a whole number from 1 to"),
        ("[limits]\nseconds = 1.5", "line 2: 'seconds': expected a whole number from 1 to"),
        ("[limits]\nseconds = true", "line 2: 'seconds': expected a whole number from 1 to"),
        ("[artefacts]\ndeny = ['ab']", "line 2: 'deny': 'ab' is no digest"),
        ("[artefacts]\ndeny = 'ab'", "line 2: 'deny': expected a list of at most"),
        ("[requesters]\nallow = [7]", "line 2: 'allow': 7 is no account"),
        ("[hours]\nfrom = '8:00'", "line 2: 'from': expected a time of day in quotes"),
        ("[hours]\nto = 08:00:00", "line 2: 'to': expected a time of day in quotes"),
        ("[hours]\nfrom = '08:00'", "line 1: [hours] needs two different times"),
        ("[hours]\nfrom='08:00'\nto='08:00'", "line 1: [hours] needs two different times"),
        ("[gpu]\ntemperature_celsius = 20", "expected a whole number from 30 to 110"),
        ("[gpu]\nlease_folder = 'leases'", "line 2: 'lease_folder': expected the whole path"),
        ("[gpu]\nlease_folder = 7", "line 2: 'lease_folder': expected the whole path"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=re.escape(complaint)):
        read(tmp_path, text)


def test_hours_may_go_over_midnight() -> None:
    night, day = Hours(22 * 60, 6 * 60), Hours(8 * 60, 17 * 60)
    times = (0, 5 * 60 + 59, 6 * 60, 8 * 60, 16 * 60 + 59, 17 * 60, 21 * 60 + 59, 22 * 60)
    assert [night.include(one) for one in times] == [
        *(True, True, False, False, False, False, False, True)
    ]
    assert [day.include(one) for one in times] == [
        *(False, False, False, True, True, False, False, False)
    ]
    assert str(night) == "from 22:00 to 06:00"


def test_the_file_is_read_with_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("kinds = ['wasm']")
    expected = Settings(data_dir=tmp_path, policy=PolicyFile(kinds=frozenset({"wasm"})))
    assert load_settings({"data_dir": tmp_path, "policy": path}, {}) == expected
    assert load_settings({"data_dir": tmp_path}, {"P2PNODE_POLICY": str(path)}) == expected
    path.write_text("kinds = ['wasm']\nsloth = 1")
    with pytest.raises(
        SettingsError, match=r"--policy: .*policy.toml, line 2: unknown key 'sloth'"
    ):
        load_settings({"data_dir": tmp_path, "policy": path}, {})
    with pytest.raises(SettingsError, match=r"--policy: .*: No such file or directory: check"):
        load_settings({"data_dir": tmp_path, "policy": tmp_path / "none"}, {})


def test_the_example_is_a_policy() -> None:
    policy = read_policy(ROOT / "examples" / "07_policy" / "policy.toml")
    assert policy.kinds is not None
    assert policy.kinds < set(known())
    assert policy.temperature_celsius is not None
