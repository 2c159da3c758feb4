"""Metrics as text, in the format of OpenMetrics 1.0, which Prometheus and others read."""

from collections.abc import Iterable, Mapping

import msgspec

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Labels = Mapping[str, str]


class Sample(msgspec.Struct, frozen=True):
    """One line."""

    labels: Labels
    value: float
    suffix: str = ""
    """Behind the name of its family: `_total`, `_bucket`, `_sum`, `_count`, `_info`."""


class Family(msgspec.Struct, frozen=True):
    """All lines of one metric."""

    name: str
    """Without the suffixes of its samples."""
    kind: str
    """`counter`, `gauge`, `histogram` or `info`."""
    meaning: str
    samples: list[Sample]


def text(families: Iterable[Family]) -> str:
    """Return the families as one document; those without samples are left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {_escaped(family.meaning)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for sample in family.samples:
            labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
            name = family.name + sample.suffix
            lines.append(f"{name}{{{labels}}} {_number(sample.value)}")
    return "\n".join([*lines, "# EOF", ""])


def buckets(
    labels: Labels, bounds: Iterable[float], counts: Iterable[int], total: float
) -> list[Sample]:
    """Return the samples of one histogram.

    Args:
        labels: of the histogram.
        bounds: upper bounds of the buckets, growing, without that of infinity.
        counts: what is in each bucket alone, one more than there are bounds.
        total: sum of what was observed.
    """
    samples: list[Sample] = []
    so_far = 0
    for bound, count in zip([*map(_number, map(float, bounds)), "+Inf"], counts, strict=True):
        so_far += count
        samples.append(Sample({**labels, "le": bound}, so_far, "_bucket"))
    return [*samples, Sample(labels, so_far, "_count"), Sample(labels, total, "_sum")]


def _number(value: float) -> str:
    return repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
