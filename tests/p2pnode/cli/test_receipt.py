from p2pnode.cli.receipt import metered_text, receipt_lines


def test_what_a_run_used_is_a_line_of_the_receipt() -> None:
    metered = {
        "device": "cuda:0",
        "elapsed_ms": 12_345,
        "memory_bytes": 512 * 2**20,
        "gpu_memory_bytes": 900 * 2**20,
        "energy_millijoules": 1_234_500,
    }
    (line,) = (one for one in receipt_lines({"metered": metered}) if "metered" in one)
    assert line == (
        "  metered     12.3 s on cuda:0, 512.0 MiB of memory, 900.0 MiB of GPU memory, 1234.5 J "
        "on this node"
    )


def test_what_was_not_measured_is_left_out() -> None:
    metered = {"device": "cpu", "elapsed_ms": 40, "memory_bytes": 2**20}
    text = metered_text(metered | {"gpu_memory_bytes": None, "energy_millijoules": None})
    assert text == "0.0 s on cpu, 1.0 MiB of memory on this node"
    assert "metered" not in " ".join(receipt_lines({}))
