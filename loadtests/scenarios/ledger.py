"""What users were allowed, by customer and feature, and whether the counters say the same. Pure."""

from collections.abc import Iterator
from typing import Any, Self

import msgspec

VIOLATIONS_MAX = 20
"""Most broken promises that are kept with their text; all of them are counted."""


class Account(msgspec.Struct, array_like=True):
    """What was seen of one customer's use of one feature."""

    allowed: int = 0
    """Sum of what answers granted; giving back counts down."""
    unknown_up: int = 0
    """Quantities of calls that nobody answered: each may have been taken or not."""
    unknown_down: int = 0
    """The same for giving back; negative."""
    limit_max: int = 0
    """The highest limit that an answer told."""

    @property
    def least(self) -> int:
        """The lowest counter that fits the answers."""
        return self.allowed + self.unknown_down

    @property
    def most(self) -> int:
        """The highest counter that fits the answers."""
        return self.allowed + self.unknown_up

    def add(self, other: "Account") -> None:
        """Add what somebody else has seen."""
        self.allowed += other.allowed
        self.unknown_up += other.unknown_up
        self.unknown_down += other.unknown_down
        self.limit_max = max(self.limit_max, other.limit_max)


class Ledger(msgspec.Struct):
    """Everything that one process's users have seen; processes' ledgers add up."""

    accounts: dict[str, dict[str, Account]] = {}
    """By customer and feature."""
    reasons: dict[str, dict[str, int]] = {}
    """How many decisions, by scenario and reason."""
    unknown_calls: int = 0
    violations: list[str] = []
    violations_count: int = 0

    def account(self, customer_id: str, feature_id: str) -> Account:
        """The account of a customer and feature, new if need be."""
        return self.accounts.setdefault(customer_id, {}).setdefault(feature_id, Account())

    def decided(self, scenario: str, reason: str) -> None:
        """Count a decision."""
        reasons = self.reasons.setdefault(scenario, {})
        reasons[reason] = reasons.get(reason, 0) + 1

    def unanswered(self, customer_id: str, feature_id: str, quantity: int) -> None:
        """Note a call that may have been counted or not."""
        account = self.account(customer_id, feature_id)
        if quantity > 0:
            account.unknown_up += quantity
        else:
            account.unknown_down += quantity
        self.unknown_calls += 1

    def violated(self, what: str) -> None:
        """Note a promise that an answer broke."""
        self.violations_count += 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(what)

    def add(self, other: "Ledger") -> None:
        """Add what another process's users have seen."""
        for customer_id, features in other.accounts.items():
            for feature_id, account in features.items():
                self.account(customer_id, feature_id).add(account)
        for scenario, reasons in other.reasons.items():
            mine = self.reasons.setdefault(scenario, {})
            for reason, count in reasons.items():
                mine[reason] = mine.get(reason, 0) + count
        self.unknown_calls += other.unknown_calls
        self.violations_count += other.violations_count
        self.violations += other.violations[: VIOLATIONS_MAX - len(self.violations)]

    def to_message(self) -> Any:
        """Plain data, to be sent to another process."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_message(cls, data: Any) -> Self:
        """What `to_message` made."""
        return msgspec.convert(data, cls)


class Counter(msgspec.Struct, frozen=True):
    """What the server says about one customer's use of one feature."""

    used: int
    limit: int | None
    """None: unlimited."""


Counters = dict[str, dict[str, Counter]]
"""By customer and feature, as far as the server told."""


class Verdict(msgspec.Struct, frozen=True):
    """What comparing a ledger with the counters found."""

    counters: int
    """How many were compared."""
    customers: int
    allowed: int
    """Sum of all that was allowed."""
    unknown_calls: int
    unknown: int
    """Sum of their quantities."""
    problems: list[str]
    """Counters that are not what was allowed, and limits that were passed."""
    violations: list[str]
    violations_count: int

    @property
    def passed(self) -> bool:
        """Whether something was counted, every counter matches and no answer broke a promise."""
        return self.counters > 0 and not self.problems and not self.violations_count

    def lines(self) -> Iterator[str]:
        """The verdict for people; the first line tells it."""
        seen = (
            f"{self.allowed:,} allowed in {self.counters:,} counters of {self.customers:,} "
            f"customers; {self.unknown_calls:,} calls of unknown outcome"
        )
        if self.unknown_calls:
            seen += f", about a quantity of {self.unknown:,}"
        if self.problems:
            yield f"check: COUNTERS DO NOT MATCH: {len(self.problems):,} problems; {seen}"
        elif not self.counters:
            yield "check: NOTHING TO CHECK: no call of a metered feature was answered"
        else:
            yield f"check: counters match: {seen}"
        for problem in self.problems[:VIOLATIONS_MAX]:
            yield f"check:   {problem}"
        if len(self.problems) > VIOLATIONS_MAX:
            yield f"check:   and {len(self.problems) - VIOLATIONS_MAX:,} more"
        if self.violations_count:
            yield f"check: PROMISES BROKEN: {self.violations_count:,} answers were wrong"
        for violation in self.violations:
            yield f"check:   {violation}"


def compare(ledger: Ledger, counters: Counters) -> Verdict:
    """Compare what users were allowed with what the server counted."""
    problems = [
        f"{customer_id} {feature_id}: {problem}"
        for customer_id, features in sorted(ledger.accounts.items())
        for feature_id, account in sorted(features.items())
        for problem in _problems(account, counters.get(customer_id, {}).get(feature_id))
    ]
    accounts = [each for features in ledger.accounts.values() for each in features.values()]
    return Verdict(
        counters=len(accounts),
        customers=len(ledger.accounts),
        allowed=sum(account.allowed for account in accounts),
        unknown_calls=ledger.unknown_calls,
        unknown=sum(account.unknown_up - account.unknown_down for account in accounts),
        problems=problems,
        violations=ledger.violations,
        violations_count=ledger.violations_count,
    )


def _problems(account: Account, counter: Counter | None) -> Iterator[str]:
    if counter is None:
        yield f"{account.allowed:,} allowed, and the server does not tell the counter"
        return
    if not account.least <= counter.used <= account.most:
        between = "" if account.least == account.most else f" to {account.most:,}"
        yield f"{account.least:,}{between} allowed, but {counter.used:,} counted"
    if counter.limit is not None:
        # A plan may have become smaller since.
        limit = max(counter.limit, account.limit_max)
        if max(account.least, counter.used) > limit:
            yield f"{max(account.least, counter.used):,} allowed, above the limit of {limit:,}"
