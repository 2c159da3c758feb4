"""Metrics read back by the library of Prometheus."""

from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def families(text: str) -> list[Any]:
    """The metrics in a text; fails where it is not OpenMetrics to the letter."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels, these as `key=value` in order of their keys."""
    return {
        (
            sample.name,
            *(f"{key}={value}" for key, value in sorted(sample.labels.items())),
        ): sample.value
        for family in families(text)
        for sample in family.samples
    }
