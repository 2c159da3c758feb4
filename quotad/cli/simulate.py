"""`quotad replay --simulate`: a log of the past through catalogs of the future."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from quotad.cli import failures, output
from quotad.replay.formats import Format

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from quotad.replay.files import LogFile
    from quotad.replay.line_templates import LineTemplates
    from quotad.replay.sender import Progress
    from quotad.simulate.lines import Reader
    from quotad.simulate.report import Simulation
    from quotad.simulate.scene import Scene, TriedCatalog

EXIT_INTERRUPTED = 130

MISSING_LIBRARY = "--html needs matplotlib, which is not installed: pip install matplotlib"


_PANEL = "Simulation"

Simulate = Annotated[
    bool,
    typer.Option(
        "--simulate",
        help="Send nothing: run the log through --catalog here, at its own times.",
        rich_help_panel=_PANEL,
    ),
]
CatalogPath = Annotated[
    Path | None,
    typer.Option("--catalog", metavar="PATH", help="Plan files to try.", rich_help_panel=_PANEL),
]
Against = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Plan files to compare with.", rich_help_panel=_PANEL),
]
PlanTemplate = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="Plan of the customers, such as pro or '{plan}'; else the default plan.",
        rich_help_panel=_PANEL,
    ),
]
CustomersPath = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Who is on which plan, as JSON lines.", rich_help_panel=_PANEL
    ),
]
Time = Annotated[
    str,
    typer.Option(metavar="TEMPLATE", help="When a line was written.", rich_help_panel=_PANEL),
]
Html = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write a page with plots.", rich_help_panel=_PANEL),
]

ONLY_SIMULATED = ("catalog", "against", "plan", "customers", "time", "html")
ONLY_SENT = ("server", "concurrency")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    access_log: Path
    log_format: Format
    customer: str
    feature: str
    quantity: str
    limit: int | None
    catalog: Path | None
    against: Path | None
    plan: str | None
    customers: Path | None
    time: str
    html: Path | None
    as_json: bool


Progressing = Callable[["LogFile"], "AbstractContextManager[Callable[[Progress], None]]"]


def check_options(context: typer.Context, simulated: bool, as_json: bool) -> None:
    """Refuse options that would be ignored."""
    for name in ONLY_SENT if simulated else ONLY_SIMULATED:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            problem = "is for sending a log to a server; --simulate sends nothing"
            if not simulated:
                problem = "is for --simulate; without it the log goes to a server and its catalog"
            failures.fail(f"--{name} {problem}", as_json)


def simulate(words: Words, progress: Progressing) -> None:
    """Run the simulation and show its report; whatever is wrong ends the command.

    Args:
        words: what was typed.
        progress: shows how far it is.
    """
    from quotad.errors import ConfigError, StoreError
    from quotad.replay.access_log import LineError
    from quotad.replay.files import open_log
    from quotad.replay.line_templates import LineTemplates
    from quotad.replay.template import TemplateError
    from quotad.simulate.run import simulate as run

    fail = _failing(words)
    _check_html(words)
    if str(words.customers) == "-" == str(words.access_log):
        fail("--customers -: the log comes from standard input already; name a file")
    try:
        plan = LineTemplates(words.log_format, words.customer, words.feature, words.quantity)
        reader = _reader(words, plan)
    except TemplateError as error:
        fail(f"template {error}")
    scene = _scene(words, reader, plan.feature_id)
    plan.decimals = scene.decimals
    try:
        log = open_log(words.access_log)
    except OSError as error:
        fail(f"{words.access_log}: {error.strerror or error}")
    with log, progress(log) as show, _ended_by_sigterm():
        try:
            report = run(islice(log.lines(), words.limit), reader, scene, show)
        except LineError as error:
            hint = "; name it with --time, such as --time '{ts}'" if reader.timeless else ""
            fail(f"{words.access_log}: no line could be used; the first: {error}{hint}")
        except KeyboardInterrupt:  # before the first line
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except ConfigError as error:
            fail(str(error))
        except StoreError as error:
            failures.fail(f"the private store failed: {error}", words.as_json, code="UNAVAILABLE")
    _finish(words, report, log)


def _finish(words: Words, report: "Simulation", log: "LogFile") -> None:
    """Show the report and end with the exit code of `quotad replay`."""
    from quotad.cli.simulation import show

    if words.as_json:
        output.print_json(report)
    else:
        show(report)
    if words.html is not None:
        from quotad.simulate.page import write_page

        try:
            write_page(report, words.html)
        except OSError as error:
            failures.fail(f"--html {words.html}: {error.strerror or error}", words.as_json)
    if log.damage:
        problem = f"the log is damaged after line {report.lines:,}: {log.damage}"
        failures.fail(problem, words.as_json, code="DATA_LOSS")
    if report.stopped:
        raise typer.Exit(EXIT_INTERRUPTED)


def _failing(words: Words) -> Callable[[str], NoReturn]:
    def fail(message: str) -> NoReturn:
        failures.fail(message, words.as_json)

    return fail


def _check_html(words: Words) -> None:
    """Refuse before the run what would fail after it."""
    if words.html is None:
        return
    from quotad.simulate.plots import is_installed

    if not is_installed():
        failures.fail(MISSING_LIBRARY, words.as_json)
    try:
        problem = _problem_of(words.html)
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        failures.fail(f"--html {words.html}: {problem}", words.as_json)


def _problem_of(html: Path) -> str:
    if html.is_dir():
        return "is a directory; name a file in it"
    if not html.parent.is_dir():
        return "no such directory"
    # A page takes the place of an older one, so it is the directory that is written.
    if (html.is_file() or not html.exists()) and not os.access(
        Path(os.path.realpath(html)).parent, os.W_OK
    ):
        return os.strerror(errno.EACCES)
    return ""


def _reader(words: Words, plan: "LineTemplates") -> "Reader":
    from quotad.simulate.lines import Reader

    named = plan.template(words.plan) if words.plan is not None else None
    return Reader(plan, plan.template(words.time), named if named and named.fields else None)


def _scene(words: Words, reader: "Reader", feature_id: str | None) -> "Scene":
    """The catalogs and the plans of customers, checked against each other."""
    from quotad.errors import InvalidRequest
    from quotad.simulate.scene import Scene

    if words.catalog is None:
        failures.fail("--simulate needs --catalog: the plan files to try", words.as_json)
    paths = [words.catalog] + ([words.against] if words.against is not None else [])
    new, *old = _candidates(paths, words)
    scene = Scene(
        new=new,
        old=old[0] if old else None,
        plan_id=None if reader.names_plans else words.plan,
    )
    try:
        scene.check(feature_id)
    except InvalidRequest as error:
        failures.fail(str(error), words.as_json)
    return scene


def _candidates(paths: list[Path], words: Words) -> "list[TriedCatalog]":
    """The catalogs, and the customers as each has them."""
    from quotad.catalog import compile_snapshot, parse, read_sources
    from quotad.errors import CatalogError
    from quotad.simulate.customers import CustomersError, read_customers, read_lines
    from quotad.simulate.scene import TriedCatalog

    try:
        catalogs = [parse(read_sources(path)) for path in paths]
    except CatalogError as error:
        failures.fail_catalog(error.problems, words.as_json)
    named = list(zip(catalogs, map(str, paths), strict=True))
    if words.customers is None:
        return [TriedCatalog(*each) for each in named]
    snapshots = [compile_snapshot(catalog, version=1) for catalog in catalogs]
    try:
        lines = read_lines(words.customers)
        listed = [
            read_customers(lines, each, [other for other in snapshots if other is not each])
            for each in snapshots
        ]
    except OSError as error:
        failures.fail(f"{words.customers}: {error.strerror or error}", words.as_json)
    except CustomersError as error:
        problems = "\n".join(error.problems)
        misfit = f"do not fit {paths[0]}"
        if len(paths) > 1:
            misfit = f"fit neither {paths[0]} nor {paths[1]}"
        failures.fail(f"the customers {misfit}\n{problems}", words.as_json)
    return [TriedCatalog(*each, of) for each, of in zip(named, listed, strict=True)]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End at SIGTERM, and when the terminal is closed, as at Ctrl-C: with a report, and with the
    private store ended too."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup leaves it
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
