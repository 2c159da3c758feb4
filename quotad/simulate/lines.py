"""Lines of a log to calls with a time, in the order of their times."""

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter

import msgspec

from quotad.decision import ConsumeRequest
from quotad.replay.access_log import LineError, NoRecordError
from quotad.replay.line_templates import LineTemplates
from quotad.replay.report import SKIPPED_SHOWN, SkippedLine
from quotad.replay.template import Template
from quotad.simulate.times import parse_time

WINDOW = 10_000
"""Lines that are held back to be put in order. Servers write a line when the answer is out and
name the time when the request came in, so that lines are out of place by as much as was under way
at once. A wrong time far in the future waits here until the end of the log."""


class LoggedCall(msgspec.Struct, gc=False):
    """One line of the log as the engine sees it."""

    at_ms: int
    """Unix time."""
    line: int
    """Its number."""
    request: ConsumeRequest
    plan_id: str
    """The plan that the line names; empty: none."""


class Reader:
    """Makes calls of lines, and counts what could not be used.

    Args:
        plan: what a line asks for.
        time: when.
        plan_id: which plan its customer is on; None: not in the lines.
    """

    def __init__(self, plan: LineTemplates, time: Template, plan_id: Template | None) -> None:
        self._plan = plan
        self._time = time
        self._plan_id = plan_id
        self.lines = 0
        """Read so far."""
        self.skipped = 0
        self.skipped_lines: list[SkippedLine] = []
        """The first few."""
        self.first_problem: LineError | None = None
        """With the first line of the log that has one; lines are decided after others are read."""
        self._first_line = 0
        self.timeless = False
        """Whether the first problem was that a line named no time."""

    @property
    def names_plans(self) -> bool:
        """Whether the lines have the plan of their customer."""
        return self._plan_id is not None

    @property
    def left_out(self) -> Mapping[str, int]:
        """Lines that were read and are no calls, by what they are."""
        return self._plan.left_out

    def calls(self, lines: Iterable[bytes | None]) -> Iterator[LoggedCall]:
        """The calls that lines stand for, in the order of the log."""
        for line in lines:
            self.lines += 1
            try:
                if line is None:
                    raise LineError("too long")
                call = self._call(line)
            except NoRecordError:
                continue
            except LineError as error:
                self.skip(self.lines, error)
            else:
                yield call

    def skip(self, line: int, why: LineError) -> None:
        """Count a line as not decided."""
        if self.first_problem is None or line < self._first_line:
            self.first_problem, self._first_line = why, line
        self.skipped += 1
        if len(self.skipped_lines) < SKIPPED_SHOWN:
            self.skipped_lines.append(SkippedLine(line, str(why)))

    def _call(self, line: bytes) -> LoggedCall:
        record = self._plan.parse(line)
        try:
            at_ms = parse_time(self._time.render(record))
        except LineError:
            self.timeless = self.timeless or self.first_problem is None
            raise
        resource_id = self._plan.resource_id(record)
        request = ConsumeRequest(*self._plan.parts(record), resource_id=resource_id)
        plan_id = "" if self._plan_id is None else self._plan_id.render(record)
        return LoggedCall(at_ms, self.lines, request, plan_id)


def in_order(calls: Iterable[LoggedCall], window: int = WINDOW) -> Iterator[LoggedCall]:
    """Put calls in the order of their times, as far as they are less than `window` out of place.

    Those of the same time stay in the order of the log. What comes later than that comes out of
    order.
    """
    held: list[LoggedCall] = []
    for call in calls:
        held.append(call)
        if len(held) >= 2 * window:
            held.sort(key=_time)
            yield from held[:window]
            del held[:window]
    held.sort(key=_time)
    yield from held


_time = attrgetter("at_ms")
