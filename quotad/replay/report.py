"""What a replay found: counted while it runs, within bounds, and shown at the end."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from quotad.client import Consumption, Decision, QuotaError

TOP = 10
SKIPPED_SHOWN = 5
FEATURES_MAX = 1_000
CUSTOMERS_MAX = 100_000
"""Denied customers counted at the same time. Past it the half with fewest denials is dropped, so
that the counts of the top stay right in all but contrived logs; the report notes it."""
OTHERS = "(others)"


class FeatureReport(msgspec.Struct):
    """One feature's calls."""

    feature_id: str
    allowed: int = 0
    denied: int = 0
    granted: int = 0
    """Sum of what was taken."""
    refused: int = 0
    """Sum of what was asked for and denied."""


class DeniedCustomer(msgspec.Struct, frozen=True):
    """A customer and how many of its calls were denied."""

    customer_id: str
    denied: int


class SkippedLine(msgspec.Struct, frozen=True):
    """A line that was not sent, and why."""

    line: int
    why: str


class Failure(msgspec.Struct, frozen=True):
    """One kind of error, and how many calls ended in it."""

    code: str
    reason: str
    message: str
    count: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a replay."""

    lines: int
    """Read."""
    decided: int
    allowed: int
    denied: int
    features: list[FeatureReport]
    """Busiest first."""
    top_denied: list[DeniedCustomer]
    top_denied_exact: bool
    """False when there were too many denied customers to count every one to the end."""
    errors: int
    """Calls without a decision. They may have been counted; they were not sent again."""
    failures: list[Failure]
    skipped: int
    skipped_lines: list[SkippedLine]
    """The first few."""
    left_out: dict[str, int]
    """Entries of a ledger that are no calls, by verb; neither sent nor skipped."""
    seconds: float
    decisions_per_second: float
    stopped: str
    """Why it ended before the end of the log; empty when it did not."""


class DeniedCustomers:
    """Counts denials by customer, of many customers those that have most."""

    def __init__(self) -> None:
        self.exact = True
        """False when there were too many to count every one to the end."""
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, customer_id: str) -> None:
        """Count one denial."""
        self._counts[customer_id] += 1
        if len(self._counts) > CUSTOMERS_MAX:
            self._counts = Counter(dict(self._counts.most_common(CUSTOMERS_MAX // 2)))
            self.exact = False

    def count(self, customer_id: str) -> int:
        """Denials of one customer."""
        return self._counts[customer_id]

    def top(self) -> list[DeniedCustomer]:
        """The customers with most, most first."""
        return [DeniedCustomer(*each) for each in self._counts.most_common(TOP)]


class ReplayTally:
    """Counts outcomes; its size does not depend on the log's."""

    def __init__(self) -> None:
        self.lines = 0
        self.allowed = 0
        self.denied = 0
        self.errors = 0
        self.skipped = 0
        self.stopped = ""
        self.left_out: Mapping[str, int] = {}
        """Of lines that are no calls, by what they are; counted where they are read."""
        self.first_error: QuotaError | None = None
        self._features: dict[str, FeatureReport] = {}
        self._denied = DeniedCustomers()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._messages: dict[tuple[str, str], str] = {}
        self._skipped: list[SkippedLine] = []

    @property
    def decided(self) -> int:
        """How many calls have a decision."""
        return self.allowed + self.denied

    def skip(self, why: str) -> None:
        """Count the current line as not sent."""
        self.skipped += 1
        if len(self._skipped) < SKIPPED_SHOWN:
            self._skipped.append(SkippedLine(self.lines, why))

    def add(self, request: Consumption, outcome: Decision | QuotaError) -> None:
        """Count one answer."""
        if isinstance(outcome, QuotaError):
            self._fail(outcome)
            return
        feature = self._feature(request.feature_id)
        if outcome.allowed:
            self.allowed += 1
            feature.allowed += 1
            feature.granted += outcome.granted
            return
        self.denied += 1
        feature.denied += 1
        feature.refused += request.quantity
        self._denied.add(request.customer_id)

    def report(self, seconds: float) -> Report:
        """What was counted in that time."""
        features = sorted(self._features.values(), key=lambda each: -(each.allowed + each.denied))
        return Report(
            lines=self.lines,
            decided=self.decided,
            allowed=self.allowed,
            denied=self.denied,
            features=features,
            top_denied=self._denied.top(),
            top_denied_exact=self._denied.exact,
            errors=self.errors,
            failures=[
                Failure(code, reason, self._messages[code, reason], count)
                for (code, reason), count in self._failures.most_common()
            ],
            skipped=self.skipped,
            skipped_lines=self._skipped,
            left_out=dict(self.left_out),
            seconds=round(seconds, 3),
            decisions_per_second=round(self.decided / seconds) if seconds > 0 else 0,
            stopped=self.stopped,
        )

    def _feature(self, feature_id: str) -> FeatureReport:
        found = self._features.get(feature_id)
        if found is None:
            if len(self._features) >= FEATURES_MAX:
                feature_id = OTHERS
            found = self._features.setdefault(feature_id, FeatureReport(feature_id))
        return found

    def _fail(self, error: QuotaError) -> None:
        self.errors += 1
        self.first_error = self.first_error or error
        kind = (error.code, error.reason)
        self._failures[kind] += 1
        self._messages.setdefault(kind, error.message)
