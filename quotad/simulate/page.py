"""The report of a simulation as one page of HTML that needs nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from quotad.files import whole_file
from quotad.plural import plural
from quotad.simulate import plots
from quotad.simulate.report import CallGroup, CatalogName, Simulation, columns_of, soft_columns_of

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #ffffff; --soft: #5b6675;
  --line: #d9dee5; --grid: #e4e8ee; --allowed: #0072b2; --denied: #d55e00; --before: #9aa4b1;
  --shadow: #8a4fa3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --paper: #14181f; --soft: #9aa6b5;
  --line: #323a46; --grid: #2a313c; --allowed: #56b4e9; --denied: #f58a4b; --before: #76808e;
  --shadow: #c79ae0; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; padding: 0; }
.figures div { border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem .9rem; }
.figures dt { color: var(--soft); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.figures small { display: block; color: var(--soft); font-size: .8rem; }
figure { margin: .5rem 0; overflow-x: auto; } svg { width: 100%; min-width: 34rem; height: auto; }
svg text { font-family: system-ui, sans-serif; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; font-size: .85rem; color: var(--soft); vertical-align: bottom; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.note { border-left: 3px solid var(--denied); padding-left: .75rem; }
"""


def write_page(report: Simulation, path: Path) -> None:
    """Write the page; a page that is there is replaced as a whole.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as stream:
        stream.write(page(report).encode())


def page(report: Simulation) -> str:
    """The page as text."""
    title = "What the catalog would have denied"
    body = [
        f"<h1>{title}</h1>",
        _what(report),
        _figures(report),
        *(f'<p class="note">{escape(note)}</p>' for note in report.notes),
    ]
    if report.decided:
        body += _sections(report)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _sections(report: Simulation) -> list[str]:
    found = [
        "<h2>Calls over time</h2>",
        _figure(plots.over_time(report), "Allowed and denied calls over time"),
        "<h2>Denied over time</h2>",
        _figure(plots.denied_over_time(report), "Denied calls over time"),
    ]
    for what, rows in (("plan", report.plans), ("feature", report.features)):
        found += [
            f"<h2>By {what}</h2>",
            _figure(plots.by_row(report, rows, what), f"Share of denied calls by {what}"),
            _table(what, rows),
        ]
    if report.top_denied:
        newly = "newly " if report.against is not None else ""
        found += [
            f"<h2>Most {newly}denied customers</h2>",
            _figure(plots.by_customer(report), "Denied calls by customer"),
        ]
    if report.skipped:
        lines = "".join(
            f"<tr><td class=n>{each.line:,}</td><td>{escape(each.why)}</td></tr>"
            for each in report.skipped_lines
        )
        found += [
            f"<h2>{report.skipped:,} of {plural(report.lines, 'line')} skipped</h2>",
            f"<div class=wide><table><tr><th class=n>line<th>why</tr>{lines}</table></div>",
        ]
    return found


def _what(report: Simulation) -> str:
    lines = [f"Catalog {_catalog(report.catalog)}"]
    if report.against is not None:
        lines[0] += f", compared with {_catalog(report.against)}"
    if report.first is not None and report.last is not None:
        lines.append(f"Log from {_moment(report.first)} to {_moment(report.last)} UTC")
    if report.stopped:
        lines.append(f"Stopped after line {report.lines:,}: {escape(report.stopped)}")
    return "".join(f'<p class="soft">{line}</p>' for line in lines)


def _catalog(name: CatalogName) -> str:
    return f"<b>{escape(name.path)}</b> ({name.digest[:12]})"


def _figures(report: Simulation) -> str:
    after, before, counted = report.total.after, report.total.before, report.customers
    found = [
        ("decisions", f"{report.decided:,}", ""),
        ("denied", f"{after.denied:,}", _percent(after.denied, report.decided)),
    ]
    if before is not None:
        found += [
            ("denied before", f"{before.denied:,}", _percent(before.denied, report.decided)),
            (
                "newly denied",
                f"{report.total.newly_denied:,}",
                _customers(counted.newly_denied, counted.exact),
            ),
            (
                "newly allowed",
                f"{report.total.newly_allowed:,}",
                _customers(counted.newly_allowed, counted.exact),
            ),
        ]
    else:
        found.append(
            ("customers denied", f"{counted.denied:,}", "" if counted.exact else "at least")
        )
    if after.would_deny:
        found.append(("would be denied", f"{after.would_deny:,}", "by limits in shadow"))
    if after.over_limit or (before is not None and before.over_limit):
        was = f"before: {before.over_limit:,}" if before is not None else ""
        found.append(("past a soft limit", f"{after.over_limit:,}", was))
    boxes = "".join(
        f"<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>"
        for name, value, more in found
    )
    return f'<dl class="figures">{boxes}</dl>'


def _figure(svg: str, label: str) -> str:
    return f'<figure aria-label="{escape(label)}">{svg}</figure>'


def _table(what: str, rows: Sequence[CallGroup]) -> str:
    columns = columns_of(rows) + soft_columns_of(rows)
    head = "".join(f"<th class=n>{name}" for name, _ in columns)
    lines = "".join(
        f"<tr><td>{escape((row.plan_id if what == 'plan' else row.feature_id) or '')}</td>"
        + "".join(f"<td class=n>{values[i]}</td>" for _, values in columns)
        + "</tr>"
        for i, row in enumerate(rows)
    )
    return f"<div class=wide><table><tr><th>{what}{head}</tr>{lines}</table></div>"


def _customers(count: int, exact: bool) -> str:
    return f"{'' if exact else 'at least '}{count:,} customer{'s' if count != 1 else ''}"


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %" if of else ""


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
