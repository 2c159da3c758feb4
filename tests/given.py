"""An engine and lists of a store that are not there, for tests of what stands before them."""

from collections.abc import Iterable, Sequence

from quotad.decision import ConsumeRequest, Decision
from quotad.engine import Granted
from quotad.engine.leases import Leases
from quotad.engine.reservations import Reservations
from quotad.engine.shared import Acting
from quotad.engine.slots import Slots
from quotad.engine.times import BatchTimes
from quotad.errors import QuotadError
from quotad.held import Correction, Setting
from quotad.ledger import Taker, Takers
from quotad.model import Feature
from quotad.prices import OveragePrice
from quotad.store.nearby import Nearby


class Given:
    """Has its decisions already."""

    def __init__(self, *decisions: Decision | QuotadError) -> None:
        self._decisions = list(decisions)
        self.times = BatchTimes()
        self.acting = Acting()
        self.takers: list[Taker] = []
        """Whose doing the requests were."""

    def decide(
        self, requests: Sequence[ConsumeRequest], takers: Takers
    ) -> list[Decision | QuotadError]:
        self.takers += [takers.at(place) for place in range(len(requests))]
        return [self._decisions.pop(0) for _ in requests]

    @property
    def reservations(self) -> Reservations:
        raise AssertionError("no test of these asks for reservations")

    @property
    def leases(self) -> Leases:
        raise AssertionError("no test of these asks for leases")

    @property
    def slots(self) -> Slots:
        raise AssertionError("no test of these asks for slots")

    def set_usage(self, setting: Setting) -> Decision:
        raise AssertionError("no test of these sets usage")

    def note_correction(self, customer_id: str, correction: Correction) -> None:
        raise AssertionError("no test of these corrects usage")

    def undo(self, request: ConsumeRequest, key: str) -> Decision | QuotadError:
        return self._decisions.pop(0)

    def entitlement(self, *_: str) -> tuple[Feature | None, Decision]:
        answer = self._decisions.pop(0)
        if isinstance(answer, QuotadError):
            raise answer
        return None, answer

    def entitlements(self, *_: str) -> Granted:
        raise AssertionError("an id of the wrong shape has come through")

    def overage_price(self, *_: str) -> OveragePrice | None:
        return None

    def close(self) -> None:
        pass


class NoLists:
    """Keeps what it is to note."""

    def __init__(self) -> None:
        self.noted: list[Nearby] = []

    def note(self, found: Iterable[Nearby], now_ms: int) -> None:
        self.noted += found
