import trio
import trio.testing

from p2pnode.latency import OPEN_MAX, SAMPLES, Latencies


async def test_percentiles_are_of_what_became_final(
    autojump_clock: trio.testing.MockClock,
) -> None:
    latencies = Latencies()
    assert latencies.percentile_ms(50) is None
    for number in range(100):
        latencies.begin(bytes([number]))
    latencies.begin(b"never final")
    for number in range(100):
        await trio.sleep(0.01)
        latencies.end(bytes([number]))
    assert latencies.percentile_ms(50) == 510
    assert latencies.percentile_ms(99) == latencies.percentile_ms(100) == 1_000


async def test_the_time_counts_from_the_first_signature(
    autojump_clock: trio.testing.MockClock,
) -> None:
    latencies = Latencies()
    latencies.begin(b"operation")
    await trio.sleep(1)
    latencies.begin(b"operation")
    await trio.sleep(1)
    latencies.end(b"operation")
    latencies.end(b"operation")
    latencies.end(b"somebody else's")
    assert latencies.percentile_ms(99) == 2_000


async def test_operations_that_never_become_final_do_not_stop_the_measuring(
    autojump_clock: trio.testing.MockClock,
) -> None:
    latencies = Latencies()
    for number in range(2 * OPEN_MAX):
        latencies.begin(number.to_bytes(4, "big"))
    latencies.begin(b"new")
    await trio.sleep(1)
    latencies.end(b"new")
    assert latencies.percentile_ms(50) == 1_000
    assert len(latencies._open) == OPEN_MAX - 1


async def test_only_the_newest_samples_count(autojump_clock: trio.testing.MockClock) -> None:
    latencies = Latencies()
    for seconds in (5, *[1] * SAMPLES):
        latencies.begin(b"operation")
        await trio.sleep(seconds)
        latencies.end(b"operation")
    assert latencies.percentile_ms(100) == 1_000
