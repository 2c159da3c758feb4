"""An engine on a real Valkey, and short words for slots."""

from quotad.decision import ConsumeRequest
from quotad.slots import SLOT, Acquired, AcquireRequest
from quotad.store.keys import slot_names
from tests.deciding import Bench
from tests.raw import raw

TTL_MS = 60_000


def slot(
    slot_id: str,
    quantity: int = 1,
    feature_id: str = "exports",
    *,
    customer_id: str = "acme",
    resource_id: str = "",
    also: dict[str, int] | None = None,
    ttl_ms: int = TTL_MS,
) -> AcquireRequest:
    """A request for a slot."""
    items = [ConsumeRequest(customer_id, feature_id, quantity, resource_id=resource_id)]
    items += [ConsumeRequest(customer_id, name, much) for name, much in (also or {}).items()]
    key = SLOT + slot_id
    return AcquireRequest(
        customer_id, "", 0, idempotency_key=key, items=tuple(items), ttl_ms=ttl_ms
    )


class Slotted(Bench):
    """Its engine's time is the store's, by which slots end."""

    def __init__(self, url: str, prefix: str, catalog: str) -> None:
        super().__init__(url, prefix)
        self.clock.now = self.store.time_ms()
        self.publish(catalog)

    def acquire(
        self, slot_id: str, quantity: int = 1, feature_id: str = "exports", **fields: object
    ) -> Acquired:
        return self.engine.slots.acquire(slot(slot_id, quantity, feature_id, **fields))  # type: ignore[arg-type]

    def names(self, feature_id: str = "exports", resource_id: str = "") -> tuple[str, str]:
        """The keys of the slots of a feature."""
        return slot_names(self.keys.customer("acme", resource_id), feature_id)

    def age(self, ms: int = TTL_MS, feature_id: str = "exports") -> None:
        """Let time pass for the slots of a feature, as slots end by the store's own clock."""
        ends, _ = self.names(feature_id)
        for slot_id in raw(self.store).zrange(ends, 0, -1):
            raw(self.store).zincrby(ends, -ms, slot_id)

    def held(self, feature_id: str = "exports") -> dict[str, int]:
        """What is held, by slot."""
        return {one.slot_id: one.quantity for one in self.engine.slots.list("acme", feature_id)}

    def free(self, feature_id: str = "exports") -> int:
        return self.check("acme", feature_id).remaining
