"""A node's control over a real core and store, for a lone validator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import trio

from p2pnode.content import Content
from p2pnode.control import ControlParts, NodeControl
from p2pnode.disk_watch import DiskWatch
from p2pnode.driver import Driver
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.probe import SandboxReport
from p2pnode.execution.sandbox import Walls
from p2pnode.facts import FactLog
from p2pnode.interfaces import JobRequest
from p2pnode.lending import Lending
from p2pnode.settings import ROLES, Settings
from p2pnode.storage import Journal, open_artifacts
from protocol import events as ev
from protocol.core import Core
from protocol.encoding import content_digest
from protocol.messages import Genesis
from protocol.units import JobId
from tests.p2pnode.fake_ports import FakeNetwork, FakeWorld, live_driver, lone_core
from tests.support.builders import HandLedger, make_offer

ARTEFACT = b"artefact"
ITEM_MAX = 1_000


@dataclass
class Bench:
    """A node's control and everything behind it."""

    control: NodeControl
    core: Core
    world: FakeWorld
    network: FakeNetwork
    facts: FactLog
    driver: Driver


@asynccontextmanager
async def bench(
    folder: Path,
    genesis: Genesis | None = None,
    core: Core | None = None,
    roles: tuple[str, ...] = ROLES,
    runs: bool = True,
) -> AsyncIterator[Bench]:
    core = core if core is not None else lone_core(genesis)
    world, network, facts = FakeWorld(), FakeNetwork(core.account), FactLog()
    store = await open_artifacts(folder, ITEM_MAX, 2 * ITEM_MAX)
    content = Content(store, network.port, lambda: core.peers)
    devices = Devices((Device("cpu", "processor", "", 2**30),), "no driver")
    driver = live_driver(core, world)
    settings = Settings(folder, roles=roles)
    disk = DiskWatch(settings, cast(Journal, None), store, lambda: 0)  # nobody looks here
    lending = Lending(settings, SandboxReport(Walls(calls=True)), DeviceWatch(devices))
    parts = ControlParts(settings, network.port, facts, content, store, lending, disk)
    control = NodeControl(driver, parts)
    made = Bench(control, core, world, network, facts, driver)

    def hear(fact: object) -> None:
        facts.add(fact, 0)
        control.hear(fact)  # type: ignore[arg-type]  # only facts are reported

    world.listener = hear
    async with trio.open_nursery() as nursery:
        await driver.put(ev.Restored(0, (), ()))
        if runs:
            nursery.start_soon(driver.run)
        yield made
        nursery.cancel_scope.cancel()


def request(**changes: object) -> JobRequest:
    offer = make_offer()
    fields = {
        "kind": offer.kind,
        "artefact": content_digest(ARTEFACT),
        "inputs": (),
        "size_bytes": 0,
        "device": offer.device,
        "time_limit_ms": offer.limits.time_ms,
        "memory_limit_bytes": offer.limits.memory_bytes,
        "output_limit_bytes": offer.limits.output_bytes,
        "fuel_limit": offer.limits.fuel,
        "result_class": offer.result_class,
        "tolerated_error_ppm": offer.tolerated_error_ppm,
        "replicas": offer.replicas,
        "replicas_max": offer.replicas_max,
        "price_cap": offer.price_cap,
        "budget": 0,
        "bid_window_rounds": 0,
        "deadline_ms": offer.deadline_ms,
        "speed_target_ms": 0,
        "sandbox_level": 0,
        "retention_ms": 0,
    }
    return JobRequest(**{**fields, **changes})  # type: ignore[arg-type]  # as the fields are


def settled(output: bytes) -> tuple[Core, JobId]:
    """A core that sees a settled job, whose executors are accounts 1 to 6."""
    ledger = HandLedger()
    job = ledger.start(make_offer(replicas=2)).identifier
    ledger.run(job, dict.fromkeys(range(1, 7), output))
    core = lone_core(ledger.genesis)
    core.state = ledger.state
    return core, job
