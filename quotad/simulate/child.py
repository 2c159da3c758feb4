"""One log tried in a separate process: `python -P -m quotad.simulate.child`.

Reads a `PastJob` from standard input, and writes a `PastStep` as JSON line by line to standard
output. It is nicer than the server that started it, may take only so much memory and CPU, and ends
with the server: what it reads may have been made to take more.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import msgspec

from quotad.catalog import Catalog, compile_snapshot
from quotad.errors import CatalogError, QuotadError
from quotad.past_job import PastJob, PastStep
from quotad.records import CustomerRecord
from quotad.replay.access_log import LineError
from quotad.replay.files import LogFile, open_log
from quotad.replay.formats import PatternError, format_of
from quotad.replay.line_templates import LineTemplates
from quotad.replay.sender import Progress
from quotad.replay.template import TemplateError
from quotad.simulate.customers import CustomersError, read_customers, read_lines
from quotad.simulate.lines import Reader
from quotad.simulate.report import Simulation
from quotad.simulate.run import simulate
from quotad.simulate.scene import Scene, TriedCatalog

NICENESS = 10
EVERY_S = 0.25
"""How often it writes how far it is."""

LOG_GONE = "the log cannot be read any more"


class _Shown:
    """Writes how far it is now and then, and ends the work when the server is gone."""

    def __init__(self, log: LogFile, server: int) -> None:
        self._log = log
        self._server = server
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        if os.getppid() != self._server:
            raise KeyboardInterrupt
        percent = 100 * self._log.position // max(1, self._log.size or 1)
        write(PastStep(percent, progress.lines, progress.decided, progress.denied))


def write(step: PastStep) -> None:
    """Write a line."""
    sys.stdout.buffer.write(msgspec.json.encode(step) + b"\n")
    sys.stdout.buffer.flush()


def tried(job: PastJob, server: int) -> PastStep:
    """Run the log; returns how it ended."""
    try:
        written = format_of(job.format)
        lines = LineTemplates(
            written,
            job.customer or written.customer,
            job.feature or written.feature,
            job.quantity or written.quantity,
        )
        named = lines.template(job.plan) if job.plan else None
        reader = Reader(lines, lines.template(job.time), named if named and named.fields else None)
        scene = _scene(job, None if reader.names_plans else job.plan or None)
        scene.check(lines.feature_id)
        lines.decimals = scene.decimals
        with open_log(Path(job.log)) as log:
            report = simulate(log.lines(), reader, scene, _Shown(log, server))
            damage = log.damage
    except PatternError as error:
        return PastStep(problem=f"format: {error}")
    except TemplateError as error:
        return PastStep(problem=f"template {error}")
    except LineError as error:
        return PastStep(problem=f"no line could be used; the first: {error}")
    except CustomersError as error:
        return PastStep(problem="customers do not fit: " + error.problems[0])
    except CatalogError as error:
        return PastStep(problem=error.problems[0])
    except QuotadError as error:
        return PastStep(problem=str(error).removeprefix("--"))
    except OSError:
        return PastStep(problem=LOG_GONE)
    return PastStep(report=msgspec.to_builtins(_noted(report, damage)))


def _noted(report: Simulation, damage: str) -> Simulation:
    if not damage:
        return report
    note = f"the log is damaged after line {report.lines:,}: {damage}"
    return msgspec.structs.replace(report, notes=[*report.notes, note])


def _scene(job: PastJob, plan_id: str | None) -> Scene:
    asked = [job.new] if job.old is None else [job.new, job.old]
    catalogs = [Catalog.from_document(each.document) for each in asked]
    listed: list[dict[str, CustomerRecord]] = [{} for _ in catalogs]
    if job.customers:
        rows = read_lines(Path(job.customers))
        snapshots = [compile_snapshot(each, version=1) for each in catalogs]
        listed = [
            read_customers(rows, each, [other for other in snapshots if other is not each])
            for each in snapshots
        ]
    new, *old = (
        TriedCatalog(catalog, each.name, of)
        for catalog, each, of in zip(catalogs, asked, listed, strict=True)
    )
    return Scene(new, old[0] if old else None, plan_id)


def main(memory_mb: int, cpu_s: int) -> int:
    """Run one job; returns the exit code."""
    server = os.getppid()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends with what was found by then
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 1024 * 1024,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=PastJob)
    try:
        write(tried(job, server))
    except MemoryError:
        write(PastStep(problem=f"the log takes more than {memory_mb} MB; try a part of it"))
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
