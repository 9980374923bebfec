"""What local programs may ask: a lone validator with a real core and store."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from p2pnode.control import (
    OPERATION_SECONDS,
    silence_seconds,
)
from p2pnode.facts import FOLLOWERS_MAX
from p2pnode.faucet import FAUCET_KIND, GIFT
from p2pnode.interfaces import ControlError, Metered
from p2pnode.settings import ROLES
from p2pnode.world import topic_of
from protocol import effects as fx
from protocol import events as ev
from protocol.messages import Genesis, StakeDeposit, network_of
from protocol.units import CREDIT, Digest, JobId
from tests.p2pnode.control_bench import ARTEFACT, ITEM_MAX, bench, request, settled
from tests.p2pnode.fake_ports import (
    FakeNetwork,
    gift,
    lone_core,
    lone_genesis,
)
from tests.support.builders import (
    RICHES,
    STAKE,
    account_id,
    make_genesis,
    make_operation,
)

STATUS = {
    "peer_id", "account", "addresses", "network", "topics", "roles", "connected_peers", "round",
    "final_index", "final_digest", "state_digest", "quorum", "finality_p50_ms",
    "pending_operations", "version",
}  # fmt: skip
QUOTE = {"replicas", "replicas_max", "smallest_budget", "highest_price", "expected_price"}
NETWORK = network_of(lone_genesis())


async def test_an_operation_is_followed_from_signing_to_finality(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        identifier = await made.control.transfer(account_id(2), 5 * CREDIT)
        assert made.control.operation(identifier)["finality"] in {"seen", "in_block"}
        await trio.sleep(5)
        assert made.control.operation(identifier)["finality"] == "final"
        assert made.control.account(account_id(2))["available"] == 5 * CREDIT
        assert made.control.status()["finality_p50_ms"]
        assert made.control.why(identifier)["facts"]
        assert made.control.why(account_id(2))["account"] == made.control.account(account_id(2))


async def test_an_operation_is_known_at_all_times_however_slow_the_store(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        made.world.keep_seconds = 0.5
        identifier = await made.control.transfer(account_id(2), CREDIT)
        levels = []
        for _ in range(200):
            levels.append(made.control.operation(identifier)["finality"])
            was_decided = identifier not in made.core.pool
            if levels[-1] == "final":
                break
            assert not was_decided or made.driver.unreported
            await trio.sleep(0.05)
    assert levels[-1] == "final"
    assert levels == sorted(levels, key=["seen", "in_block", "final"].index)


async def test_stake_moves_in_and_out(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bench(tmp_path) as made:
        before = made.control.account(None)["staked"]
        await made.control.stake(3 * CREDIT)
        await trio.sleep(5)
        await made.control.unstake(CREDIT)
        await trio.sleep(5)
        after = made.control.account(None)
        assert after["staked"] - before == 2 * CREDIT  # type: ignore[operator]
        assert len(after["unbonding"]) == 1  # type: ignore[arg-type]


async def test_what_the_protocol_refuses_is_refused_with_its_reason(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        with pytest.raises(ControlError) as refusal:
            await made.control.transfer(account_id(2), 10**9 * CREDIT)
        assert (refusal.value.code, refusal.value.status) == ("insufficient_funds", 409)
        assert refusal.value.message.endswith(" credits short")
        with pytest.raises(ControlError) as refusal:
            await made.control.cancel(bytes(32))
        assert refusal.value.code == "unknown_job"


async def test_an_answer_that_does_not_come_is_an_error_in_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        made.world.refuse()
        begun = trio.current_time()
        with pytest.raises(ControlError, match="it may be done yet") as refusal:
            await made.control.transfer(account_id(2), CREDIT)
        assert refusal.value.status == 503
        assert trio.current_time() - begun == pytest.approx(OPERATION_SECONDS)
        assert not made.control.__dict__["_asked"], "nothing is left of the question"
        made.world.refusal = None
        await trio.sleep(10)
        assert made.control.account(account_id(2))["available"] == CREDIT, "it was done yet"


async def test_requests_during_a_full_inbox_are_errors_in_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, runs=False) as made:
        while made.driver.put_nowait(ev.Tick()):
            pass
        with pytest.raises(ControlError, match="it may be done yet"):
            await made.control.stake(CREDIT)


async def test_operations_of_other_accounts_are_answered_each_in_order(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    genesis = lone_genesis()
    good = make_operation(genesis, 1, 0, gift(2))
    raws = [good.raw, b"garbage", good.raw[:-1]]
    async with bench(tmp_path, genesis) as made:
        first, second, third = await made.control.submit_operations(raws)
        assert first == {"operation": good.identifier.hex()}
        assert second["error"]["code"] == "malformed"  # type: ignore[index]
        assert "error" in third
        await trio.sleep(5)
        assert made.control.operation(good.identifier)["finality"] == "final"
        assert await made.control.submit_operations([]) == []


def staked_workers() -> tuple[Genesis, list[bytes]]:
    """A network of one validator, and the deposits that make three workers of other accounts."""
    workers = (1, 2, 3)
    genesis = make_genesis(validators=1, others=workers, available=RICHES + STAKE)
    deposits = [make_operation(genesis, one, 0, StakeDeposit(STAKE)) for one in workers]
    return genesis, [one.raw for one in deposits]


async def test_a_job_that_nobody_could_do_is_refused_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        await made.control.store(arriving(ARTEFACT))
        with pytest.raises(ControlError, match="ask for fewer, or wait until") as refusal:
            await made.control.submit(request())
        assert (refusal.value.code, refusal.value.status) == ("unreachable", 409)
        assert made.core.pool.operations(made.core.account) == (), "nothing was signed"


async def test_a_job_is_offered_with_the_smallest_budget_and_its_measured_size(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    genesis, stakes = staked_workers()
    async with bench(tmp_path, genesis) as made:
        await made.control.store(arriving(ARTEFACT))
        await made.control.submit_operations(stakes)
        await trio.sleep(3)
        quote = made.control.quote(request())
        job = await made.control.submit(request())
        assert made.control.job(job)["state"] == "offered"
        assert made.control.job(job)["budget"] == quote["smallest_budget"]
        await trio.sleep(3)
        view = made.control.job(job)
        assert view["finality"] == "final"
        assert [one["id"] for one in made.control.jobs(10)] == [job.hex()]
        assert made.core.state.jobs[JobId(Digest(job))].offer.size_bytes == len(ARTEFACT)
        assert made.control.why(job)["job"] == view


async def test_a_quote_names_prices_and_asks_nothing_of_the_ledger(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        quote = made.control.quote(request(budget=5 * CREDIT))
        assert set(quote) >= QUOTE
        assert 0 < quote["expected_price"] <= quote["highest_price"]  # type: ignore[operator]
        assert made.world.all("performed") == []


@pytest.mark.parametrize(
    ("roles", "stored", "code"),
    [(("worker",), True, "role_missing"), (ROLES, False, "artefact_missing")],
)
async def test_a_job_that_cannot_be_offered_says_what_to_do(
    roles: tuple[str, ...], stored: bool, code: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, roles=roles) as made:
        if stored:
            await made.control.store(arriving(ARTEFACT))
        with pytest.raises(ControlError) as refusal:
            await made.control.submit(request())
        assert refusal.value.code == code


async def test_content_above_the_limit_is_refused_as_too_large(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        with pytest.raises(ControlError) as refusal:
            await made.control.store(arriving(bytes(ITEM_MAX + 1)))
        assert (refusal.value.code, refusal.value.status) == ("too_large", 413)


async def test_a_failing_disk_is_said(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bench(tmp_path / "store") as made:
        for path in sorted((tmp_path / "store").rglob("*"), reverse=True):
            path.rmdir()
        (tmp_path / "store").rmdir()
        with pytest.raises(ControlError) as refusal:
            await made.control.store(arriving(ARTEFACT))
        assert (refusal.value.code, refusal.value.status) == ("storage_failed", 503)


@pytest.mark.parametrize("question", ["job", "operation", "why"])
async def test_what_is_unknown_is_not_found(
    question: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        with pytest.raises(ControlError) as refusal:
            getattr(made.control, question)(bytes(32))
        assert refusal.value.status == 404
        with pytest.raises(ControlError) as refusal:
            await made.control.result(bytes(32))
        assert refusal.value.status == 404


async def test_the_status_has_all_that_checks_read(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        await trio.sleep(3)
        status = made.control.status()
        assert set(status) >= STATUS
        assert json.loads(json.dumps(status)) == status
        assert status["network"] == NETWORK.hex()
        assert status["topics"] == [topic_of(name, NETWORK) for name in ("blocks", "operations")]
        assert status["quorum"] is True
        json.dumps([made.control.peers(), made.control.devices()])
        assert all(isinstance(one, float) for one in made.control.metrics().values())


async def test_what_an_own_run_used_is_part_of_the_jobs_record(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    core, job = settled(b"the answer")
    async with bench(tmp_path, core=core, runs=False) as made:
        assert "metered" not in made.control.job(job)
        made.facts.add(Metered(job.hex(), "cuda:0", 12, 34, 56, 78), 5)
        assert made.control.job(job)["metered"] == {
            "fact": "metered",
            "job": job.hex(),
            "device": "cuda:0",
            "elapsed_ms": 12,
            "memory_bytes": 34,
            "gpu_memory_bytes": 56,
            "energy_millijoules": 78,
        }
        assert "metered" in str(made.control.why(job)["facts"])


async def test_a_job_that_is_not_bid_for_shows_why(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    core, job = settled(b"the answer")
    async with bench(tmp_path, core=core, runs=False) as made:
        assert "not_bidding" not in made.control.jobs(1)[0]
        made.facts.add(fx.NotBidding(job, "cuda:0 is hot"), 5)
        assert made.control.jobs(1)[0]["not_bidding"] == "cuda:0 is hot"
        assert made.control.why(job)["facts"] == [
            {"fact": "not_bidding", "job": job.hex(), "explanation": "cuda:0 is hot", "at_ms": 5}
        ]


async def test_a_ledger_that_stands_still_has_no_quorum(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made:
        await trio.sleep(3)
        made.world.refuse()
        limit = silence_seconds(lone_core().parameters)
        await trio.sleep(limit / 2)
        assert made.control.status()["quorum"] is True
        await trio.sleep(limit)
        assert made.control.status()["quorum"] is False


async def test_a_node_that_follows_nobody_claims_no_quorum(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path, core=lone_core(number=1)) as made:
        assert made.control.status()["quorum"] is False


async def test_facts_are_followed_by_a_bounded_number(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with bench(tmp_path) as made, trio.open_nursery() as nursery:

        async def follow() -> None:
            async with made.control.facts():
                await trio.sleep_forever()

        for _ in range(FOLLOWERS_MAX):
            nursery.start_soon(follow)
        await trio.sleep(0.1)
        with pytest.raises(ControlError) as refusal:
            async with made.control.facts():
                pass
        assert (refusal.value.code, refusal.value.status) == ("too_many_followers", 429)
        nursery.cancel_scope.cancel()


async def test_the_faucet_is_asked_for_this_account(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    holder = FakeNetwork(account_id(3))

    async def answer(account: bytes, payload: bytes) -> bytes:
        return GIFT.to_bytes(8, "big")

    async with bench(tmp_path, lone_genesis(account_id(3))) as made:
        with pytest.raises(ControlError) as refusal:
            await made.control.ask_faucet()
        assert refusal.value.code == "faucet_refused"
        holder.serve(FAUCET_KIND, answer)
        made.network.knows(holder)
        given = await made.control.ask_faucet()
        assert given == {"amount": GIFT, "account": made.core.account.hex()}


async def arriving(content: bytes) -> AsyncIterator[bytes]:
    yield content
