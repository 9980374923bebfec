"""Asks the nodes for what a scenario's workload draws, at the drawn times."""

from dataclasses import dataclass, replace

import trio

from p2pnode.calls import ClientError, Refused, read_spec
from p2pnode.client import AsyncClient
from p2pnode.job_file import JobSpec
from p2pnode.lab.processes import Life
from p2pnode.lab.readiness import endpoint_of
from p2pnode.lab.real.shape import JOB_FILE
from p2pnode.lab.real.watch import Clock
from p2pnode.lab.testnet import LabNetwork, Member, load
from protocol.messages import Offer, Payload, StakeDeposit, Transfer
from protocol.simulator.scenario import Scenario
from protocol.simulator.workload import Request, requests_of
from protocol.simulator.world import START_SPREAD_NS
from protocol.units import SECOND, AccountId

ASK_SECONDS = 60.0
"""A node that is paused answers when it goes on."""
JOB_DEADLINE_MS = 30_000
"""Time enough for the example on a busy machine, and little enough to replace a lost executor."""


@dataclass(slots=True)
class Asked:
    """One request and its answer.

    Attributes:
        planned_ns: When the scenario asks, in scenario time.
        asked_ns: When it was sent.
        operation: What it became; empty when nothing.
        trouble: Why it became nothing.
    """

    planned_ns: int
    asked_ns: int
    node: int
    kind: str
    operation: str = ""
    trouble: str = ""


async def ask_all(
    scenario: Scenario, testnet: LabNetwork, clock: Clock, asked: list[Asked]
) -> None:
    """Make every request at its time, and note what comes back."""
    accounts = tuple(AccountId(bytes.fromhex(one.account)) for one in testnet.members)
    async with trio.open_nursery() as nursery:
        for request in requests_of(scenario, accounts):
            planned_ns = request.time_ns + START_SPREAD_NS
            await trio.sleep(max(0, planned_ns - clock.now()) / SECOND)
            row = Asked(planned_ns, clock.now(), request.node, type(request.payload).__name__)
            asked.append(row)
            # Which process runs is on the disk, and changes with every restart.
            member = load(testnet.folder).member(request.node)
            nursery.start_soon(_ask, member, request, row)


def job_of(offer: Offer) -> JobSpec:
    """The example's job with the trust that an offer asks for."""
    return replace(
        read_spec(JOB_FILE),
        replicas=offer.replicas,
        replicas_max=offer.replicas_max,
        tolerated_error_ppm=offer.tolerated_error_ppm,
        deadline_ms=JOB_DEADLINE_MS,
        retention_ms=offer.retention_ms,
    )


async def _ask(member: Member, request: Request, row: Asked) -> None:
    if member.life is Life.GONE:
        row.trouble = "the node was down"
        return
    try:
        endpoint = endpoint_of(member)
        with trio.fail_after(ASK_SECONDS):
            async with AsyncClient(endpoint.address, endpoint.token) as client:
                row.operation = await _operation(client, request.payload)
    except Refused as refusal:
        row.trouble = f"refused: {refusal.code}"
    except (ClientError, trio.TooSlowError) as error:
        row.trouble = str(error) or "no answer in time"


async def _operation(client: AsyncClient, payload: Payload) -> str:
    match payload:
        case Transfer(recipient=recipient, amount=amount):
            return str((await client.transfer(recipient.hex(), amount))["operation"])
        case StakeDeposit(amount=amount):
            return str((await client.stake(amount))["operation"])
        case Offer():
            return (await client.submit(job_of(payload))).id
        case _:
            raise AssertionError(f"no workload asks for {type(payload).__name__}")
