"""Times that may not have come to their end: what never became final is not missing.

An observation that the run's end cut short still says that the time is longer than what was seen.
The estimator is Kaplan and Meier's: where nothing was cut short it is the plain share of times.

Source: E. Kaplan, P. Meier, "Nonparametric Estimation from Incomplete Observations", 1958.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ROUNDING: Final = 1e-9
"""A share this close to a wanted one has reached it; products of fractions are not exact."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One observation.

    Attributes:
        time_ms: How long it took, or how long it was watched in vain.
        has_ended: False where the run ended first.
    """

    time_ms: float
    has_ended: bool = True


@dataclass(frozen=True, slots=True)
class Quantile:
    """A time that a share of all observations does not exceed.

    Attributes:
        time_ms: The time, or the longest that was watched.
        is_beyond: Whether the true value is beyond that time.
    """

    time_ms: float
    is_beyond: bool = False

    def __str__(self) -> str:
        """The time for people, as `> t` where it is beyond what was watched."""
        return f"{'> ' if self.is_beyond else ''}{self.time_ms:,.0f} ms"

    def to_json(self) -> dict[str, object]:
        """Under `at_ms`, or under `beyond_ms` where it is beyond what was watched."""
        return {"beyond_ms" if self.is_beyond else "at_ms": self.time_ms}


@dataclass(frozen=True, slots=True)
class WaitSummary:
    """Quantiles of some waits.

    Attributes:
        count: Observations.
        censored: Those that the run's end cut short.
        p50, p95, p99: None where there are no observations.
    """

    count: int
    censored: int
    p50: Quantile | None
    p95: Quantile | None
    p99: Quantile | None

    def to_json(self) -> dict[str, object]:
        """As it stands in `summary.json`."""
        found: dict[str, object] = {"count": self.count, "censored": self.censored}
        for name, value in (("p50", self.p50), ("p95", self.p95), ("p99", self.p99)):
            found[name] = value.to_json() if value is not None else None
        return found


def ended_shares(waits: Sequence[Wait]) -> list[tuple[float, float]]:
    """Estimates the share of waits that have ended by each time at which one did.

    Returns:
        Times in order, each with the share from there on; nothing where no wait ended.
    """
    open_count, remaining = len(waits), 1.0
    shares: list[tuple[float, float]] = []
    # At one time, what ended counts before what was cut short: that was still waiting then.
    for wait in sorted(waits, key=lambda one: (one.time_ms, not one.has_ended)):
        if wait.has_ended:
            remaining *= (open_count - 1) / open_count
            if shares and shares[-1][0] == wait.time_ms:
                shares.pop()
            shares.append((wait.time_ms, 1 - remaining))
        open_count -= 1
    return shares


def quantile_of(waits: Sequence[Wait], percent: int) -> Quantile | None:
    """Finds the time by which a share of the waits has ended; None without observations."""
    if not waits:
        return None
    wanted = percent / 100 - ROUNDING
    for time_ms, share in ended_shares(waits):
        if share >= wanted:
            return Quantile(time_ms)
    return Quantile(max(wait.time_ms for wait in waits), is_beyond=True)


def summarise(waits: Sequence[Wait]) -> WaitSummary:
    """Summarises waits by the three quantiles that results are given in."""
    censored = sum(not wait.has_ended for wait in waits)
    p50, p95, p99 = (quantile_of(waits, percent) for percent in (50, 95, 99))
    return WaitSummary(len(waits), censored, p50, p95, p99)
