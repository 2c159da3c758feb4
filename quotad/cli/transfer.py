"""`quotad customers import` and `export`: customers in bulk, as JSON lines or CSV."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, NoReturn

import typer

from quotad.cli import failures, output, tls
from quotad.cli.options import SERVER_DEFAULT, Json, ServerOption
from quotad.plural import plural
from quotad.transfer.lines import LINE_BYTES_MAX, Form

if TYPE_CHECKING:
    from quotad.client.transfer import Transfer
    from quotad.replay.files import LogFile
    from quotad.transfer.exporter import LeftOut
    from quotad.transfer.importer import Ending, ImportOptions, Rejection
    from quotad.transfer.state import StateFile

TIMEOUT_S = 30.0
"""Of one batch with all its tries: a server may be restarted meanwhile."""
RETRIES = 50

CONCURRENCY = 2
"""One batch is read and checked while the server works on another. More bring nothing, as a
worker's Python takes them in turns, and its decisions wait longer: p99 64 ms with 4, 35 ms with 2,
22 ms with 1, 18 ms without an import, measured on 2 cores."""

SHOWN_MAX = 20
"""Most bad lines that are listed."""

EXIT_REJECTED = 1
EXIT_INTERRUPTED = 130

FormOption = Annotated[
    Form | None,
    typer.Option("--format", help="How it is written; default: csv for .csv and .csv.gz."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the group `customers`."""
    (group,) = [each.typer_instance for each in app.registered_groups if each.name == "customers"]
    assert group is not None
    group.command("import")(import_)
    group.command()(export)


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Customers, also gzipped; - is stdin.")
    ],
    form: FormOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every line and write nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an import of this file stopped.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Batches in flight.")
    ] = CONCURRENCY,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write every bad line there, as JSON lines."),
    ] = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Write customers from a file, one on each line, as a whole.

    Bad lines are listed with their numbers and left out; the others are
    written. The exit code is 1 when there were any.
    """
    from quotad.replay.files import open_log
    from quotad.transfer.importer import Importer, ImportOptions, Listener
    from quotad.transfer.lines import HeaderError, numbered_rows
    from quotad.transfer.state import Position, StateError, StateFile, alone, form_of

    try:
        if rejects is not None and _same_file(rejects, file):
            failures.fail(f"--rejects {rejects}: is the file that is imported", as_json)
        # What is not a file cannot be read twice, and a dry run leaves nothing to resume.
        state = StateFile(file, server, form) if file.is_file() and not dry_run else None
        if resume and state is None:
            problem = "--resume: only an import of a file leaves something to go on from"
            failures.fail(problem, as_json)
        with ExitStack() as stack:
            transfer = stack.enter_context(_transfer(server, as_json))
            after = Position()
            if state is not None:
                stack.enter_context(alone(file))
                stack.callback(state.tidy)
                after, form = state.begin(resume), state.form
            log = stack.enter_context(open_log(file))
            mode: Literal["ab", "wb"] = "ab" if after.lines else "wb"
            # Unbuffered: a counted line is in the file, and an error is that of its line.
            bad = stack.enter_context(rejects.open(mode, buffering=0)) if rejects else None
            report = _Report(bad, rejects)
            show = stack.enter_context(_progress(log, "rejected"))

            def reached(position: Position) -> None:
                if state is not None:
                    state.write(position)
                show(position.lines, position.rejected)

            plan = ImportOptions(dry_run, concurrency, after)
            lines = numbered_rows(log.lines(LINE_BYTES_MAX), form or form_of(file))
            ending = Importer(transfer, plan, Listener(report.add, reached)).run(lines)
            if state is not None and not ending.stopped:
                state.remove()
    except (StateError, HeaderError) as error:
        failures.fail(f"{file}: {error}", as_json)
    except OSError as error:
        failures.fail(f"{error.filename or file}: {error.strerror or error}", as_json)
    report.show(ending, plan, as_json)
    if ending.stopped:
        _fail_stopped(ending, state, server, as_json)
    if log.damage:
        problem = f"{file}: damaged after line {ending.position.lines:,}: {log.damage}"
        failures.fail(problem, as_json, code="DATA_LOSS")
    if ending.position.rejected:
        raise typer.Exit(EXIT_REJECTED)


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to; .gz is gzipped, - is stdout.")
    ],
    form: FormOption = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Write every customer to a file that import reads.

    CSV holds one subscription without overrides and promotions. Customers with
    more are listed and left out, and the exit code is 1.
    """
    from quotad.client import QuotaError
    from quotad.transfer.exporter import rows_file, write_rows
    from quotad.transfer.state import form_of

    to_stdout = str(file) == "-"
    try:
        with ExitStack() as stack:
            transfer = stack.enter_context(_transfer(server, as_json))
            stream = _stdout() if to_stdout else stack.enter_context(rows_file(file))
            show = stack.enter_context(_progress(None, "left out"))
            count, left_out = write_rows(
                transfer.export_rows(), stream, form or form_of(file), show
            )
            stream.flush()
    except QuotaError as error:
        failures.fail_call(error, server, as_json)
    except OSError as error:
        if to_stdout and isinstance(error, BrokenPipeError):
            raise  # its reader has seen enough
        failures.fail(f"{error.filename or file}: {error.strerror or error}", as_json)
    if not to_stdout:
        _show_export(file, count, left_out, as_json)
    if left_out:
        if to_stdout or not as_json:
            _tell_left_out(left_out)
        raise typer.Exit(EXIT_REJECTED)


