"""A store of an earlier release, some of whose shards move."""

from contextlib import suppress

from quotad.clock import SyncedClock
from quotad.records import CustomerRecord, Subscription
from quotad.store import Catalogs, Customers, KeySpace, Store, check_layout
from quotad.store.customers import Rewrite
from quotad.store.keys import NUMBERED
from quotad.store.resharding import MovedShard, Resharder
from tests.raw import raw

FORMER, SHARDS = 12, 4
CUSTOMERS = [f"c{number}" for number in range(48)]


class Moving:
    """A store of an earlier release, with customers."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store = store
        self.keys = KeySpace(prefix)
        self.keys.lay_out(FORMER, NUMBERED)
        raw(store).hset(self.keys.meta, mapping={"layout": 1, "shards": FORMER})
        self.customers = Customers(store, self.keys)
        self.customers.write_many([(name, record(name)) for name in CUSTOMERS])
        self.catalogs = Catalogs(store, self.keys, SyncedClock(), 0)
        self.catalogs.publish(b"{}", "abc")

    def resharder(self) -> Resharder:
        """As another process has it."""
        keys = KeySpace(self.keys.prefix)
        check_layout(self.store, keys)
        return Resharder(self.store, keys)

    def move(self, shards: int = FORMER) -> list[MovedShard]:
        """Move some shards, and stop."""
        moved: list[MovedShard] = []

        def add(each: MovedShard) -> None:
            moved.append(each)
            if len(moved) == shards < FORMER:
                raise InterruptedError

        with suppress(InterruptedError):
            self.resharder().run(SHARDS, add)
        return moved

    def known(self) -> KeySpace:
        """The keys as a process that starts now spells them."""
        keys = KeySpace(self.keys.prefix)
        check_layout(self.store, keys)
        return keys

    def tags(self) -> dict[str, str]:
        return {
            name.decode(): raw(self.store).get(name).decode()
            for name in raw(self.store).keys(f"{self.keys.prefix}:*:catalog")
        }


def record(name: str) -> Rewrite:
    """What makes the record of a customer."""
    return lambda _: CustomerRecord(name, (Subscription("pro", 1),))


def listed(customers: Customers, size: int = 7) -> list[str]:
    """Every customer, page by page."""
    names: list[str] = []
    token = ""
    while True:
        page = customers.list_page(token, size)
        names += [each.record.customer_id for each in page.customers if each.record is not None]
        token = page.next_token
        if not token:
            return names
