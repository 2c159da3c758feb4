"""Reservations of several features: held together, settled by what was used of each."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeAllDecision, ConsumeAllRequest, ConsumeRequest, Mode, Reason
from quotad.engine.reservations import GRACE_MS
from quotad.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    NotOpen,
)
from quotad.held import SettledDecision, UsedItem
from tests.integration.reserving import CATALOG, TTL_MS, Held, holding

SEVERAL = {"tokens": 200, "several": 75, "seats": 2, "images": 4, "budget": 6, "sso": 1}


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Held]:
    yield from holding(store_url, prefix)


def test_several_features_are_held_together_on_every_kind_of_limit(bench: Held) -> None:
    reserved = bench.reserve_all("r1", SEVERAL)

    assert reserved.decision.allowed
    assert [[200], [75, 75], [2], [4, 18], [18]] == [bench.used(name) for name in list(SEVERAL)[:5]]
    settled = bench.engine.reservations.commit(
        "acme", "r1", [UsedItem("tokens", quantity=150), UsedItem("images", quantity=1)]
    )
    assert isinstance(settled, SettledDecision)
    assert [-50, 0, 0, -3, 0, 0] == [item.granted for item in settled.items]
    assert tuple(SEVERAL) == tuple(item.feature_id for item in settled.held)
    assert [[150], [75, 75], [2], [1, 9], [9]] == [bench.used(name) for name in list(SEVERAL)[:5]]
    again = bench.engine.reservations.commit(
        "acme", "r1", [UsedItem("tokens", quantity=150), UsedItem("images", quantity=1)]
    )
    assert isinstance(again, SettledDecision)
    assert (True, settled.items) == (again.replayed, again.items)
    with pytest.raises(NotOpen):
        bench.commit_all("r1", {"tokens": 151, "images": 1})


def test_a_reservation_of_several_features_is_all_or_nothing(bench: Held) -> None:
    reserved = bench.reserve_all("r1", {"tokens": 200, "seats": 4})

    assert isinstance(reserved.decision, ConsumeAllDecision)
    assert (False, 1, 0) == (
        reserved.decision.allowed,
        reserved.decision.stopped_by,
        reserved.ends_ms,
    )
    assert ([0], [0]) == (bench.used(), bench.used("seats"))
    with pytest.raises(NotFound):
        bench.commit("r1")


def test_more_of_one_feature_and_less_of_another_is_settled_or_denied_as_one(bench: Held) -> None:
    bench.reserve_all("r1", {"tokens": 400, "seats": 2})
    bench.take(50)

    denied = bench.commit_all("r1", {"tokens": 460, "seats": 1})
    assert (False, 0) == (denied.allowed, denied.stopped_by)
    assert ([450], [2]) == (bench.used(), bench.used("seats"))
    settled = bench.commit_all("r1", {"tokens": 450, "seats": 1})
    assert [50, -1] == [item.granted for item in settled.items]
    assert ([500], [1]) == (bench.used(), bench.used("seats"))


def test_more_of_one_feature_needs_no_room_of_another(bench: Held) -> None:
    """Where a limit is passed by what was recorded, and nothing more is asked of it."""
    bench.reserve_all("r1", {"tokens": 100, "seats": 1})
    bench.engine.decide([ConsumeRequest("acme", "seats", 5, Mode.ADJUST_ONLY)])

    settled = bench.commit_all("r1", {"tokens": 150})

    assert (True, [50, 0]) == (settled.allowed, [item.granted for item in settled.items])
    assert ([150], [6]) == (bench.used(), bench.used("seats"))


@pytest.mark.parametrize("first", [0, 1], ids=["more first", "less first"])
def test_what_one_feature_gives_back_to_a_pool_another_one_may_take(
    bench: Held, first: int
) -> None:
    items = {"images": 4, "budget": 18}  # 12 and 18 of 30
    bench.reserve_all("r1", dict(sorted(items.items(), reverse=not first)))

    settled = bench.commit_all("r1", {"images": 9, "budget": 3})

    assert settled.allowed
    assert {5, -15} == {item.granted for item in settled.items}
    assert [[9, 30], [30]] == [bench.used("images"), bench.used("budget")]
    assert not bench.take(1, "budget").allowed
    assert bench.commit_all("r1", {"images": 9, "budget": 3}).replayed


def test_an_overrun_of_one_of_several_features_is_forced(bench: Held) -> None:
    bench.reserve_all("r1", {"tokens": 400, "images": 2})

    settled = bench.commit_all("r1", {"tokens": 510, "images": 11}, overrun=True)

    assert [Reason.OVER_LIMIT, Reason.OVER_LIMIT] == [item.reason for item in settled.items]
    assert ([510], [11, 33]) == (bench.used(), bench.used("images"))


def test_several_features_that_have_ended_come_back_before_a_denial(bench: Held) -> None:
    bench.reserve_all("r1", SEVERAL)
    bench.clock.now += TTL_MS + GRACE_MS

    assert bench.take(500).allowed
    assert [[0, 0], [0], [0, 0], [0]] == [bench.used(name) for name in list(SEVERAL)[1:5]]


def test_several_features_of_resources_come_back_whatever_the_catalog_has_become(
    bench: Held,
) -> None:
    bench.provision("acme", "free")
    bench.provision("acme", "free", resource_id="w")
    own, of_resource = bench.used("images"), ConsumeRequest("acme", "images", 3, resource_id="w")
    items = (ConsumeRequest("acme", "images", 2), of_resource)
    request = ConsumeAllRequest("acme", "", 0, items=items)
    assert bench.engine.reservations.reserve(request, "r1", TTL_MS).decision.allowed
    told = [bench.engine.entitlement("acme", "images", name)[1] for name in ("", "w")]
    assert [(0, 6), (0, 9)] == [(each.limits[1].used, each.limits[1].reserved) for each in told]
    bench.publish(CATALOG.replace("cost: 3", "cost: 2"))

    bench.engine.reservations.release("acme", "r1")

    assert own == bench.used("images")
    told = [bench.engine.entitlement("acme", "images", name)[1] for name in ("", "w")]
    assert [0, 0] == [each.limits[1].used for each in told]


def test_a_repeated_reserve_of_several_features_is_the_same_reservation(bench: Held) -> None:
    first, again = bench.reserve_all("r1", SEVERAL), bench.reserve_all("r1", SEVERAL)

    assert (first.ends_ms, True) == (again.ends_ms, again.decision.replayed)
    with pytest.raises(IdempotencyMismatch):
        bench.reserve_all("r1", SEVERAL | {"tokens": 201})
    with pytest.raises(IdempotencyMismatch):
        bench.reserve("r1", 200)
    bench.engine.reservations.release("acme", "r1")
    with pytest.raises(NotOpen):
        bench.reserve_all("r1", SEVERAL)


def test_a_commit_of_several_features_is_about_what_is_held(bench: Held) -> None:
    bench.reserve_all("r1", {"tokens": 1, "seats": 1})

    with pytest.raises(InvalidRequest, match="quantity: the reservation holds several features"):
        bench.commit("r1", 1)
    with pytest.raises(InvalidRequest, match=r"items\[1\].feature_id: the .* holds no 'soft'"):
        bench.commit_all("r1", {"tokens": 1, "soft": 1})
    with pytest.raises(InvalidRequest, match="holds no 'tokens' of 'w'"):
        bench.engine.reservations.commit("acme", "r1", [UsedItem("tokens", "w", 1)])
    assert bench.commit("r1").allowed
