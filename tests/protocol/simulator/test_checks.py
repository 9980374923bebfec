from protocol.simulator.catalogue import calm
from protocol.simulator.checks import GAPS, Check, Evidence, Result, checks_of
from protocol.simulator.faults import Bite
from protocol.simulator.labels import Labels
from protocol.simulator.log import Log, Violation
from protocol.simulator.promptness import Promptness
from protocol.simulator.quality import Quality

UNSHOWN = {
    "agreement": "nothing became final",
    "convergence": "fewer than two nodes made anything final",
    "own_slot": "no honest node proposed a block",
    "durability": "nothing was asked for",
    "exactly_once": "no job ended",
    "accountability": "nobody was convicted",
    "lottery": "nobody was drawn",
    "result_quality": "no result was accepted",
    "honest_labels": "no clean cut left anybody without a quorum",
    "promptness": "nothing became final that was asked for",
}


def evidence(
    *found: Violation,
    quality: Quality | None = None,
    bites: tuple[Bite, ...] = (),
    is_whole: bool = True,
) -> Evidence:
    scenario = calm(1)
    return Evidence(
        scenario=scenario,
        log=Log(scenario),
        labels=Labels(scenario),
        promptness=Promptness(scenario),
        found=found,
        quality=quality or Quality(),
        bites=bites,
        is_whole=is_whole,
    )


def judged(found: Evidence) -> dict[str, Check]:
    return {check.name: check for check in checks_of(found)}


def test_a_run_in_which_nothing_happened_can_tell_little() -> None:
    checks = judged(evidence())
    assert list(checks) == list(GAPS)
    unknown = {name: one.reason for name, one in checks.items() if one.result is Result.UNKNOWN}
    assert unknown == UNSHOWN
    assert {one.reason for one in checks.values() if one.result is Result.HOLDS} == {""}


def test_a_broken_promise_tells_where_and_how_often() -> None:
    found = [Violation("agreement", node, "another commit") for node in range(5)]
    checks = judged(evidence(*found))
    told = "; ".join(f"another commit at node {node}" for node in range(3)) + " and 2 more"
    assert checks["agreement"] == Check("agreement", Result.BROKEN, told)
    assert checks["liveness"].result is Result.UNKNOWN


def test_what_never_bit_is_named() -> None:
    bites = (Bite("Crash", 0), Bite("Pause", 3), Bite("Crash", 0))
    assert judged(evidence(bites=bites))["bites"] == Check(
        "bites", Result.UNKNOWN, "never bit: Crash"
    )


def test_a_run_cut_short_by_a_crash_shows_nothing_to_hold() -> None:
    crash = Violation("no_crash", -1, "KeyError: 1")
    checks = judged(evidence(crash, is_whole=False))
    assert checks.pop("no_crash") == Check("no_crash", Result.BROKEN, "KeyError: 1")
    assert {one.result for one in checks.values()} == {Result.UNKNOWN}


def test_single_wrong_results_are_counted_and_prove_nothing() -> None:
    check = judged(evidence(quality=Quality((200_000, 50_000), 1)))["result_quality"]
    assert check == Check(
        "result_quality",
        Result.UNKNOWN,
        "1 of 2 accepted results wrong, which proves little in one run",
    )
