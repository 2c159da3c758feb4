"""Plots of a simulation, as SVG to stand inside of a page.

Needs matplotlib, which is in the `report` extra. Text, axes and bars are drawn in placeholder
colours and given the page's own afterwards, so that they are readable in light and dark.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, timedelta
from importlib.util import find_spec
from typing import Any

from quotad.plural import plural
from quotad.simulate.report import CallGroup, Simulation, Stretch, coarser
from quotad.simulate.tally import Counts

TOP = 12
"""Most plans or features in one plot."""

STRETCHES_MAX = 120
NAME_MAX = 40

TEXT, GRID = "#010101", "#020202"
ALLOWED, DENIED, BEFORE, SHADOW = "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    TEXT: "currentColor",
    GRID: "var(--grid)",
    ALLOWED: "var(--allowed)",
    DENIED: "var(--denied)",
    BEFORE: "var(--before)",
    SHADOW: "var(--shadow)",
}

_STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a dollar sign is one
    "svg.fonttype": "none",  # text stays text: the page's font, to be searched and copied
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.titlecolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "text.color": TEXT,
    "grid.color": GRID,
}
WIDTH_IN = 9.0


def is_installed() -> bool:
    """Whether there is a matplotlib."""
    return find_spec("matplotlib") is not None


def over_time(report: Simulation) -> str:
    """Calls by time, those denied on top of those allowed; with an old catalog one beside the
    other."""
    parts = coarser(report, STRETCHES_MAX)
    panels = [("", [each.after for each in parts])]
    if report.against is not None:
        before = [each.before or Counts() for each in parts]
        panels = [
            (f"before: {_short(report.against.path)}", before),
            (f"after: {_short(report.catalog.path)}", panels[0][1]),
        ]
    with _figure("time", len(panels), 3.1, sharey=True) as (drawn, axes):
        for axis, (title, counts) in zip(axes, panels, strict=True):
            _stack(axis, parts, counts)
            axis.set_title(title)
        axes[0].set_ylabel(f"calls per {_step(parts)}")
        handles, labels = axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=2)
        return _svg(drawn)


def denied_over_time(report: Simulation) -> str:
    """Denials by time, of both catalogs where there are two, and those of limits in shadow."""
    parts = coarser(report, STRETCHES_MAX)
    lines = [("denied", DENIED, "-", [each.after.denied for each in parts])]
    if report.against is not None:
        before = [each.before.denied if each.before else 0 for each in parts]
        lines = [("denied before", BEFORE, "-", before), ("denied now", *lines[0][1:])]
    if report.total.after.would_deny:
        shadow = [each.after.would_deny for each in parts]
        lines.append(("would be denied by limits in shadow", SHADOW, "--", shadow))
    with _figure("denied", 1, 2.6) as (drawn, [axis]):
        for label, colour, style, values in lines:
            axis.stairs(
                values, _edges(parts), color=colour, label=label, linestyle=style, linewidth=1.6
            )
        _dates(axis)
        axis.set_ylim(bottom=0)
        _thousands(axis.yaxis)
        axis.set_ylabel(f"calls per {_step(parts)}")
        drawn.legend(loc="outside lower center", ncols=3)
        return _svg(drawn)


def by_row(report: Simulation, rows: Sequence[CallGroup], what: str) -> str:
    """Share of denied calls by plan or feature."""
    shown = rows[:TOP][::-1]
    names = [f"{_name(row, what)}  ({plural(row.decisions, 'call')})" for row in shown]
    bars = [("denied", DENIED, [_share(row.after.denied, row) for row in shown])]
    if report.against is not None:
        before = [_share(row.before.denied if row.before else 0, row) for row in shown]
        bars = [("denied before", BEFORE, before), ("denied now", DENIED, bars[0][2])]
    if any(row.after.would_deny for row in shown):
        shares = [_share(row.after.would_deny, row) for row in shown]
        bars.append(("would be denied by limits in shadow", SHADOW, shares))
    if any(row.after.over_limit for row in shown):
        shares = [_share(row.after.over_limit, row) for row in shown]
        bars.append(("past a soft limit", ALLOWED, shares))
    return _bars(what, names, bars, "share of calls, %", "{:.1f} %")


def by_customer(report: Simulation) -> str:
    """Denied calls of the customers with most of them."""
    shown = report.top_denied[::-1]
    names = [f"{_short(each.customer_id)}  ({each.plan_id})" for each in shown]
    bars = [("denied", DENIED, [float(each.denied) for each in shown])]
    if report.against is not None:
        before = [float(each.denied_before or 0) for each in shown]
        bars = [("denied before", BEFORE, before), ("denied now", DENIED, bars[0][2])]
    return _bars("customers", names, bars, "denied calls", "{:,.0f}")


@contextmanager
def _figure(name: str, columns: int, height: float, **more: Any) -> Iterator[tuple[Any, list[Any]]]:
    """A figure and its axes, without any window; closed at the end."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # The salt sets the ids of this plot apart from those of the others on the page, and makes the
    # same plot the same text.
    with pyplot.rc_context({**_STYLE, "svg.hashsalt": name}):
        drawn, axes = pyplot.subplots(1, columns, figsize=(WIDTH_IN, height), squeeze=False, **more)
        try:
            yield drawn, list(axes[0])
        finally:
            pyplot.close(drawn)


