from tests.hostile import malformed


async def test_malformed_artefacts_leave_nothing_behind_and_the_node_able_to_work() -> None:
    made = malformed.tasks(16, seed=3)
    findings = await malformed.run(made)
    assert sum(findings.outcomes.values()) == 16
    assert (findings.survivors, findings.folders) == (0, 0)
    kinds = {name.partition(":")[0] for name in findings.outcomes}
    assert kinds == {"wasm", "onnx"}


def test_one_seed_makes_one_set_of_tasks() -> None:
    assert malformed.tasks(9, seed=3) == malformed.tasks(9, seed=3)
    assert malformed.tasks(9, seed=3) != malformed.tasks(9, seed=4)
