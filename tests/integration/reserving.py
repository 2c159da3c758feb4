"""What tests of reservations share: a catalog, and short words for what they do."""

from collections.abc import Iterator

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine.reservations import Reserved
from quotad.held import SettledDecision, UsedItem
from tests.deciding import Bench

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
  several: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      tokens: {limit: 500, per: day}
      several: {limits: [{limit: 400, per: day}, {limit: 500, per: month}]}
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      images: unlimited
      budget: {limit: 30, per: month}
      sso: true
"""
TTL_MS = 60_000


class Held(Bench):
    """An engine whose store's clock is that of the engine, so that what ends, ends in both."""

    def reserve(
        self, hold_id: str, quantity: int = 75, feature_id: str = "tokens", **fields: str
    ) -> Reserved:
        request = ConsumeRequest("acme", feature_id, quantity, **fields)  # type: ignore[arg-type]
        return self.engine.reservations.reserve(request, hold_id, TTL_MS)

    def commit(self, hold_id: str, quantity: int | None = None, overrun: bool = False) -> Decision:
        return self.engine.reservations.commit("acme", hold_id, quantity, overrun)

    def reserve_all(self, hold_id: str, items: dict[str, int]) -> Reserved:
        asked = tuple(ConsumeRequest("acme", *each) for each in items.items())
        request = ConsumeAllRequest("acme", "", 0, items=asked)
        return self.engine.reservations.reserve(request, hold_id, TTL_MS)

    def commit_all(
        self, hold_id: str, used: dict[str, int], overrun: bool = False
    ) -> SettledDecision:
        items = [UsedItem(name, quantity=quantity) for name, quantity in used.items()]
        answer = self.engine.reservations.commit("acme", hold_id, items, overrun)
        assert isinstance(answer, SettledDecision)
        return answer

    def used(self, feature_id: str = "tokens") -> list[int]:
        """What counters hold now; nothing is taken back for it."""
        request = ConsumeRequest("acme", feature_id, mode=Mode.CHECK_ONLY, every_limit=True)
        (answer,) = self.engine._decide_as_held([request])
        assert isinstance(answer, Decision)
        return [limit.used for limit in answer.limits]

    def take(self, quantity: int, feature_id: str = "tokens") -> Decision:
        (answer,) = self.engine.decide([ConsumeRequest("acme", feature_id, quantity)])
        assert isinstance(answer, Decision)
        return answer


def holding(store_url: str, prefix: str) -> Iterator[Held]:
    """An engine on the store, with the catalog in force."""
    made = Held(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()
