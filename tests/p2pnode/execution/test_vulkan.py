import re
from pathlib import Path

import pytest

from p2pnode.execution import vulkan
from p2pnode.execution.devices import DRIVER_LENGTH, Device, Devices
from p2pnode.execution.vulkan import software_driver
from tests.p2pnode.execution import shaders

CPU = Device("cpu", "processor", "", 2**30)


def test_a_machine_without_a_driver_names_none_and_starts_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(vulkan, "DRIVER_FOLDERS", (tmp_path,))
    monkeypatch.setattr(vulkan.subprocess, "run", None)
    assert software_driver.__wrapped__() == ""


def test_a_driver_that_does_not_work_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "some.json").touch()
    monkeypatch.setattr(vulkan, "DRIVER_FOLDERS", (tmp_path,))
    monkeypatch.setattr(vulkan, "find_spec", lambda name: name)
    monkeypatch.setattr(vulkan.sys, "executable", "/bin/false")
    assert software_driver.__wrapped__() == ""


def test_the_driver_here_computes_and_has_a_name_fit_for_a_device_class() -> None:
    shaders.needs_vulkan()
    assert re.fullmatch(r"[\w.-]+/[\w.-]+/wgpu-[\d.]+", software_driver())
    assert len(software_driver()) <= DRIVER_LENGTH


def test_shaders_are_offered_only_with_a_driver() -> None:
    assert not Devices((CPU,), None).lends("wgsl")
    devices = Devices((CPU,), None, (("vulkan", "llvmpipe/Mesa/wgpu-1"),))
    assert devices.lends("wgsl")
    assert devices.class_for("wgsl") == "cpu/llvmpipe/Mesa/wgpu-1"
