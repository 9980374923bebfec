"""An experiment with a known answer, and what was obtained, as values.

A row is one number that theory or somebody else's publication predicts. It agrees when the number
lies within the tolerance, differs when not even its interval of chance does, and is undecided when
the trials were too few to tell. A fault that never bit proves nothing, whatever the number says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

Point = tuple[float, float]


class Verdict(Enum):
    """How a row came out."""

    AGREES = "agrees"
    UNDECIDED = "undecided"
    NO_BITE = "did not bite"
    DIFFERS = "**differs**"


class Mark(Enum):
    """How a series is drawn."""

    LINE = "line"
    """What is expected."""
    DOTS = "dots"
    """What was obtained."""
    STEPS = "steps"
    """What was obtained, one value after the other."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work an experiment may take."""

    is_quick: bool

    def of(self, full: int, quick: int) -> int:
        """Chooses an amount."""
        return quick if self.is_quick else full


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come out.

    Attributes:
        text: For people, the tolerance included.
        low: The least that agrees.
        high: The most that agrees.
    """

    text: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Obtained:
    """What came out.

    Attributes:
        low: Begin of the 99 % interval; the value itself when nothing was drawn.
        high: Its end.
        trials: What the value was counted from.
        bites: How often the fault mattered among them; 0 when it never did.
    """

    value: float
    low: float
    high: float
    trials: int
    bites: int


@dataclass(frozen=True, slots=True)
class Row:
    """One known answer next to what was obtained.

    Attributes:
        what: What was counted, and on which code.
    """

    what: str
    expected: Expected
    obtained: Obtained

    @property
    def verdict(self) -> Verdict:
        """Judges; a value drawn from too few trials to tell is undecided."""
        expected, obtained = self.expected, self.obtained
        if not obtained.bites:
            return Verdict.NO_BITE
        if expected.low <= obtained.value <= expected.high:
            return Verdict.AGREES
        if obtained.high < expected.low or obtained.low > expected.high:
            return Verdict.DIFFERS
        return Verdict.UNDECIDED


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind in a chart.

    Attributes:
        errors: Interval of each point, low and high; empty when nothing was drawn.
    """

    label: str
    mark: Mark
    points: tuple[Point, ...]
    errors: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel of an experiment's plot."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    is_log: bool = False
    """Whether the horizontal axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that an experiment came to."""

    rows: tuple[Row, ...]
    charts: tuple[Chart, ...]
    remarks: tuple[str, ...] = ()
    """What was measured besides, without a known answer; sentences."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A question whose answer is known.

    Attributes:
        name: Of its files.
        question: What is asked; one sentence.
        method: What runs, and which of the project's code does it.
        bite: How it is known that the fault mattered.
        source: Where the answer comes from, with its date.
        caption: What the plot shows.
        table: The page that has its rows; no page is longer than people read.
    """

    name: str
    title: str
    question: str
    method: str
    bite: str
    source: str
    caption: str
    measure: Callable[[Effort], Findings]
    table: str = "README.md"


def exactly(value: float) -> Expected:
    """Expects one value."""
    return Expected(f"{value:g}", value, value)


def within(value: float, tolerance: float) -> Expected:
    """Expects a value, give or take."""
    return Expected(f"{value:g} ± {tolerance:g}", value - tolerance, value + tolerance)


def at_most(limit: float) -> Expected:
    """Expects no more than a limit; what is counted here is never negative."""
    return Expected(f"≤ {limit:g}", 0.0, limit)


def counted(value: float, trials: int, bites: int) -> Obtained:
    """A value that no chance is in: every case was played."""
    return Obtained(value, value, value, trials, bites)
