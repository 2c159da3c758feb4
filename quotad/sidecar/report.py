"""The log of the sidecar: each problem once, its end once, and every version it published."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from quotad.catalog import Catalog, CatalogChange, diff, read_record
from quotad.plural import plural
from quotad.records import CatalogRecord
from quotad.sidecar.removals import Waiting
from quotad.store.catalogs import Outcome, Published

_CHANGES_SHOWN_MAX = 5
_VALUE_SHOWN_MAX = 80

log = logging.getLogger("quotad.sidecar")


class OpenProblems:
    """The problems of now, each under the key of what has it."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, ...]] = {}

    def report(
        self, key: str, what: str, problems: tuple[str, ...], consequence: Callable[[], str]
    ) -> None:
        """Log the problems and what follows, unless they are those that are known already."""
        if self._open.get(key) != problems:
            self._open[key] = problems
            count = f" ({len(problems)} problems)" if len(problems) > 1 else ""
            log.error("%s%s, %s: %s", what, count, consequence(), "; ".join(problems))

    def solve(self, key: str, how: str) -> None:
        """Log that the problems are over, if there were any."""
        if self._open.pop(key, None) is not None:
            log.info("%s", how)

    def has(self, key: str) -> bool:
        """Whether there is a problem under that key."""
        return key in self._open

    def all(self) -> tuple[str, ...]:
        """Every problem of now."""
        return tuple(problem for problems in self._open.values() for problem in problems)


def log_waiting(waiting: Waiting, left_s: float) -> None:
    """Log what is missing in the files, and until when it is waited for.

    Args:
        waiting: what a publish waits for.
        left_s: how long it still does, in seconds.
    """
    until = datetime.now(UTC) + timedelta(seconds=left_s)
    log.warning(
        "not published yet: %s %s in force and missing in the files now; published without at"
        " %s UTC unless it comes back; `quotad catalog publish` does not wait",
        waiting,
        "is" if len(waiting.left_out) == 1 else "are",
        until.strftime("%H:%M:%S"),
    )


def log_outcome(published: Published, before: CatalogRecord | None, catalog: Catalog) -> None:
    """Log what a publish did.

    Args:
        published: the answer of the store.
        before: what was in force until then.
        catalog: what was published.
    """
    if published.outcome is Outcome.UNCHANGED:
        log.info("catalog version %d is in force and has this content", published.version)
    elif published.outcome is Outcome.IN_HISTORY:
        log.warning(
            "not published: the content found at start is catalog version %d, and version %d was"
            " published after it; edit the files, or force it with `quotad catalog publish`",
            published.known_version,
            published.version,
        )
    else:
        log.info("published catalog version %d%s", published.version, _changes(before, catalog))


def _changes(before: CatalogRecord | None, catalog: Catalog) -> str:
    if before is None:
        return ""
    old = read_record(before)
    if old is None:  # written by another release of quotad; the publish itself is not in doubt
        return f" over version {before.version}, which cannot be read: no revision was kept"
    changes = diff(old, catalog)
    count = plural(len(changes), "change")
    shown = [_change(change) for change in changes[:_CHANGES_SHOWN_MAX]]
    if len(changes) > _CHANGES_SHOWN_MAX:
        shown.append("...")
    return f" ({count}): {', '.join(shown)}"


def _change(change: CatalogChange) -> str:
    if not change.before:
        return f"{change.path} added: {_short(change.after)}"
    if not change.after:
        return f"{change.path} removed"
    return f"{change.path} {_short(change.before)} -> {_short(change.after)}"


def _short(value: str) -> str:
    return value if len(value) <= _VALUE_SHOWN_MAX else value[:_VALUE_SHOWN_MAX] + "..."
