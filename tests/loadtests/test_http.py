"""The measurement of HTTP, with a few clients."""

from loadtests.bench.http import Line, measure, ratios


def test_a_server_is_measured_and_counts_what_it_allows() -> None:
    lines = measure(clients=3, seconds=0.2, rounds=1, kinds=("single",))

    assert ["single"] == list(lines)
    assert lines["single"].calls_s > 0


def test_what_batches_save_is_stated_with_http_and_without() -> None:
    lines = {
        "single": Line("single", 64, 1.0, server_us=150, deciding_us=90, store_us=10),
        "batched": Line("batched", 64, 1.0, server_us=75, deciding_us=15, store_us=5),
    }

    assert (5.0, 2.0) == ratios(lines)
