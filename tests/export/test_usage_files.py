"""Files of usage by month have the same numbers as Stripe's meters."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import msgspec

from quotad.cli.ledger_months import read_month
from quotad.client.admin import AdminClient, CatalogDocument
from quotad.client.ledger import LedgerLine, LedgerPage
from quotad.ledger import LedgerEntry, WantedEntries
from quotad.operations.ledger import LedgerOperations
from tests.export.billed import HOUR_MS, METERS, Billed


class Here:
    """The calls of the client that files are made with, without a server."""

    def __init__(self, billed: Billed) -> None:
        self._ledger = LedgerOperations(billed.streams)
        self._document = billed.made.catalogs.get(billed.made.catalogs.version()).document

    def ledger_page(self, **wanted: Any) -> LedgerPage:
        since = wanted.pop("since")
        asked = WantedEntries(since_ms=round(since.timestamp() * 1000), **wanted)
        page = self._ledger.read(asked)
        lines = [_line(entry) for entry in page.entries]
        return LedgerPage(entries=tuple(lines), gaps=(), position=page.position, more=page.more)

    def catalog(self) -> CatalogDocument:
        document = msgspec.json.decode(self._document)
        return CatalogDocument(version=cast(Any, None), document=document)


def _line(entry: LedgerEntry) -> LedgerLine:
    same = set(LedgerLine.__struct_fields__) - {"at", "occurred_at"}
    fields: dict[str, Any] = {name: getattr(entry, name, None) for name in same}
    occurred_at = moment(entry.occurred_ms) if entry.occurred_ms else None
    return LedgerLine(**fields, at=moment(entry.at_ms), occurred_at=occurred_at)


def moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def test_files_have_the_sums_that_stripe_has(billed: Billed) -> None:
    billed.in_process = True
    rng = random.Random(4)
    for _ in range(60):
        customer, feature = rng.choice("abc"), rng.choice(["calls", "mails"])
        if rng.random() < 0.2:
            billed.refund(customer, rng.randint(1, 9), feature)
        else:
            billed.take(customer, rng.randint(1, 9), feature)
        if rng.random() < 0.1:
            billed.shift_ms += HOUR_MS
            billed.export()
    billed.shift_ms += HOUR_MS
    billed.export()

    now = moment(billed.made.store.time_ms())
    read = read_month(
        cast(AdminClient, Here(billed)), now - timedelta(days=1), now + timedelta(days=1), ""
    )

    files = {
        (f"cus_{each.customer_id}", METERS[each.feature_id]): Decimal(each.used)
        for each in read.usage
        if each.used
    }
    assert files == billed.double.sums()
    assert len(files) > 4
