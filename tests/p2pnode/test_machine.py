"""The survey of a machine goes on beside whatever else a start does."""

import time

import pytest
import trio

from p2pnode import machine
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.probe import SandboxReport
from p2pnode.machine import Survey

FOUND = Devices((Device("cpu", "processor", "", 2**30),), "no driver")
SECONDS = 0.3


async def test_devices_and_sandbox_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    begun: list[str] = []

    async def probe() -> SandboxReport:
        begun.append("sandbox")
        while "devices" not in begun:  # noqa: ASYNC110  it is set by a thread
            await trio.sleep(0.01)
        return SandboxReport(why="not asked")

    def discover() -> Devices:
        begun.append("devices")
        time.sleep(SECONDS)
        return FOUND

    monkeypatch.setattr(machine, "probe", probe)
    monkeypatch.setattr(machine, "discover", discover)
    survey = Survey(nursery)
    with trio.move_on_after(SECONDS / 3) as scope:
        await survey.found()
    assert scope.cancelled_caught, "it goes on in the background"
    assert await survey.found() == (FOUND, SandboxReport(why="not asked"))
    assert await survey.found() == (FOUND, SandboxReport(why="not asked"))
