"""Gossip overlays against theory and published simulations: spread, misses, delays, attacks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import exp, log, log2, sqrt
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Expected,
    Experiment,
    Findings,
    Mark,
    Obtained,
    Row,
    Series,
    at_most,
    counted,
    exactly,
)
from p2pnode.lab.experiments.rates import mean, rate
from protocol.simulator.chance import MILLION
from protocol.simulator.overlay.attacks import (
    SAMPLE_NS,
    SYBIL_DIALS,
    Attack,
    Damage,
    attacked,
    cold_boot,
    covert_flash,
    eclipse,
)
from protocol.simulator.overlay.experiments import (
    BUCKET_NS,
    Deliveries,
    infection,
    published_gossipsub,
    push_rounds,
)
from protocol.simulator.overlay.parameters import (
    OverlayParameters,
    gossipsub_attacked_1_0,
    gossipsub_attacked_1_1,
)
from protocol.units import MILLISECOND, SECOND

PUSHED: Final = {100: 400, 1_000: 100, 10_000: 30, 100_000: 12}
"""Rumours by the number of nodes."""
SLOPE: Final = 1 + 1 / log(2)
"""Rounds that a factor of e in nodes adds."""
FAN_OUTS: Final = {3: 6, 4: 12, 6: 60, 8: 150}
"""Messages by fan-out; the fewer miss one, the more are needed to count them."""
INFECTED: Final = 10_000
DELIVERED_PPM: Final = (22_000, 347_000, 608_000, 21_000)
"""Deliveries in the first, second, third and fourth 100 ms, as published."""
COPIES: Final = 6.3
LOST: Final = Expected("0.04, order", 0.004, 0.4)
"""Published: 4 % lost without scores; sign and order must be the same."""
RECOVERED: Final = Expected("≥ 0.9", 0.9, 10.0)
"""Published: the mesh recovers within two minutes."""
MINUTE_NS: Final = 60 * SECOND
NOTHING: Final = at_most(0.0005)
FEW_DIALS: Final = 20
"""Honest nodes that each false one dials where only sign and order are asked for: fewer than
published, since few honest nodes would be drowned by as many false links as a thousand had."""
FLASH: Final = replace(covert_flash(100, 200, 2, 300 * SECOND), sybil_dials=FEW_DIALS)
SMALL_FLASH: Final = replace(covert_flash(12, 24, 1, 240 * SECOND), sybil_dials=6)
PLAIN: Final = "GossipSub 1.0"
SCORED: Final = "GossipSub 1.1 with scores"


def measure_push(effort: Effort) -> Findings:
    """Spreads rumours among ever more nodes."""
    sizes = tuple(PUSHED)[: effort.of(4, 2)]
    found = {count: _pushed(count, effort.of(PUSHED[count], 10)) for count in sizes}
    rows = [_push_row(count, obtained) for count, obtained in found.items()]
    what = "rounds that a factor of e in nodes adds (least squares over ln n)"
    expected = Expected(f"{SLOPE:.2f} ± 5 %", SLOPE * 0.95, SLOPE * 1.05)
    rows.append(Row(what, expected, _slope(found)))
    known = tuple((float(10**n), _known_rounds(10**n)) for n in (2, 3, 4, 5))
    dots = tuple((float(count), one.value) for count, one in found.items())
    errors = tuple((one.low, one.high) for one in found.values())
    series = (
        Series("log2 n + ln n", Mark.LINE, known),
        Series("pushed rumours, mean", Mark.DOTS, dots, errors),
    )
    chart = Chart("Until everybody knows a rumour", "nodes", "rounds", series, is_log=True)
    return Findings(tuple(rows), (chart,))


def measure_infection(effort: Effort) -> Findings:
    """Spreads messages that every node passes on once."""
    nodes, fan_outs = effort.of(INFECTED, 1_000), tuple(FAN_OUTS)[: effort.of(4, 2)]
    found = {}
    for fan_out in fan_outs:
        one = infection(nodes, fan_out, effort.of(FAN_OUTS[fan_out], 20), 1)
        missed = one.wanted - one.delivered
        found[fan_out] = rate(missed, one.wanted, missed)
    rows = []
    for fan_out, obtained in found.items():
        share = missing_share(fan_out)
        expected = Expected(f"{share:.3g} ± 10 %", share * 0.9, share * 1.1)
        rows.append(Row(f"fan-out {fan_out}: nodes that a message misses", expected, obtained))
    series = (
        Series("s = exp(-D(1-s))", Mark.LINE, tuple((d, missing_share(d)) for d in range(2, 9))),
        Series(
            f"{nodes:,} nodes",
            Mark.DOTS,
            tuple((float(fan_out), one.value) for fan_out, one in found.items()),
            tuple((one.low, one.high) for one in found.values()),
        ),
    )
    return Findings(tuple(rows), (Chart("Missed", "fan-out D", "share of nodes", series),))


def measure_deliveries(effort: Effort) -> Findings:
    """Repeats the simulation that the author of GossipSub published, on several networks."""
    nodes, messages = effort.of(1_000, 300), effort.of(60, 20)
    runs = [published_gossipsub(nodes, messages, n) for n in range(1, effort.of(8, 1) + 1)]
    rows = [] if effort.is_quick else [_bucket_row(n, runs) for n in range(len(DELIVERED_PPM))]
    copies = [run.copies_per_thousand / 1_000 for run in runs]
    rows.append(Row("copies sent for each delivery", _relative(COPIES), _spread(copies, runs)))
    missed = sum(run.wanted - run.delivered for run in runs)
    published = sum(run.published for run in runs)
    what = "deliveries that did not come about"
    rows.append(Row(what, exactly(0), counted(missed, sum(r.wanted for r in runs), published)))
    return Findings(tuple(rows), (_delay_chart(runs),))


def measure_attacks(effort: Effort) -> Findings:
    """Attacks meshes of GossipSub 1.0, and of 1.1 with its scores."""
    plain, scored = gossipsub_attacked_1_0(), gossipsub_attacked_1_1()
    seeds = range(1, effort.of(3, 1) + 1)
    crowd = replace(cold_boot(30, 600, 5, effort.of(60, 10) * SECOND), sybil_dials=FEW_DIALS)
    name = f"cold boot, {_sizes(crowd)}"
    rows = [
        _lost(f"{name}, 1.0", crowd, plain, LOST, seeds),
        _lost(f"{name}, 1.1", crowd, scored, NOTHING, seeds),
    ]
    if not effort.is_quick:
        rows += _larger_attacks(plain, scored)
    flash = SMALL_FLASH if effort.is_quick else FLASH
    runs = {name: attacked(flash, one, 1) for name, one in ((PLAIN, plain), (SCORED, scored))}
    rows.append(_recovery(flash, runs[SCORED]))
    return Findings(tuple(rows), (_meshes(runs),))


def missing_share(fan_out: float) -> float:
    """The solution of s = exp(-D(1 - s)) below 1, by iteration."""
    share = 0.0
    for _ in range(200):
        share = exp(-fan_out * (1 - share))
    return share


def _pushed(count: int, rumours: int) -> Obtained:
    return mean([push_rounds(count, seed) for seed in range(1, rumours + 1)], rumours)


def _slope(found: dict[int, Obtained]) -> Obtained:
    """The slope over ln n; it is a weighted sum of the means, and so are their variances."""
    places = [log(count) for count in found]
    middle = sum(places) / len(places)
    total = sum((place - middle) ** 2 for place in places)
    value = spread = 0.0
    for place, one in zip(places, found.values(), strict=True):
        weight = (place - middle) / total
        value += weight * one.value
        spread += (weight * (one.high - one.value)) ** 2
    trials = sum(one.trials for one in found.values())
    return Obtained(value, value - sqrt(spread), value + sqrt(spread), trials, trials)


def _known_rounds(count: int) -> float:
    return log2(count) + log(count)


def _push_row(count: int, obtained: Obtained) -> Row:
    known = _known_rounds(count)
    expected = Expected(f"{known:.1f} + 1…2", known + 1, known + 2)
    return Row(f"n={count:,}: rounds until everybody knows a pushed rumour", expected, obtained)


def _bucket_row(place: int, runs: Sequence[Deliveries]) -> Row:
    what = f"share of deliveries from {place * 100} to {place * 100 + 100} ms, mean of networks"
    shares = [_shares(run)[place] for run in runs]
    return Row(what, _relative(DELIVERED_PPM[place] / MILLION), _spread(shares, runs))


def _shares(run: Deliveries) -> list[float]:
    """Shares of the published buckets and of whatever comes later, all of which must be there."""
    shares = [ppm / MILLION for ppm in run.shares_ppm]
    return [*shares, *[0.0] * (len(DELIVERED_PPM) - len(shares))]


def _relative(value: float) -> Expected:
    return Expected(f"{value:g} ± 20 %", value * 0.8, value * 1.2)


def _spread(values: Sequence[float], runs: Sequence[Deliveries]) -> Obtained:
    """The mean of networks; the interval holds all of them, since one of them was published."""
    published = sum(run.published for run in runs)
    return Obtained(sum(values) / len(values), min(values), max(values), len(runs), published)


def _delay_chart(runs: Sequence[Deliveries]) -> Chart:
    middles = [(place + 0.5) * BUCKET_NS / MILLISECOND for place in range(len(DELIVERED_PPM))]
    found = [[_shares(run)[place] for run in runs] for place in range(len(DELIVERED_PPM))]
    means = [sum(shares) / len(shares) for shares in found]
    series = (
        Series(
            "published",
            Mark.LINE,
            tuple(zip(middles, [ppm / MILLION for ppm in DELIVERED_PPM], strict=True)),
        ),
        Series(
            f"obtained on {len(runs)} networks",
            Mark.DOTS,
            tuple(zip(middles, means, strict=True)),
            tuple((min(shares), max(shares)) for shares in found),
        ),
    )
    return Chart("Deliveries by delay, in steps of 100 ms", "ms", "share of deliveries", series)


def _lost(
    what: str, attack: Attack, parameters: OverlayParameters, expected: Expected, seeds: range
) -> Row:
    found = [attacked(attack, parameters, seed) for seed in seeds]
    obtained = rate(
        sum(one.lost for one in found),
        sum(one.wanted for one in found),
        sum(one.swallowed for one in found),
    )
    return Row(f"{what}: deliveries lost", expected, obtained)


def _larger_attacks(plain: OverlayParameters, scored: OverlayParameters) -> Iterator[Row]:
    published = cold_boot(1_000, 4_000, 2, 20 * SECOND)
    what = f"cold boot, {_sizes(published)} as published but 2 messages a second, 1.0"
    yield _lost(what, published, plain, LOST, range(1, 2))
    single = eclipse(100, 400, 2, 60 * SECOND)
    yield _lost("eclipse of one node by 400, 1.1", single, scored, NOTHING, range(1, 11))


def _recovery(attack: Attack, damage: Damage) -> Row:
    """Compares the minute before the attack with the third one after its begin."""
    minute, begin = MINUTE_NS // SAMPLE_NS, attack.attack_ns // SAMPLE_NS
    before = sum(damage.honest_ppm[begin - minute : begin])
    after = sum(damage.honest_ppm[begin + 2 * minute : begin + 3 * minute])
    what = (
        f"`covert_flash`, {_sizes(attack)}, 1.1: honest share of mesh links after 2 minutes, of "
        "what it was before"
    )
    return Row(what, RECOVERED, counted(after / before, 2 * minute, damage.swallowed))


def _sizes(attack: Attack) -> str:
    return f"{attack.honest:,} honest and {attack.sybils:,} false"


def _meshes(runs: dict[str, Damage]) -> Chart:
    series = []
    for name, damage in runs.items():
        points = tuple(
            ((place + 1) * SAMPLE_NS / SECOND, ppm / MILLION)
            for place, ppm in enumerate(damage.honest_ppm)
        )
        series.append(Series(name, Mark.STEPS, points))
    begin_s = FLASH.attack_ns / SECOND
    series.append(Series("the attack begins", Mark.LINE, ((begin_s, 0.0), (begin_s, 1.0))))
    title = "Mesh links that lead to honest nodes"
    return Chart(title, "time (s)", "share of mesh links", tuple(series))


NO_FAULT: Final = "no fault is planned: "

PUSH: Final = Experiment(
    name="push-rumour",
    title="Pushing a rumour",
    question="How many rounds pass until all know what each tells one random node a round?",
    method="`protocol.simulator.overlay`, strategy `PUSH`; any node may tell any other.",
    bite=f"{NO_FAULT}rumours that reached everybody",
    source=(
        "A. Frieze and G. Grimmett, *The Shortest-Path Problem for Graphs with Random Arc-Lengths*,"
        " 1985; B. Pittel, *On Spreading a Rumor*, SIAM J. Appl. Math. 47(1), 1987"
    ),
    caption="Line: log2 n + ln n, without its constant. Dots: means, with 99 % intervals.",
    measure=measure_push,
)

INFECTION: Final = Experiment(
    name="infect-and-die",
    title="Infect and die",
    question="How many nodes does a message miss that each node passes on once, to D others?",
    method="`protocol.simulator.overlay`, strategy `INFECT_AND_DIE`, among 10,000 nodes.",
    bite=f"{NO_FAULT}deliveries that were missed",
    source=(
        "P. Eugster et al., *From Epidemics to Distributed Computing*, IEEE Computer 37(5), 2004: "
        "s = exp(-D(1-s))"
    ),
    caption="Line: the solution of s = exp(-D(1-s)). Dots: missed deliveries, 99 % intervals.",
    measure=measure_infection,
)

DELIVERY: Final = Experiment(
    name="gossipsub",
    title="Deliveries of GossipSub 1.0",
    question="How soon does a message reach 1,000 nodes, and in how many copies?",
    method=(
        "`protocol.simulator.overlay`, strategy `GOSSIPSUB` with the parameters of the published "
        "simulation: 60 messages from five sources, links of 10 to 150 ms; on eight networks, "
        "each with nodes, links and sources of its own."
    ),
    bite=f"{NO_FAULT}messages that were published",
    source="D. Vyzovitis, github.com/vyzo/gerbil-simsub, 2018: delays and copies as printed there",
    caption="Dots: means of the networks, with bars from the least to the most.",
    measure=measure_deliveries,
)

ATTACKS: Final = Experiment(
    name="gossip-attacks",
    title="Attacks on the mesh",
    question="What do false nodes cost a mesh, without and with scores?",
    method=(
        "`protocol.simulator.overlay`, strategy `GOSSIPSUB`: version 1.0, and 1.1 with scores; "
        "fewer nodes and messages than published, so only sign and order are compared. False nodes "
        f"dial {FEW_DIALS} honest ones each, in the cold boot of a thousand {SYBIL_DIALS}."
    ),
    bite="copies that false nodes took and passed on to nobody",
    source=(
        "D. Vyzovitis et al., *GossipSub: Attack-Resilient Message Propagation in the Filecoin and "
        "ETH2.0 Networks*, 2020 (arXiv 2007.02754)"
    ),
    caption=f"`covert_flash` on a mesh of {_sizes(FLASH)} nodes.",
    measure=measure_attacks,
)