def _stack(axis: Any, parts: Sequence[Stretch], counts: Sequence[Counts]) -> None:
    allowed = [each.allowed for each in counts]
    both = [each.decisions for each in counts]
    # Areas with steps, not bars: between bars there would be seams.
    axis.stairs(allowed, _edges(parts), fill=True, color=ALLOWED, label="allowed")
    axis.stairs(both, _edges(parts), baseline=allowed, fill=True, color=DENIED, label="denied")
    axis.set_ylim(bottom=0)
    axis.grid(visible=False, axis="x")
    _dates(axis)
    _thousands(axis.yaxis)


def _bars(
    name: str,
    names: Sequence[str],
    bars: Sequence[tuple[str, str, Sequence[float]]],
    unit: str,
    number: str,
) -> str:
    """Horizontal bars, some for each name, with their numbers."""
    thick = 0.8 / len(bars)
    height = 0.9 + len(names) * max(0.3, 0.2 * len(bars))
    with _figure(name, 1, height) as (drawn, [axis]):
        for i, (label, colour, values) in enumerate(bars):
            offset = 0.4 - (i + 0.5) * thick
            places = [place + offset for place in range(len(names))]
            made = axis.barh(places, values, thick * 0.9, color=colour, label=label)
            axis.bar_label(made, [number.format(value) for value in values], padding=3, fontsize=8)
        axis.set_yticks(range(len(names)), names)
        axis.tick_params(axis="y", length=0)
        axis.grid(visible=False, axis="y")
        axis.set_xlim(0, max(max(values) for _, _, values in bars) * 1.12 or 1)
        _thousands(axis.xaxis)
        axis.set_xlabel(unit)
        if len(bars) > 1:
            drawn.legend(loc="outside upper left", ncols=len(bars))
        return _svg(drawn)


def _svg(drawn: Any) -> str:
    """The plot as an element for a page."""
    file = io.StringIO()
    with warnings.catch_warnings():
        # A name in letters that the font here lacks; the page's reader has another font.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        # Neither date nor version of the library in it.
        metadata = {"Date": None, "Creator": None}
        drawn.savefig(file, format="svg", transparent=True, metadata=metadata)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    # Ids of groups are the same in every plot, and nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', text, count=1
    )
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", _restyled, text)


def _restyled(tag: re.Match[str]) -> str:
    """A tag with the page's colours and font; a name between tags may look like any of them."""
    text = re.sub(r"font(-family)?: ?[^;\"]*'[^;\"]*", _font, tag[0])
    for placeholder, variable in _VARIABLES.items():
        text = text.replace(placeholder, variable)
    return text


def _font(match: re.Match[str]) -> str:
    """The page's font, in the size of the plot."""
    size = re.search(r"([\d.]+)px", match[0])
    return f"font-size: {size[1]}px" if size else ""


def _dates(axis: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axis.set_xlabel("time, UTC")


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _edges(parts: Sequence[Stretch]) -> list[float]:
    """Where the stretches start, and the last one ends, as matplotlib counts days."""
    from matplotlib.dates import date2num

    return list(date2num([*(each.start for each in parts), parts[-1].start + _length(parts)]))


def _length(parts: Sequence[Stretch]) -> timedelta:
    return parts[1].start - parts[0].start if len(parts) > 1 else timedelta(seconds=1)


def _step(parts: Sequence[Stretch]) -> str:
    """The length of a stretch in words: `hour`, `6 hours`."""
    seconds = _length(parts).total_seconds()
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = round(seconds / size)
            return unit if count == 1 else f"{count} {unit}s"
    return "second" if seconds == 1 else f"{seconds:.0f} seconds"


def _share(count: int, row: CallGroup) -> float:
    return 100 * count / row.decisions if row.decisions else 0.0


def _name(row: CallGroup, what: str) -> str:
    return _short((row.plan_id if what == "plan" else row.feature_id) or "")


def _short(name: str) -> str:
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"
