"""The port for operators of a server: whether it lives, whether it is ready and why not."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http import HTTPStatus
from itertools import chain

from quotad.config import split_listen
from quotad.errors import ConfigError
from quotad.metrics import WorkerReport
from quotad.ops.listener import OpsListener, Page, Pages
from quotad.ops.openmetrics import CONTENT_TYPE, text
from quotad.server.address import OPS_DEV, from_port
from quotad.server.exposition import WITHOUT_DECISIONS, Exposition
from quotad.server.workers import Workers

_log = logging.getLogger("quotad.server")

STUCK_S = 10.0
"""After this time without a look at the workers, their parent does not live any more."""

COMPONENTS = ("store", "catalog")

BESIDE = ("dashboard", "export")
"""Edges without which calls are answered all the same."""


@contextmanager
def ops_port(listen: str, workers: Workers) -> Iterator[str]:
    """Serve the pages of a server; gives the address with the port it really got.

    Args:
        listen: where; empty: nowhere.
        workers: of the server.

    Raises:
        ConfigError: it is taken, or not one of this machine.
    """
    if not listen:
        yield ""
        return
    listener = OpsListener(pages(workers), *split_listen(listen, "ops"))
    try:
        listener.start()
    except OSError as error:
        raise ConfigError(f"ops: cannot listen on {listen}: {error.strerror or error}") from error
    with closing(listener):
        _log.info("listening on %s for operators", listener.address)
        yield listener.address


@contextmanager
def ops_port_of_dev(listen: str, workers: Workers) -> Iterator[str]:
    """Serve them for `quotad dev`: where that is set, else at the first port that is free.

    Raises:
        ConfigError: the one that is set is taken, or not one of this machine.
    """
    with ExitStack() as opened:
        yield opened.enter_context(ops_port(listen, workers)) if listen else _first(opened, workers)


def _first(opened: ExitStack, workers: Workers) -> str:
    """Ports are tried by listening: another process may take one that was free a moment ago."""
    *most, last = from_port(OPS_DEV)
    for listen in most:
        with suppress(ConfigError):
            return opened.enter_context(ops_port(listen, workers))
    return opened.enter_context(ops_port(last, workers))


def pages(workers: Workers) -> Pages:
    """Return what is answered about the workers of a server."""
    exposition = Exposition(workers)
    return {
        "/livez": lambda: livez(workers),
        "/readyz": lambda: readyz(workers),
        "/metrics": lambda: Page(text(exposition.families()), content_type=CONTENT_TYPE),
    }


def livez(workers: Workers) -> Page:
    """Whether the parent looks after its workers."""
    if workers.silent_s > STUCK_S:
        stuck = f"the workers were last looked after {workers.silent_s:.0f} s ago\n"
        return Page(stuck, HTTPStatus.SERVICE_UNAVAILABLE)
    return Page("ok\n")


def readyz(workers: Workers) -> Page:
    """Whether calls are answered with decisions, and what is not ready, in words."""
    ready = not workers.stopping and all(
        any(slot.ready for slot in slots)
        for edge, slots in workers.slots.items()
        if edge not in BESIDE
    )
    verdict = "stopping" if workers.stopping else "ready" if ready else "not ready"
    reports = [
        report
        for edge, slots in workers.slots.items()
        for slot in slots
        if edge not in WITHOUT_DECISIONS and (report := slot.reports()[1]) is not None
    ]
    lines = [verdict]
    for name in COMPONENTS:
        lines += [f"{name}: {words}" for words in _component(name, reports)]
    for edge, slots in workers.slots.items():
        ready_now = sum(slot.ready for slot in slots)
        lines.append(f"{edge} workers: {ready_now} of {len(slots)} ready")
    lines += [f"warning: {each}" for each in _distinct(r.warnings for r in reports)]
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Page("\n".join([*lines, ""]), status)


def _component(name: str, reports: list[WorkerReport]) -> list[str]:
    """What workers report of a component; more than one line where they do not agree."""
    if not reports:
        return ["not looked at yet"]
    problems = _distinct([report.problems.get(name, "")] for report in reports)
    return [problem for problem in problems if problem] or ["ok"]


def _distinct(every: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(chain.from_iterable(every)))
