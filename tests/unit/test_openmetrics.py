"""Metrics as text, read back by a library that others read it with."""

import math

import pytest

from quotad.ops.openmetrics import Family, Sample, buckets, text
from tests.exposed import families

COUNTER = Family("calls", "counter", "Calls.", [Sample({"edge": "grpc"}, 2**60, "_total")])
HISTOGRAM = Family("waited_seconds", "histogram", "Waits.", buckets({}, [0.001, 1], [2, 0, 1], 3.5))


def read(*written: Family) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {
            (sample.name, *sample.labels.values()): sample.value for sample in family.samples
        }
        for family in families(text(written))
    }


def test_what_is_written_is_read_back() -> None:
    build = Family("build", "info", "Runs.", [Sample({"version": "1"}, 1, "_info")])
    gauge = Family("age_seconds", "gauge", "Age.", [Sample({}, 0.25)])

    assert {
        "build": {("build_info", "1"): 1},
        "age_seconds": {("age_seconds",): 0.25},
        "calls": {("calls_total", "grpc"): 2**60},
        "waited_seconds": {
            ("waited_seconds_bucket", "0.001"): 2,
            ("waited_seconds_bucket", "1.0"): 2,
            ("waited_seconds_bucket", "+Inf"): 3,
            ("waited_seconds_count",): 3,
            ("waited_seconds_sum",): 3.5,
        },
    } == read(build, gauge, COUNTER, HISTOGRAM)


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", "a\\nb", "ü", "{}", ""])
def test_any_label_is_read_back_as_it_was(value: str) -> None:
    (family,) = families(
        text([Family("calls", "counter", value, [Sample({"feature": value}, 1, "_total")])])
    )

    assert value == family.samples[0].labels["feature"]
    assert value == family.documentation


def test_a_metric_without_lines_is_left_out() -> None:
    assert {} == read(Family("calls", "counter", "Calls.", []))


def test_numbers_are_written_as_the_format_has_them() -> None:
    values = [0, 1e-05, 1e21, 12345678901234567890, math.pi]
    (family,) = families(
        text([Family("n", "gauge", "N.", [Sample({"i": str(v)}, v) for v in values])])
    )

    assert values == [sample.value for sample in family.samples]