def _stdout() -> BinaryIO:
    if sys.stdout is None:  # closed
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "-")
    return sys.stdout.buffer


def _tell_left_out(left_out: "list[LeftOut]") -> None:
    for each in left_out[:SHOWN_MAX]:
        typer.echo(f"quotad: left out {each.customer_id}: {each.problem}", err=True)
    problem = f"{len(left_out):,} left out: CSV cannot hold them; JSON lines hold everything"
    typer.echo(f"quotad: {problem}", err=True)


class _Report:
    """What is printed at the end of an import.

    Args:
        rejects: where every bad line is written to.
        path: of it.
    """

    def __init__(self, rejects: FileIO | None, path: Path | None) -> None:
        self._rejects = rejects
        self._path = path
        self._first: list[Rejection] = []

    def add(self, rejection: "Rejection") -> None:
        """Note a bad line."""
        if len(self._first) < SHOWN_MAX:
            self._first.append(rejection)
        if self._rejects is None:
            return
        try:
            line = rejection.as_json() + b"\n"
            while line:
                line = line[self._rejects.write(line) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def show(self, ending: "Ending", plan: "ImportOptions", as_json: bool) -> None:
        """Print it."""
        position = ending.position
        if as_json:
            output.print_json(
                {
                    "lines": position.lines,
                    "written": position.written,
                    "unchanged": position.unchanged,
                    "rejected": position.rejected,
                    "dry_run": plan.dry_run,
                    "resumed_after": plan.after.lines,
                    "stopped": ending.stopped,
                    "seconds": round(ending.seconds, 3),
                    "problems": [
                        {"line": each.line, "problem": each.problem} for each in self._first
                    ],
                }
            )
            return
        done = position.written + position.unchanged - plan.after.written - plan.after.unchanged
        speed = f"{done / ending.seconds:,.0f} per second" if ending.seconds else ""
        verb = "would be written" if plan.dry_run else "written"
        output.print_headline(
            plural(done, "customer"), "bold", f"in {ending.seconds:.1f} s, {speed}"
        )
        if plan.after.lines:
            output.print_line(f"  went on after line {plan.after.lines:,}")
        output.print_fields(
            [
                (verb, f"{position.written:,}"),
                ("unchanged", f"{position.unchanged:,}"),
                ("rejected", f"{position.rejected:,}"),
            ]
        )
        new = position.rejected - plan.after.rejected
        for each in self._first:
            output.print_line(f"line {each.line:,}: {each.problem}", "yellow")
        if new > len(self._first):
            output.print_line(
                f"... and {new - len(self._first):,} more; --rejects lists all of them"
            )


def _same_file(rejects: Path, file: Path) -> bool:
    return rejects.exists() and file.exists() and rejects.samefile(file)


def _show_export(file: Path, count: int, left_out: "list[LeftOut]", as_json: bool) -> None:
    if as_json:
        found = [{"customer_id": each.customer_id, "problem": each.problem} for each in left_out]
        output.print_json({"exported": count, "left_out": found})
    else:
        output.print_headline(plural(count, "customer"), "bold", f"exported to {file}")


def _fail_stopped(
    ending: "Ending", state: "StateFile | None", server: str, as_json: bool
) -> NoReturn:
    """End an import that is not done, and print how to resume it."""
    how = "import it again: what is written already is left as it is"
    if state is not None:
        how = "go on with --resume"
    where = f"stopped after line {ending.position.lines:,}; {how}"
    if ending.error is None:
        if not as_json:  # the JSON report has it
            typer.echo(f"quotad: {where}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    why = failures.in_words(ending.error, server)
    if ending.error.code == "DEADLINE_EXCEEDED":
        why = f"no answer from {server} within {TIMEOUT_S:g} s"
    failures.fail(f"{why}; {where}", as_json, code=ending.error.code)


@contextmanager
def _transfer(server: str, as_json: bool) -> "Iterator[Transfer]":
    """Bulk calls to a server that is there and ready: waiting is for one that goes away later."""
    from quotad.client.admin import AdminClient

    with failures.admin(server, as_json) as admin:
        status = admin.status()
    if not status.ready:
        problem = f"the server at {server} is not ready: {status.not_ready_reason}"
        failures.fail(problem, as_json, code="UNAVAILABLE")
    with AdminClient(
        server, timeout=TIMEOUT_S, retries=RETRIES, credentials=tls.credentials(), token=tls.token()
    ) as patient:
        yield patient.transfer


@contextmanager
def _progress(log: "LogFile | None", bad: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, if that is a terminal; takes how many were done, and badly."""
    console = output.console(stderr=True)
    if not console.is_terminal:
        yield lambda done, badly: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[done]:>12,} customers"),
        BarColumn(),
        TextColumn("{task.fields[badly]:,} " + bad),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None if log is None else log.size, done=0, badly=0)
        yield lambda done, badly: bar.update(
            task, completed=log.position if log else None, done=done, badly=badly
        )
