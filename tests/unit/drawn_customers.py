"""Customers of one feature, drawn: a plan and whatever else may have a say."""

from fractions import Fraction
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from quotad.catalog.windows import length_ms
from quotad.entitlements.merge import decisive
from quotad.model import FeatureType, Limit
from tests.unit.effective import (
    DAY,
    FEATURES,
    NOW,
    Case,
    Source,
    Spec,
    addon,
    case,
    limits_of,
    promotion,
    subscription,
    trial,
)

PERS = ("/minute", "/day", "/month", "/month.s", "/month.f", "/2 days", "")

numbers = st.integers(0, 50).map(str)
limits = st.one_of(
    numbers,
    numbers,
    numbers.map(lambda number: number + "{} soft"),
    st.builds("{}{{}} soft+{}".format, numbers, st.integers(1, 20)),
    numbers.map(lambda number: number + "{} shadow"),
    st.just("unlimited"),
)


def rate(limit: Limit) -> Fraction:
    assert limit.limit is not None
    return Fraction(limit.limit, length_ms(limit.window))


def sane(spec: str) -> bool:
    """Whether no limit stands in the way of a longer one, which could then never be reached."""
    own = limits_of(spec)
    longest = decisive(own)
    return longest is None or all(
        rate(longest) <= rate(limit)
        for limit in own
        if limit.limit is not None and not limit.shadow
    )


@st.composite
def several(draw: st.DrawFn, pers: tuple[str, ...] = PERS) -> str:
    chosen = draw(st.lists(st.sampled_from(pers), min_size=1, max_size=3, unique=True))
    spec = ", ".join(_with_per(draw(limits), per) for per in chosen)
    assume(sane(spec))
    return spec


def _with_per(limit: str, per: str) -> str:
    return limit.format(per) if "{" in limit else limit + per


specs: dict[str, st.SearchStrategy[Spec]] = {
    "calls": several(),
    "images": st.one_of(st.just(True), several()),
    "seats": limits.map(lambda limit: _with_per(limit, "")),
    "export": st.just(True),
    "size": st.sampled_from(["10", "9.5", "1e1", "-3", "red", "blue"]),
    "support": st.sampled_from(["community", "email", "phone", "email phone", "community phone"]),
}


@st.composite
def amounts(draw: st.DrawFn, key: str, pers: tuple[str, ...] = ("minute", "month")) -> Source:
    """An add-on with an amount."""
    per = draw(st.sampled_from([None, *pers]))
    amount: dict[str, Any] = {key: draw(st.integers(1, 60)), "per": per}
    return addon(draw(st.integers(1, 3)), **amount)


@st.composite
def sources(draw: st.DrawFn, feature_id: str) -> Source:
    """Any source besides the plan, but an override."""
    spec = specs[feature_id]
    metered = FEATURES[feature_id].type is FeatureType.METERED
    kinds = ["subscription", "trial", "promotion", "addon"]
    kind = draw(st.sampled_from([*kinds, "amount"] if metered else kinds))
    if kind == "subscription":
        starts = draw(st.sampled_from([NOW - DAY, NOW, NOW + DAY]))
        ends = draw(st.sampled_from([None, NOW, NOW + 2 * DAY]))
        return subscription(draw(st.none() | spec), start_ms=starts, end_ms=ends)
    if kind == "trial":
        return trial(draw(spec), NOW + draw(st.integers(0, 3)) * DAY)
    if kind == "promotion":
        ends = draw(st.sampled_from([None, NOW - 1, NOW + DAY]))
        return promotion(draw(spec), ends, draw(st.sampled_from(["", "w1"])))
    if kind == "addon":
        return addon(gives="unlimited" if metered else draw(spec))
    pers = () if feature_id == "seats" else ("minute", "month", "month.s")
    return draw(amounts(draw(st.sampled_from(["add", "set"])), pers))


@st.composite
def customers(draw: st.DrawFn) -> Case:
    feature_id = draw(st.sampled_from(sorted(specs)))
    plan = draw(st.none() | specs[feature_id])
    return case(feature_id, plan, *draw(st.lists(sources(feature_id), max_size=4)))
