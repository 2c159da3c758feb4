"""The report of a simulation for a person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from quotad.cli import output
from quotad.cli.chart import WIDTH, Point, chart
from quotad.plural import plural

if TYPE_CHECKING:
    from quotad.simulate.report import CallGroup, Simulation, Stretch

LINES_MAX = 24
"""Of the chart."""

DAY_S = 86_400


def show(report: "Simulation") -> None:
    """Print a report."""
    output.print_headline(plural(report.lines, "line"), "bold", _how(report))
    fields = [("catalog", f"{report.catalog.path} ({report.catalog.digest[:12]})")]
    if report.against is not None:
        fields.append(("against", f"{report.against.path} ({report.against.digest[:12]})"))
    if report.first is not None and report.last is not None:
        fields.append(("log", f"{_full(report.first)} to {_full(report.last)} UTC"))
    output.print_fields([*fields, *_totals(report)])
    _rows("plan", [(row.plan_id or "", row) for row in report.plans])
    _rows("feature", [(row.feature_id or "", row) for row in report.features])
    _top(report)
    _chart(report)
    for note in report.notes:
        output.print_line(f"\n{note}", "yellow")
    show_skipped(report)
    if report.stopped:
        output.print_line(f"\nstopped after line {report.lines:,}: {report.stopped}", "red")


def show_skipped(report: "Simulation") -> None:
    """Print which lines could not be used."""
    if not report.skipped:
        return
    output.print_line(f"\n{report.skipped:,} of {plural(report.lines, 'line')} skipped", "yellow")
    for skipped in report.skipped_lines:
        output.print_line(f"  line {skipped.line:,}: {skipped.why}")
    if report.skipped > len(report.skipped_lines):
        output.print_line("  ...")


def _how(report: "Simulation") -> str:
    return f"in {report.seconds:.1f} s, {report.lines_per_second:,} per second"


def _totals(report: "Simulation") -> list[tuple[str, str]]:
    after, before = report.total.after, report.total.before
    counted = report.customers
    fields = [
        ("decisions", f"{report.decided:,}"),
        ("allowed", f"{after.allowed:,}"),
        ("denied", f"{_part(after.denied, report.decided)}{_words(report.reasons)}"),
    ]
    if before is not None:
        part = _part(before.denied, report.decided)
        fields.append(("denied before", f"{part}{_words(report.reasons_before or {})}"))
        for name, count, of in (
            ("newly denied", report.total.newly_denied, counted.newly_denied),
            ("newly allowed", report.total.newly_allowed, counted.newly_allowed),
        ):
            whose = f" (customers: {_about(of, counted.exact)})" if count else ""
            fields.append((name, f"{count:,}{whose}"))
    else:
        fields.append(("customers denied", _about(counted.denied, counted.exact)))
    return fields


def _about(count: int, exact: bool) -> str:
    return f"{count:,}" if exact else f"at least {count:,}"


def _part(count: int, of: int) -> str:
    share = f", {100 * count / of:.1f} %" if count else ""
    return f"{count:,}{share}"


def _words(reasons: dict[str, int]) -> str:
    if not reasons:
        return ""
    return ": " + ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())


def _rows(what: str, rows: "Sequence[tuple[str, CallGroup]]") -> None:
    """Tables of what happened to each plan or feature."""
    from quotad.simulate.report import columns_of, soft_columns_of

    found = [row for _, row in rows]
    for columns in (columns_of(found), soft_columns_of(found)):
        if columns:
            output.print_line("")
            output.print_table(
                [what, *(f">{name}" for name, _ in columns)],
                [[name, *(values[i] for _, values in columns)] for i, (name, _) in enumerate(rows)],
            )


def _top(report: "Simulation") -> None:
    if not report.top_denied:
        return
    compared = report.against is not None
    note = "" if report.customers.exact else " (about: there were too many to count)"
    output.print_line(f"\nmost {'newly ' if compared else ''}denied customers{note}")
    columns = ["  customer", "plan", ">denied"]
    if compared:
        columns += [">before", ">newly denied"]
    rows = []
    for each in report.top_denied:
        row = [f"  {each.customer_id}", each.plan_id, f"{each.denied:,}"]
        if compared:
            row += [f"{each.denied_before or 0:,}", f"{each.newly_denied:,}"]
        rows.append(row)
    output.print_table(columns, rows)


def _chart(report: "Simulation") -> None:
    """A bar per stretch of time."""
    from rich.text import Text

    from quotad.simulate.report import coarser

    stretches = coarser(report, LINES_MAX)
    if not stretches:
        return
    compared = report.against is not None
    label = _label(stretches)
    points = [
        Point(
            each.start.strftime(label),
            (
                f"{each.after.allowed:,}",
                f"{each.after.denied:,}",
                *([f"{each.before.denied:,}"] if each.before is not None else []),
            ),
            each.after.allowed,
            each.after.denied,
        )
        for each in stretches
    ]
    target = output.console()
    width = min(target.width, WIDTH)
    columns = ["time (UTC)", "allowed", "denied", *(["before"] if compared else [])]
    head, *lines = chart(columns, points, width)
    target.print(Text.assemble((f"\n{head.text}", "bold"), ("  █ allowed  ░ denied", "dim")))
    for line in lines:
        shown = Text.assemble(line.text, (line.allowed, "green"), (line.denied, "red"))
        shown.rstrip()
        target.print(shown, soft_wrap=True)


def _label(stretches: "Sequence[Stretch]") -> str:
    """As much of the time as distinguishes the stretches."""
    first, last = stretches[0].start, stretches[-1].start
    step_s = (stretches[1].start - first).total_seconds() if len(stretches) > 1 else 1
    if step_s >= DAY_S:
        return "%Y-%m-%d"
    clock = "%H:%M" if step_s >= 60 else "%H:%M:%S"
    return clock if first.date() == last.date() else f"%m-%d {clock}"


def _full(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
