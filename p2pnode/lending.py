"""What this node lends now: it follows from the operator, the sandbox, the devices and the hour.

All of it becomes one `WorkerOffered`, which the core is told anew whenever it changes.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog
import trio

from p2pnode.execution.device_watch import DeviceWatch, GpuLimits
from p2pnode.execution.devices import Devices
from p2pnode.execution.policy import Policy
from p2pnode.execution.probe import SandboxReport
from p2pnode.facts import plain
from p2pnode.kinds import known
from p2pnode.policy_file import PolicyFile
from p2pnode.settings import Settings
from protocol import acceptance
from protocol import events as ev
from protocol.messages import Offer
from protocol.units import AccountId, Digest

LOOK_SECONDS = 5.0
"""Between two looks at the devices and the clock."""

log = structlog.get_logger(__name__)


class DeviceMissing(Exception):  # noqa: N818  what is wrong, for the operator
    """The operator named devices that this machine does not have."""


def chosen(devices: Devices, settings: Settings) -> Devices:
    """Leaves only the devices that the operator lends; a split GPU stands for its slices.

    Raises:
        DeviceMissing: if none of those named is here.
    """
    if settings.devices == ("auto",):
        return devices
    named = {one.uuid for one in devices.devices if one.identifier in settings.devices and one.mig}
    lent = tuple(
        one
        for one in devices.devices
        if one.identifier in settings.devices or (one.slice_of and one.slice_of in named)
    )
    if not lent:
        have = ", ".join(one.identifier for one in devices.devices)
        raise DeviceMissing(f"none of the devices given with --device is here; there is: {have}")
    return replace(devices, devices=lent)


def gpu_limits(policy: PolicyFile) -> GpuLimits:
    """What the operator allows on each GPU."""
    return GpuLimits(policy.temperature_celsius, policy.gpu_memory_bytes)


def minute_of_day() -> int:
    """The time of day by the machine's clock and zone."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


class Lending:
    """One node's lending.

    Args:
        settings: What the operator chose.
        sandbox: What the probe found.
        watch: The lent devices and their state.
        minute: The time of day in minutes, by which the operator's hours go.
    """

    def __init__(
        self,
        settings: Settings,
        sandbox: SandboxReport,
        watch: DeviceWatch,
        minute: Callable[[], int] = minute_of_day,
    ) -> None:
        self._settings: Final = settings
        self._file: Final = settings.policy
        self._sandbox: Final = sandbox
        self._watch: Final = watch
        self._minute: Final = minute
        self._policy: Final = self._make_policy()

    def offered(self) -> ev.WorkerOffered:
        """What the core is told: what is lent now, and why the rest is not."""
        settings, policy = self._settings, self._policy
        if "worker" not in settings.roles:
            return ev.WorkerOffered(frozenset(), frozenset(), 0, frozenset(), 0, 0)
        kinds = [kind for kind in known() if not policy.kind_problem(kind)]
        file = self._file
        denied = frozenset(settings.denied_artefacts) | file.denied_artefacts
        return ev.WorkerOffered(
            kinds=frozenset(kinds),
            devices=frozenset(),
            price=settings.price,
            allowed=frozenset(map(Digest, self._allowed_artefacts())) or None,
            parallel=settings.parallel,
            sandbox_level=min((policy.levels[kind] for kind in kinds), default=0),
            classes=tuple((kind, self._watch.devices.class_for(kind)) for kind in kinds),
            denied=frozenset(map(Digest, denied)),
            requesters=frozenset(map(AccountId, file.allowed_requesters)) or None,
            denied_requesters=frozenset(map(AccountId, file.denied_requesters)),
            terms=tuple(self._terms(kind) for kind in known()),
        )

    def decide(self, offer: Offer, requester: AccountId) -> str:
        """Says why a job may not run here now; empty if it may."""
        return acceptance.refusal(self.offered(), offer, requester)

    async def keep_current(self, tell: Callable[[ev.Event], Awaitable[None]]) -> None:
        """Looks at devices and clock, and tells the core what has changed; runs for ever."""
        said = self.offered()
        while True:
            await trio.sleep(LOOK_SECONDS)
            await self._watch.look()
            now = self.offered()
            if now != said:
                said = now
                await tell(now)
                log.info("lending_changed", not_taken=self.not_taken())

    def not_taken(self) -> Mapping[str, str]:
        """Why a kind is not taken now, for each that is not."""
        return {terms.kind: terms.refusal for terms in self.offered().terms if terms.refusal}

    def announce(self) -> None:
        """Says how well workers are locked up, and which lent kinds are not taken and why."""
        advice = list(self._sandbox.advice)
        log.info("sandbox", sandbox_level=self._sandbox.level, advice=advice)
        for kind, problem in self.not_taken().items():
            if kind in self._policy.kinds:
                log.warning("kind_refused", kind=kind, detail=problem)

    def devices_view(self) -> Sequence[Mapping[str, object]]:
        """The lent devices with their sandbox level and what their meters said last."""
        return [
            {str(key): plain(getattr(device, key)) for key in type(device).__slots__}
            | {"sandbox_level": self._sandbox.level_on(device.identifier)}
            | dict(self._watch.view(device))
            for device in self._watch.devices.devices
        ]

    def view(self) -> Mapping[str, object]:
        """The part of a node's status that is about lending."""
        return {
            "devices": list(self.devices_view()),
            "why_no_gpu": self._watch.devices.why_no_gpu,
            "sandbox": self._sandbox.view(),
            "not_taken": [
                {"kind": kind, "reason": reason} for kind, reason in self.not_taken().items()
            ],
        }

    def _make_policy(self) -> Policy:
        """The kinds whose device is lent, as far as the operator and the sandbox bear them."""
        devices, chosen_kinds = self._watch.devices, self._file.kinds
        kinds = frozenset(
            kind
            for kind in known()
            if devices.lends(kind) and (chosen_kinds is None or kind in chosen_kinds)
        )
        return Policy(
            names_artefacts=bool(self._allowed_artefacts()),
            unsafe_run_anything=self._settings.unsafe_run_anything,
            kinds=kinds,
            levels={kind: self._sandbox.level_on(devices.identifier_for(kind)) for kind in kinds},
        )

    def _allowed_artefacts(self) -> frozenset[bytes]:
        return frozenset(self._settings.allowed_artefacts) | self._file.allowed_artefacts

    def _terms(self, kind: str) -> ev.Terms:
        file = self._file
        memory_bytes = [file.memory_bytes_max or ev.ANY_AMOUNT]
        gpus = self._watch.devices.gpus_for(kind)
        if gpus:
            memory_bytes.append(max(self._watch.limits.lent_bytes(gpu) for gpu in gpus))
        return ev.Terms(
            kind=kind,
            price=file.prices.get(kind, self._settings.price),
            time_ms_max=file.time_ms_max or ev.ANY_AMOUNT,
            memory_bytes_max=min(memory_bytes),
            output_bytes_max=file.output_bytes_max or ev.ANY_AMOUNT,
            refusal=self._refusal(kind),
        )

    def _refusal(self, kind: str) -> str:
        if self._file.kinds is not None and kind not in self._file.kinds:
            return f"this node's policy file leaves the kind {kind!r} out"
        if not self._watch.devices.lends(kind):
            return f"this node lends no device that the kind {kind!r} runs on"
        problem = self._policy.kind_problem(kind)
        if problem:
            return problem
        hours = self._file.hours
        if hours is not None and not hours.include(self._minute()):
            return f"this node begins work {hours} only, by its own clock"
        return self._watch.problem_for(kind)
