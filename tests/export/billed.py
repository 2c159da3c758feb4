"""Exports to a double of Stripe's, and clocks that the test moves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec
import stripe

from quotad.decision import ConsumeRequest, Mode
from quotad.export.buckets import Buckets
from quotad.export.catalog_meters import CatalogMeters
from quotad.export.exporter import Exporter
from quotad.export.stripe_account import StripeAccount
from quotad.export.stripe_double import StripeDouble, serving
from quotad.export.stripe_target import StripeTarget
from quotad.ledger import LedgerEntry, WantedEntries
from quotad.operations.ledger import LedgerOperations
from tests.deciding import Bench
from tests.export.exported import Exported, Here, run

HOUR_MS = 3_600_000

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, ledger: all, stripe_meter: api_calls}
  mails: {type: metered, stripe_meter: mails_sent}
  views: {type: metered, ledger: true}
plans:
  free:
    entitlements:
      calls: {limit: 1000000, per: month}
      mails: {limit: 1000000, per: month}
      views: {limit: 1000000, per: month}
"""
METERS = {"calls": "api_calls", "mails": "mails_sent"}


class InProcess(stripe.HTTPClient):
    """Stripe's library without a connection, which is most of what a request costs."""

    name = "in process"

    def __init__(self, double: StripeDouble) -> None:
        super().__init__()
        self._double = double

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        named = {name.lower(): value for name, value in (headers or {}).items()}
        answer = self._double.respond(method.upper(), url, (post_data or "").encode(), named)
        if answer is None:
            raise stripe.APIConnectionError("it has ended")  # type: ignore[no-untyped-call]
        return msgspec.json.encode(answer[1]).decode(), answer[0], {}


class Billed(Exported):
    """An engine whose ledger feeds a double of Stripe's."""

    def __init__(self, made: Bench, double: StripeDouble, url: str) -> None:
        super().__init__(made)
        self.double = double
        self.url = url
        self.in_process = self.skip_without_id = False
        self.shift_ms = 0
        """How far the store's clock is moved, as exports see it."""
        self.stripe_shift_ms = 0
        """How far Stripe's is beside that."""
        self.unknown: set[str] = set()
        """Customers without an id at Stripe."""
        time_ms = self.records.now_ms
        self.records.now_ms = lambda: time_ms() + self.shift_ms  # type: ignore[method-assign]
        double.now_s = lambda: (time_ms() + self.shift_ms + self.stripe_shift_ms) / 1000

    def target(self, length_ms: int = HOUR_MS) -> StripeTarget:
        return StripeTarget(
            StripeAccount(
                "sk_test_1", self.url, InProcess(self.double) if self.in_process else None
            ),
            Buckets(length_ms, "test"),
            CatalogMeters(self.made.catalogs).look,
            lambda customer_id: "" if customer_id in self.unknown else f"cus_{customer_id}",
            self.records.now_ms,
            self.skip_without_id,
        )

    def export(self, target: StripeTarget | None = None) -> Exporter:
        """Send what is closed, all by a process that then ends."""
        target = target or self.target()
        exporter = self.exporter(target)
        run(exporter, target)
        exporter.let_go(target)
        return exporter

    def export_once(self, target: StripeTarget | None = None) -> None:
        """As `export`, but each event is tried once, or a few times."""
        target = target or self.target()
        exporter = self.exporter(target)
        for _ in range(3):
            exporter.round(target, Here())
        exporter.let_go(target)

    def refund(self, customer_id: str, quantity: int, feature_id: str = "calls") -> None:
        request = ConsumeRequest(customer_id, feature_id, -quantity, Mode.REFUND)
        self.made.engine.decide([request])

    def entries(self) -> list[LedgerEntry]:
        found, position, more = [], "", True
        while more:
            page = LedgerOperations(self.streams).read(WantedEntries(position=position, size=1000))
            found += page.entries
            position, more = page.position, page.more
        return found

    def owed(self) -> Mapping[tuple[str, str], Decimal]:
        """What the ledger has, as the double should."""
        found: dict[tuple[str, str], Decimal] = {}
        for entry in self.entries():
            if entry.allowed and entry.feature_id in METERS:
                key = (f"cus_{entry.customer_id}", METERS[entry.feature_id])
                found[key] = found.get(key, Decimal(0)) + entry.quantity
        return {key: value for key, value in found.items() if value}


@contextmanager
def billed_by(made: Bench) -> Iterator[Billed]:
    made.publish(CATALOG)
    double = StripeDouble(METERS.values)
    with serving(double) as url:
        yield Billed(made, double, url)


def each_event(fault: str) -> Callable[[str, str], str]:
    """Have all fail that sends something."""
    return lambda method, _: fault if method == "POST" else ""
