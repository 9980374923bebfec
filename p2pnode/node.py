"""A whole node: opens every adapter in order, ties them to a driver, and takes them down again."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
import trio

from p2pnode.api.server import ApiSettings, ApiUnavailable, serve_api
from p2pnode.catching_up import show_catching_up
from p2pnode.cautions import Cautions
from p2pnode.clock import NodeClock
from p2pnode.content import Content
from p2pnode.control import ControlParts, NodeControl
from p2pnode.disk_watch import DiskWatch
from p2pnode.driver import Driver, Step, World
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.devices import Devices
from p2pnode.execution.leases import Leases
from p2pnode.execution.probe import SandboxReport
from p2pnode.execution.runner import Runner
from p2pnode.executions import Executions, Run
from p2pnode.facts import FactLog
from p2pnode.failures import explained, leaves_of
from p2pnode.faucet import Faucet
from p2pnode.greeting import Greeter
from p2pnode.interfaces import Gossiped, KeyInUse, Metered, PeerJoined, PeerLeft, Received
from p2pnode.joining import (
    GENESIS_KIND,
    Joined,
    JoinRefused,
    JoinRequest,
    NobodyAnswered,
    join,
    serve_genesis,
)
from p2pnode.lending import DeviceMissing, Lending, chosen, gpu_limits
from p2pnode.live_line import LiveLine
from p2pnode.logs import configure_logs
from p2pnode.machine import Survey
from p2pnode.network import (
    BadAddress,
    Network,
    NetworkError,
    NetworkSettings,
    open_network,
)
from p2pnode.newcomer import Newcomer, take_up_snapshot, watch_for_gap
from p2pnode.restoring import Begun, begin, restore
from p2pnode.settings import Settings
from p2pnode.storage import (
    ArtifactStore,
    DataFolder,
    Journal,
    NodeSeeds,
    StorageError,
    load_or_create_seeds,
    load_or_create_token,
    locked,
    open_artifacts,
    open_journal,
    prepare_data_folder,
)
from p2pnode.upkeep import (
    KeyElsewhere,
    keep_bounded,
    may_sign,
    stop_if_key_is_elsewhere,
    tend_content,
)
from p2pnode.world import BLOCKS_TOPIC, OPERATIONS_TOPIC, NodeWorld, WorldParts, topic_of
from protocol import events as ev
from protocol.core import Core
from protocol.ledger.block import stored_digest
from protocol.signing import Identity, account_of
from protocol.units import MILLISECOND, AccountId, Digest

ARTEFACT_BYTES_MAX: Final = 2 * 1024**3
GIBIBYTE: Final = 1024**3
DONE, FAILED, BAD_INPUT, UNREACHABLE = 0, 1, 2, 3
"""Exit codes, as everywhere in the command line."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where a laboratory wraps a node; an operator's node has none of these."""

    wrap_run: Callable[[Run], Run] | None = None
    wrap_world: Callable[[World], World] | None = None
    wrap_core: Callable[[Core], Step] | None = None
    clock_error_ns: Callable[[], int] | None = None
    on_network: Callable[[Network], None] | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The adapters of one running node."""

    settings: Settings
    folder: DataFolder
    seeds: NodeSeeds
    joined: Joined
    core: Core
    begun: Begun
    journal: Journal
    network: Network
    may_sign: bool
    line: LiveLine | None = None
    """Below the log, where people watch it on a terminal."""


def run(settings: Settings, hooks: Hooks | None = None) -> int:
    """Runs a node until it is interrupted.

    Returns:
        The exit code: 0 after a clean stop, 2 for an address that is none, 3 when no peer to start
        from answered, 1 when the node could not start for another reason or had to stop.
    """
    line = configure_logs(settings.log_format, settings.log_level)
    failures: list[BaseException] = []
    try:
        trio.run(_run, settings, hooks or Hooks(), line, strict_exception_groups=True)
    except* (StorageError, JoinRefused, NetworkError, ApiUnavailable) as group:
        failures += leaves_of(group)
    except* (DeviceMissing, KeyElsewhere, OSError) as group:
        failures += leaves_of(group)
    if line is not None:
        line.clear()
    for failure in failures:
        log.error("node_cannot_run", detail=explained(failure))
    codes: dict[type[BaseException], int] = {BadAddress: BAD_INPUT, NobodyAnswered: UNREACHABLE}
    return max((codes.get(type(failure), FAILED) for failure in failures), default=DONE)


async def _run(settings: Settings, hooks: Hooks, line: LiveLine | None) -> None:
    folder = prepare_data_folder(settings.data_dir)
    with locked(folder.lock):
        seeds = load_or_create_seeds(folder.key)
        joined = await join(
            JoinRequest(
                pinned=folder.genesis,
                insisted=settings.network,
                bootstrap=settings.bootstrap,
                signing_seed=seeds.signing,
                vrf_seed=seeds.randomness,
            )
        )
        async with trio.open_nursery() as nursery:
            survey = Survey(nursery)
            async with _open(settings, folder, seeds, joined, line) as opened:
                await _serve(opened, hooks, survey)


@asynccontextmanager
async def _open(
    settings: Settings,
    folder: DataFolder,
    seeds: NodeSeeds,
    joined: Joined,
    line: LiveLine | None = None,
) -> AsyncIterator[Opened]:
    """Opens journal and network around a core that has replayed the journal."""
    identity = Identity(seeds.signing, seeds.randomness)
    account = account_of(seeds.signing)
    blocks, operations = (topic_of(name, joined.network) for name in _TOPICS)
    core: Core | None = None

    def gate(topic: str, peer: bytes, payload: bytes) -> bool:
        if core is None:
            return False  # what a newcomer misses while it fetches a snapshot it asks for later
        if topic == blocks:
            return core.replica.screen_block(payload)
        return topic == operations and core.replica.screen_operations(payload)

    network_settings = NetworkSettings(
        listen=settings.listen,
        bootstrap=settings.bootstrap,
        topics=(blocks, operations),
        address_book=folder.address_book,
    )
    opening = open_journal(folder.root, joined.network, account, hash_block=stored_digest)
    async with opening as journal:
        if journal.backup:
            log.info("journal_migrated", backup=str(journal.backup))
        if journal.freed_bytes:
            log.info("journal_compacted", freed_bytes=journal.freed_bytes)
        signs = may_sign(journal)
        make = partial(Core, joined.genesis, identity)
        validates = "validator" in settings.roles and signs
        async with open_network(network_settings, seeds.signing, gate) as network:
            await take_up_snapshot(Newcomer(settings, joined, journal, network, line))
            made, begun = begin(journal, lambda at: make(validates=validates, snapshot=at))
            core = made
            yield Opened(
                settings, folder, seeds, joined, made, begun, journal, network, signs, line
            )


_TOPICS: Final = (BLOCKS_TOPIC, OPERATIONS_TOPIC)


async def _serve(opened: Opened, hooks: Hooks, survey: Survey) -> None:
    """Ties the adapters together and runs them until a signal comes."""
    settings, folder = opened.settings, opened.folder
    core, network = opened.core, opened.network
    clock = NodeClock(opened.joined.genesis.time_ms, hooks.clock_error_ns)
    facts = FactLog()
    store = await _open_store(settings, folder)
    content = Content(store, network, lambda: core.peers)
    devices, sandbox = await survey.found()
    watch = await _watched(devices, settings)
    lending = Lending(settings, sandbox, watch)
    runner = _runner(
        settings, watch, sandbox, lambda one: facts.add(one, clock.now() // MILLISECOND)
    )
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tend_content, store, core, settings)
        adapters = WorldParts(opened.journal, network, content, facts)
        world = NodeWorld(adapters, nursery, opened.joined.network, clock)
        around = hooks.wrap_world(world) if hooks.wrap_world else world
        driver = Driver(core, around, clock, hooks.wrap_core(core) if hooks.wrap_core else None)
        run_task = hooks.wrap_run(runner.run) if hooks.wrap_run else runner.run
        world.executions = Executions(
            run_task, content, store, driver.put, lending.decide, runner.warm
        )
        if hooks.on_network:
            hooks.on_network(network)
        await driver.put(lending.offered())
        await _bring_back(opened, driver, world)
        if opened.line is not None:
            nursery.start_soon(show_catching_up, opened.line, core, clock.now)
        disk = DiskWatch(settings, opened.journal, store, lambda: core.ledger.committee.epoch)
        parts = ControlParts(settings, network, facts, content, store, lending, disk)
        control = NodeControl(driver, parts)
        world.listen(control.hear)
        _listen_for_cautions(driver.core, world)
        world.listen(stop_if_key_is_elsewhere)
        _serve_peers(opened, control)
        nursery.start_soon(driver.run)
        nursery.start_soon(runner.tend)
        nursery.start_soon(lending.keep_current, driver.put)
        nursery.start_soon(keep_bounded, opened.journal, settings, disk.hear_pruning)
        nursery.start_soon(disk.run)
        nursery.start_soon(
            watch_for_gap,
            Newcomer(settings, opened.joined, opened.journal, network),
            lambda: core.ledger.committee.epoch,
        )
        nursery.start_soon(_pump, network, driver, nursery, opened.joined.network)
        api = ApiSettings(
            settings.api_host, settings.api_port, load_or_create_token(folder.api_token)
        )
        address = await nursery.start(serve_api, control, api, stop)
        folder.api_address.write_text(f"{address}\n")
        _announce(opened, str(address), devices.why_no_gpu)
        lending.announce()
        await _wait_for_signal()
        log.info("stopping")
        stop.set()
        folder.api_address.unlink(missing_ok=True)
        nursery.cancel_scope.cancel()


async def _watched(found: Devices, settings: Settings) -> DeviceWatch:
    """Looks at the devices that the operator lends for the first time."""
    watch = DeviceWatch(chosen(found, settings), gpu_limits(settings.policy))
    await watch.look()
    return watch


def _runner(
    settings: Settings,
    watch: DeviceWatch,
    sandbox: SandboxReport,
    note: Callable[[Metered], None],
) -> Runner:
    leases = Leases(settings.policy.lease_folder)
    return Runner(watch, settings.parallel, sandbox, leases, note)


async def _open_store(settings: Settings, folder: DataFolder) -> ArtifactStore:
    """Opens the store of artefacts with the bound that the operator set."""
    store_bytes = settings.artefact_store_gib * GIBIBYTE
    return await open_artifacts(folder.artifacts, ARTEFACT_BYTES_MAX, store_bytes)


async def _bring_back(opened: Opened, driver: Driver, world: NodeWorld) -> None:
    """Replays the journal, and has the snapshot written that it lacks."""
    journal, line = opened.journal, opened.line
    lacking = await restore(journal, driver, opened.begun, line, may_sign=opened.may_sign)
    if lacking is not None:
        await world.perform(lacking)
    if line is not None:
        line.clear()


def _listen_for_cautions(core: Core, world: NodeWorld) -> None:
    cautions = Cautions(core)
    world.listen(cautions.hear)
    cautions.tell()


async def _pump(
    network: Network, driver: Driver, nursery: trio.Nursery, network_digest: Digest
) -> None:
    """Turns what the network brings into events."""
    blocks = topic_of(BLOCKS_TOPIC, network_digest)
    greeter = Greeter(network, driver, network_digest)
    connections: dict[bytes, trio.CancelScope] = {}
    async for event in network.events:
        match event:
            case PeerJoined(account=account):
                scope = connections[account] = trio.CancelScope()
                nursery.start_soon(greeter.greet, account, scope)
            case PeerLeft(account=account):
                connections.pop(account).cancel()
                await driver.put(ev.PeerLeft(AccountId(account)))
            case Gossiped(topic=topic, account=account, payload=payload):
                peer = AccountId(account)
                is_block = topic == blocks
                kind = ev.BlockReceived if is_block else ev.MessageReceived
                driver.put_nowait(kind(peer, payload))
            case Received(account=account, payload=payload):
                driver.put_nowait(ev.MessageReceived(AccountId(account), payload))
            case KeyInUse(running_ms=running_ms):
                raise KeyElsewhere(f"it has signed for it, and has run for {running_ms // 1000} s")


def _serve_peers(opened: Opened, control: NodeControl) -> None:
    """Answers what peers ask outside the protocol's own messages."""
    genesis = serve_genesis(opened.joined.genesis)

    async def answer_genesis(account: bytes, payload: bytes) -> bytes:
        return genesis

    opened.network.serve(GENESIS_KIND, answer_genesis)
    Faucet(opened.core, control.transfer).serve(opened.network)


def _announce(opened: Opened, api: str, why_no_gpu: str | None) -> None:
    """Says what an operator needs to know to use this node and to let others join."""
    network, core = opened.joined.network.hex(), opened.core
    address = opened.network.addresses[0] if opened.network.addresses else ""
    log.info("node_started", account=core.account.hex(), network=network, api=api)
    for one in opened.network.addresses:
        log.info("listening", address=one)
    if why_no_gpu:
        log.info("no_gpu", detail=why_no_gpu)
    if opened.joined.is_new:
        log.info("development_network_made", faucet=core.account.hex())
    if not opened.joined.is_verified:
        log.warning("network_not_verified", network=network, advice="confirm with --network HASH")
    start = f"p2pnode --data-dir FOLDER --bootstrap {address} --network {network[:16]}"
    log.info("join_with", command=start)


async def _wait_for_signal() -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return
