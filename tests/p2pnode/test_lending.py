"""What a node lends, from the operator's choice, the sandbox, the devices and the hour."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from p2pnode import lending
from p2pnode.execution.device_watch import DeviceWatch, GpuLimits
from p2pnode.execution.devices import Device, Devices
from p2pnode.execution.nvml import GpuError, Reading
from p2pnode.execution.probe import SandboxReport
from p2pnode.execution.sandbox import Walls
from p2pnode.lending import DeviceMissing, Lending, chosen, gpu_limits
from p2pnode.policy_file import Hours, PolicyFile
from p2pnode.settings import Settings
from protocol import events as ev
from protocol.messages import Offer
from protocol.units import Digest
from tests.p2pnode.execution.builders import wait_until
from tests.support.builders import account_id, make_offer
from tests.support.nvml import MIB, gpu, mig_slice

CPU = Device("cpu", "processor", "", 2**30)
GPU_RUNTIME = (("onnxruntime-gpu", "1.32.0"),)
PLAIN = Devices((CPU,), "no driver")
GPUS = Devices((CPU, gpu(0), gpu(1)), None, GPU_RUNTIME)
HELD = SandboxReport(Walls(calls=True))
COOL = Reading(1_000, 75_000, 41, 17, 0)


def settings(**changes: object) -> Settings:
    return Settings(Path("data"), **changes)  # type: ignore[arg-type]  # as the fields are


def lent(
    chosen_settings: Settings | None = None,
    devices: Devices = PLAIN,
    report: SandboxReport = HELD,
    minute: int = 0,
) -> Lending:
    made = chosen_settings or settings()
    watch = DeviceWatch(devices, gpu_limits(made.policy), lambda device: COOL)
    return Lending(made, report, watch, lambda: minute)


async def lent_on_gpus(policy: PolicyFile, *celsius: int) -> Lending:
    """A node whose operator lets anything run on GPUs of these temperatures."""
    heat = {f"GPU-{index}": one for index, one in enumerate(celsius)}

    def read(device: Device) -> Reading:
        if device.uuid not in heat:
            raise GpuError("The GPU is lost.")
        return replace(COOL, temperature_celsius=heat[device.uuid])

    watch = DeviceWatch(GPUS, gpu_limits(policy), read)
    await watch.look()
    return Lending(settings(unsafe_run_anything=True, policy=policy), HELD, watch)


def terms_of(one: Lending) -> Mapping[str, ev.Terms]:
    return {terms.kind: terms for terms in one.offered().terms}


def test_a_node_offers_what_its_operator_allows() -> None:
    offer = lent(settings(allowed_artefacts=(b"a" * 32,), price=7, parallel=3)).offered()
    assert offer.kinds == {"wasm", "onnx", "builtin"}
    assert (offer.price, offer.parallel) == (7, 3)
    assert offer.allowed == frozenset({Digest(b"a" * 32)})
    plain = lent().offered()
    assert (plain.allowed, plain.requesters) == (None, None), "what the sandbox holds"
    denying = lent(settings(denied_artefacts=(b"b" * 32,))).offered()
    assert denying.denied == frozenset({Digest(b"b" * 32)})


def test_lists_of_options_and_of_the_policy_file_are_joined() -> None:
    policy = PolicyFile(
        allowed_artefacts=frozenset({b"c" * 32}),
        denied_artefacts=frozenset({b"d" * 32}),
        allowed_requesters=frozenset({account_id(1)}),
        denied_requesters=frozenset({account_id(2)}),
    )
    options = {"allowed_artefacts": (b"a" * 32,), "denied_artefacts": (b"b" * 32,)}
    offer = lent(settings(policy=policy, **options)).offered()
    assert offer.allowed == {Digest(b"a" * 32), Digest(b"c" * 32)}
    assert offer.denied == {Digest(b"b" * 32), Digest(b"d" * 32)}
    assert (offer.requesters, offer.denied_requesters) == ({account_id(1)}, {account_id(2)})


def test_a_policy_file_with_an_allow_list_serves_a_weak_sandbox_like_the_option() -> None:
    policy = PolicyFile(allowed_artefacts=frozenset({b"c" * 32}))
    assert lent(settings(policy=policy), report=SandboxReport()).offered().kinds
    assert not lent(report=SandboxReport()).offered().kinds


def test_a_node_offers_only_what_its_sandbox_holds() -> None:
    devices = Devices((CPU, gpu(0)), None, GPU_RUNTIME)
    held = {"wasm", "builtin"}
    assert lent(devices=devices).offered().kinds == held, "nothing is locked up on a GPU"
    assert lent(devices=devices).offered().sandbox_level == HELD.level
    assert lent(devices=devices, report=SandboxReport()).offered().kinds == frozenset()
    named = lent(settings(allowed_artefacts=(b"a" * 32,)), devices).offered()
    assert named.kinds == held | {"onnx"}
    assert named.sandbox_level == 0, "the least of what it offers"
    anything = settings(unsafe_run_anything=True)
    assert lent(anything, devices).offered().kinds == held | {"onnx"}


def test_the_sandboxs_reason_is_the_one_that_is_given() -> None:
    devices = Devices((CPU, gpu(0)), None, GPU_RUNTIME)
    said = lent(devices=devices).decide(make_offer(kind="onnx"), account_id(0))
    assert said.startswith("kind 'onnx' would run at sandbox level 0 here")


def test_kinds_and_prices_and_limits_come_from_the_policy_file() -> None:
    policy = PolicyFile(
        kinds=frozenset({"wasm", "onnx"}),
        prices={"wasm": 5},
        time_ms_max=1,
        memory_bytes_max=2,
        output_bytes_max=3,
    )
    one = lent(settings(policy=policy, price=9))
    assert one.offered().kinds == {"wasm", "onnx"}
    assert terms_of(one)["wasm"] == ev.Terms("wasm", 5, 1, 2, 3)
    assert terms_of(one)["onnx"] == ev.Terms("onnx", 9, 1, 2, 3)
    left_out = "this node's policy file leaves the kind 'builtin' out"
    assert one.not_taken()["builtin"] == left_out


def test_what_a_node_runs_is_what_it_offers() -> None:
    allowed, other = make_offer(artefact=Digest(b"a" * 32)), make_offer(artefact=Digest(b"b" * 32))

    def decide(chosen_settings: Settings, offer: Offer = other) -> str:
        return lent(chosen_settings).decide(offer, account_id(0))

    some = settings(allowed_artefacts=(b"a" * 32,))
    assert decide(some, allowed) == ""
    assert "not on this node's allow-list" in decide(some)
    assert decide(settings()) == "", "what the sandbox holds"
    assert "deny-list" in decide(settings(denied_artefacts=(b"b" * 32,)))
    no_worker = settings(roles=("validator",), unsafe_run_anything=True)
    assert decide(no_worker, allowed) != ""


def test_a_node_that_is_no_worker_offers_nothing() -> None:
    offer = lent(settings(roles=("validator",), unsafe_run_anything=True)).offered()
    assert (offer.kinds, offer.parallel, offer.allowed) == (frozenset(), 0, frozenset())


def test_outside_the_operators_hours_nothing_is_begun() -> None:
    night = settings(policy=PolicyFile(hours=Hours(22 * 60, 6 * 60)))
    assert lent(night, minute=23 * 60).decide(make_offer(), account_id(0)) == ""
    said = lent(night, minute=12 * 60).decide(make_offer(), account_id(0))
    assert said == "this node begins work from 22:00 to 06:00 only, by its own clock"
    assert 0 <= lending.minute_of_day() < 24 * 60


async def test_hot_gpus_are_not_bid_for_and_the_status_says_so() -> None:
    policy = PolicyFile(temperature_celsius=80)
    assert (await lent_on_gpus(policy, 90, 60)).not_taken().get("onnx") is None, "one is cool"
    hot = await lent_on_gpus(policy, 90, 91)
    said = hot.decide(make_offer(kind="onnx"), account_id(0))
    assert said.startswith("cuda:0 has 90 °C: it takes nothing above 80 °C")
    assert "cuda:1 has 91 °C" in said
    assert hot.decide(make_offer(kind="wasm"), account_id(0)) == "", "that needs no GPU"
    assert str({"kind": "onnx", "reason": said}) in str(hot.view()["not_taken"])
    no_driver = "this node lends no device that the kind 'wgsl' runs on"
    assert hot.not_taken()["wgsl"] == no_driver
    _, first, _ = hot.devices_view()
    assert (first["identifier"], first["temperature_celsius"]) == ("cuda:0", 90)
    assert str(first["problem"]).startswith("cuda:0 has 90 °C")


async def test_a_gpu_that_is_lost_is_not_bid_for() -> None:
    assert (await lent_on_gpus(PolicyFile(), 50)).decide(make_offer(), account_id(0)) == ""
    said = (await lent_on_gpus(PolicyFile())).not_taken()["onnx"]
    assert said == "cuda:0: The GPU is lost.; cuda:1: The GPU is lost."


async def test_no_job_gets_more_of_a_gpu_than_the_operator_lends() -> None:
    one = await lent_on_gpus(PolicyFile(gpu_memory_bytes=100 * MIB), 50, 50)
    assert terms_of(one)["onnx"].memory_bytes_max == 100 * MIB
    assert terms_of(one)["wasm"].memory_bytes_max == ev.ANY_AMOUNT
    both = PolicyFile(gpu_memory_bytes=100 * MIB, memory_bytes_max=50 * MIB)
    assert terms_of(await lent_on_gpus(both, 50, 50))["onnx"].memory_bytes_max == 50 * MIB
    whole = terms_of(await lent_on_gpus(PolicyFile(), 50, 50))["onnx"]
    assert whole.memory_bytes_max == gpu(0).memory_bytes


async def test_the_core_is_told_when_something_changes_and_only_then(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    monkeypatch.setattr(lending, "LOOK_SECONDS", 0.01)
    heat, looks = [50], [0]

    def read(device: Device) -> Reading:
        looks[0] += 1
        return replace(COOL, temperature_celsius=heat[-1])

    devices = Devices((CPU, gpu(0)), None, GPU_RUNTIME)
    watch = DeviceWatch(devices, GpuLimits(temperature_celsius=80), read)
    await watch.look()
    one = Lending(settings(unsafe_run_anything=True), HELD, watch)
    send, told = trio.open_memory_channel[ev.Event](10)
    nursery.start_soon(one.keep_current, send.send)
    with trio.fail_after(10):
        await wait_until(lambda: looks[0] >= 5, seconds=10)
        assert told.statistics().current_buffer_used == 0
        for celsius, is_refused in ((90, True), (60, False)):
            heat.append(celsius)
            event = await told.receive()
            assert isinstance(event, ev.WorkerOffered)
            (onnx,) = (terms for terms in event.terms if terms.kind == "onnx")
            assert bool(onnx.refusal) == is_refused


def test_only_the_devices_that_were_named_are_lent() -> None:
    assert chosen(GPUS, settings()) == GPUS
    assert chosen(GPUS, settings(devices=("cuda:0",))).devices == (gpu(0),)
    with pytest.raises(DeviceMissing, match="there is: cpu, cuda:0, cuda:1"):
        chosen(GPUS, settings(devices=("cuda:2",)))


def test_a_split_gpu_that_is_named_stands_for_its_slices() -> None:
    split = (gpu(0, mig=True), mig_slice(0, 0), mig_slice(0, 1))
    found = Devices((CPU, *split), None)
    assert chosen(found, settings(devices=("cuda:0",))).devices == split
    assert chosen(found, settings(devices=("cuda:0:1",))).devices == (mig_slice(0, 1),)
