"""What a process that tries plans on a log of the past is asked, and what it writes."""

from typing import Any

import msgspec


class PastCatalog(msgspec.Struct, frozen=True):
    """A catalog to be tried."""

    name: str
    """For people."""
    document: bytes


class PastJob(msgspec.Struct, frozen=True):
    """One log, and what it is run through."""

    log: str
    """Path of the file, also gzipped."""
    format: str
    """Name of a format, or a pattern."""
    customer: str
    """A template for the fields of a line, as the next four; empty, as the next two: the format's
    own."""
    feature: str
    quantity: str
    time: str
    plan: str
    """Empty: customers are on the default plan."""
    new: PastCatalog
    old: PastCatalog | None = None
    """To compare with."""
    customers: str = ""
    """Path of a file of customers and their plans; empty: none."""


class PastStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line that the process writes: how far it is, or how it ended."""

    percent: int = 0
    """Of the log's bytes."""
    lines: int = 0
    decided: int = 0
    denied: int = 0
    report: Any = None
    """At the end: a `simulate.report.Simulation` as plain values."""
    problem: str = ""
    """At the end: why there is no report."""
