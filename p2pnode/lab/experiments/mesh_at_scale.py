"""Attacks on a mesh of the published size, at the published rate, with and without scores.

Either the number of nodes or the length of an attack is as published, never both: a second of it is
more than a million copies, which take the simulator ten.
"""

from dataclasses import replace
from typing import Final

from p2pnode.lab.experiments.experiment import (
    Chart,
    Effort,
    Expected,
    Experiment,
    Findings,
    Mark,
    Row,
    Series,
    counted,
)
from p2pnode.lab.experiments.rates import rate
from protocol.simulator.chance import MILLION
from protocol.simulator.overlay.attacks import (
    DEADLINE_NS,
    SAMPLE_NS,
    SYBIL_DIALS,
    Attack,
    Damage,
    attacked,
    cold_boot,
    covert_flash,
)
from protocol.simulator.overlay.parameters import (
    gossipsub_attacked_1_0,
    gossipsub_attacked_1_1,
)
from protocol.units import SECOND

HONEST: Final = 1_000
FALSE: Final = 4_000
RATE: Final = 120
BOOT_SECONDS: Final = 1

FLASH_HONEST: Final = 100
FLASH_FALSE: Final = 400
AFTER_SECONDS: Final = 120
"""Messages are published so long after the false nodes stop passing them on."""
COOL_NS: Final = DEADLINE_NS + SECOND

IN_TIME: Final = Expected("≥ 0.999", 0.999, 1.0)
LOST: Final = Expected("0.04, order", 0.004, 0.4)
RECOVERED: Final = Expected("≥ 0.5", 0.5, 1.0)
PLAIN: Final = "GossipSub 1.0, which has no scores"
SCORED: Final = "GossipSub 1.1 with scores"


def measure_scale(effort: Effort) -> Findings:
    """Plays a cold boot, and a covert flash to its end."""
    plain, scored = gossipsub_attacked_1_0(), gossipsub_attacked_1_1()
    attack = _boot(effort)
    what = f"cold boot, {_sizes(attack)}"
    rows = [
        _lost_row(f"{what}, 1.0", attacked(attack, plain, 1)),
        _in_time_row(f"{what}, 1.1", attacked(attack, scored, 1)),
    ]
    flash = _flash(effort)
    runs = {name: attacked(flash, one, 1) for name, one in ((PLAIN, plain), (SCORED, scored))}
    what = f"covert flash, {_sizes(flash)}"
    rows += [
        _in_time_row(f"{what}, 1.1", runs[SCORED]),
        _recovery_row(f"{what}, 1.1", flash, runs[SCORED]),
    ]
    return Findings(
        tuple(rows),
        (_meshes(flash, runs),),
        tuple(_told(name, flash, damage) for name, damage in runs.items()),
    )


def _boot(effort: Effort) -> Attack:
    honest, false = effort.of(HONEST, 40), effort.of(FALSE, 160)
    attack = cold_boot(honest, false, effort.of(RATE, 20), BOOT_SECONDS * SECOND)
    return replace(attack, cool_ns=COOL_NS)


def _flash(effort: Effort) -> Attack:
    attack = covert_flash(
        effort.of(FLASH_HONEST, 20), effort.of(FLASH_FALSE, 80), effort.of(RATE, 5)
    )
    last_ns = attack.attack_ns + AFTER_SECONDS * SECOND
    return replace(attack, last_ns=last_ns, cool_ns=COOL_NS)


def _sizes(attack: Attack) -> str:
    """Says how large an attack is; each honest node begins as many links as it accepts."""
    links = attack.sybils * attack.sybil_dials // attack.honest
    seconds = (attack.last_ns - max(attack.first_ns, attack.attack_ns)) // SECOND
    return (
        f"{attack.honest:,} honest and {attack.sybils:,} false, {links:,} false links each, "
        f"{attack.rate} messages a second for {seconds} s"
    )


def _lost_row(what: str, damage: Damage) -> Row:
    return Row(f"{what}: deliveries lost", LOST, rate(damage.lost, damage.wanted, damage.swallowed))


def _in_time_row(what: str, damage: Damage) -> Row:
    obtained = rate(damage.wanted - damage.late, damage.wanted, damage.swallowed)
    return Row(f"{what}: deliveries within 6 s", IN_TIME, obtained)


def _recovery_row(what: str, attack: Attack, damage: Damage) -> Row:
    """Looks at the meshes when messages end, two minutes after the attack began."""
    share = damage.honest_ppm[attack.last_ns // SAMPLE_NS - 1] / MILLION
    return Row(
        f"{what}: honest share of mesh links after two minutes",
        RECOVERED,
        counted(share, len(damage.honest_ppm), damage.swallowed),
    )


def _told(name: str, attack: Attack, damage: Damage) -> str:
    """Says what the covert flash came to where nothing is published to compare it with."""
    begin = attack.attack_ns // SAMPLE_NS
    before, least = damage.honest_ppm[begin - 1], min(damage.honest_ppm[begin:])
    return (
        f"Covert flash on {name}: {damage.late} of {damage.wanted} deliveries later than 6 s or "
        f"never; honest mesh links {before / MILLION:.0%} before, {least / MILLION:.0%} at the "
        f"least and {damage.honest_ppm[-1] / MILLION:.0%} at the end."
    )


def _meshes(attack: Attack, runs: dict[str, Damage]) -> Chart:
    begin_s = attack.attack_ns / SECOND
    series = []
    for name, damage in runs.items():
        points = tuple(
            (place * SAMPLE_NS / SECOND - begin_s, ppm / MILLION)
            for place, ppm in enumerate(damage.honest_ppm, start=1)
        )
        series.append(Series(name, Mark.STEPS, points))
    edge = series[0].points[0][0], series[0].points[-1][0]
    series.append(Series("half", Mark.LINE, tuple((one, 0.5) for one in edge)))
    title = "Mesh links that lead to honest nodes"
    return Chart(title, "time from the attack (s)", "share of mesh links", tuple(series))


EXPERIMENT: Final = Experiment(
    name="gossip-attacks-at-scale",
    title="Attacks on the mesh at the published rate",
    question="What do the published attacks cost a mesh of their size, at their rate?",
    method=(
        "`protocol.simulator.overlay`, strategy `GOSSIPSUB`: versions 1.0, and 1.1 with scores. "
        f"Cold boot with the published {HONEST:,} honest and {FALSE:,} false nodes and {RATE} "
        "messages a second, for seconds instead of minutes: each second is more than a million "
        "copies, about ten seconds of a processor. The covert flash has the rate, the two covert "
        f"minutes and two after them, on {FLASH_HONEST} honest and {FLASH_FALSE} false nodes. "
        "False nodes are linked before the honest have built a mesh, and dial "
        f"{SYBIL_DIALS} honest ones each: twenty false links for each that an honest one dials."
    ),
    bite="copies that false nodes took and passed on to nobody",
    source=(
        "D. Vyzovitis et al., *GossipSub: Attack-Resilient Message Propagation in the Filecoin and "
        "ETH2.0 Networks*, 2020 (arXiv 2007.02754), and `scripts/configs` of "
        "github.com/libp2p/gossipsub-hardening; 99.9 % within 6 s is the deadline of Filecoin there"
    ),
    caption=f"Covert flash on {FLASH_HONEST} honest and {FLASH_FALSE} false nodes, one run each.",
    measure=measure_scale,
)
