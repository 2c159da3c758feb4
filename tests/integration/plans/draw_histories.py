"""Random histories of customers.

All of it is plain data, so that a history can be played again, also without some of its steps.
"""

import copy
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta

from tests.deciding import at
from tests.integration.plans.draw_catalogs import FEATURES, METERED, PLANS, blocks
from tests.integration.plans.periods import EPOCH

STARTS = (
    "2031-01-31 10:00:00",
    "2032-02-28 23:59:30",
    "2032-02-29 08:00:00",
    "2031-03-29 23:30:00",  # a day before the clocks change in Berlin
    "2031-10-25 22:00:00",
    "2031-03-09 05:30:00",  # shortly before they do in New York
    "2031-03-07 07:30:00",  # two days before, at a time of day that they will skip
    "2031-11-02 04:00:00",
    "2031-12-31 21:00:00",
    "2031-06-15 12:00:00",
)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WAITS = (1000, MINUTE, HOUR, 5 * HOUR, 13 * HOUR, DAY, 3 * DAY, 10 * DAY, 31 * DAY)
SUBSCRIPTIONS = (*(("", ""),) * 5, *(("", "extra"),) * 2, *(("ws", ""),) * 2, ("ws", "extra"))


class Step(NamedTuple):
    """What one customer does at one moment."""

    requests: list[dict[str, Any]]
    """Decided in one batch, with those of all others."""
    change: tuple[str, dict[str, Any]] | None = None
    """What is written after that."""
    look: str | None = None
    """Of which resource all entitlements are looked at in the end."""


def moments(rng: random.Random, count: int) -> list[int]:
    """When something happens, growing, in Unix milliseconds; often twice at the same time."""
    found = [at(rng.choice(STARTS))]
    while len(found) < count:
        now, draw = found[-1], rng.random()
        if draw < 0.3:
            found.append(now)
        elif draw < 0.6:
            found.append(now + rng.choice(WAITS))
        elif draw < 0.85:  # where what began at some moment ends, or just before
            unit = rng.choice(
                ({"months": 1}, {"months": 1}, {"days": 7}, {"days": 10}, {"hours": 5})
            )
            passed, index = rng.choice(found), 1
            while _later(passed, unit, index) <= now:
                index += 1
            found.append(max(now, _later(passed, unit, index) - rng.choice((0, 0, 1))))
        else:
            midnight = now // DAY * DAY + DAY - rng.choice((0, 1, 5)) * HOUR
            found.append(max(now, midnight - rng.choice((0, 1))))
    return found


def _later(at_ms: int, unit: dict[str, int], index: int) -> int:
    length: dict[str, Any] = {name: count * index for name, count in unit.items()}
    later = EPOCH + timedelta(milliseconds=at_ms) + relativedelta(**length)
    return (later - EPOCH) // timedelta(milliseconds=1)


class _Past:
    """What was drawn for a customer so far, so that the rest has to do with it."""

    def __init__(self, rng: random.Random) -> None:
        self.named: list[tuple[str, str]] = []
        """Resource and id of subscriptions that there may be."""
        self.promised: list[tuple[str, str, str]] = []
        """Override or promotion, feature, resource."""
        self.provisioned: dict[tuple[str, str], dict[str, Any]] = {}
        """How subscriptions were provisioned last."""
        self.favourites = (*rng.sample(METERED, 2), "support")
        """Features that it uses most, so that limits are reached."""
        self.keyed: list[dict[str, Any]] = []
        """Requests under idempotency keys."""


def history(rng: random.Random, times: Sequence[int]) -> list[Step]:
    """What one customer does at each of the moments."""
    steps = []
    past = _Past(rng)
    unprovisioned = rng.random() < 0.05
    for index, now_ms in enumerate(times):
        step = Step([])
        if rng.random() < 0.65:
            step = step._replace(requests=_requests(rng, past))
        if rng.random() < (0.45 if index else 0.8) and not unprovisioned:
            later = [moment for moment in times[index:] if moment > now_ms]
            step = step._replace(change=_change(rng, past, now_ms, later or [now_ms + DAY]))
        if rng.random() < 0.03 or index == len(times) - 1:
            step = step._replace(look=rng.choice(past.named or [("", "")])[0])
        steps.append(step)
    return steps


def _requests(rng: random.Random, past: _Past) -> list[dict[str, Any]]:
    """A batch: in order per customer and resource, so that its keys are all of one resource."""
    requests = [_request(rng, past) for _ in range(rng.choice((1, 1, 2, 4)))]
    keyed = [asked for asked in requests if asked["idempotency_key"]]
    for asked in keyed[1:]:
        asked["resource_id"] = keyed[0]["resource_id"]
    return requests


def _request(rng: random.Random, past: _Past) -> dict[str, Any]:
    if past.keyed and rng.random() < 0.06:
        return dict(rng.choice(past.keyed))
    asked = _new_request(rng, past)
    if asked["idempotency_key"]:
        past.keyed.append(asked)
    return asked


def _new_request(rng: random.Random, past: _Past) -> dict[str, Any]:
    feature_id = rng.choice(past.favourites if rng.random() < 0.5 else tuple(FEATURES))
    quantity = rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 9))
    resources = {resource_id for resource_id, _ in past.named}
    resource_id = rng.choice(sorted(resources) or [""])
    if rng.random() < 0.04:
        resource_id = rng.choice(("", "ws", "other"))
    if feature_id == "credits":
        quantity *= rng.choice((1, 10))
    if (feature_id == "seats" and rng.random() < 0.4) or rng.random() < 0.02:
        quantity = -quantity
    values: tuple[str, ...] = ()
    if feature_id == "support" and rng.random() < 0.6:
        values = tuple(rng.sample(("community", "email", "phone", "fax"), rng.choice((1, 1, 2))))
    elif rng.random() < 0.02:
        values = ("email",)
    explain = rng.random() < 0.1
    return {
        "feature_id": feature_id if rng.random() > 0.02 else "no-such",
        "quantity": quantity,
        "check_only": rng.random() < 0.15,
        "idempotency_key": f"k{rng.randrange(6)}" if rng.random() < 0.12 else "",
        "resource_id": resource_id,
        "requested_values": values,
        "every_limit": explain or rng.random() < 0.2,
        "explain": explain,
    }


def look_at(feature_id: str, resource_id: str) -> dict[str, Any]:
    """What the entitlements of a customer ask of every feature."""
    return {
        "feature_id": feature_id,
        "quantity": 1,
        "check_only": True,
        "idempotency_key": "",
        "resource_id": resource_id,
        "requested_values": (),
        "every_limit": True,
        "explain": False,
    }


def _change(
    rng: random.Random, past: _Past, now_ms: int, later: Sequence[int]
) -> tuple[str, dict[str, Any]]:
    what = rng.choice(CHANGES) if past.named or rng.random() < 0.1 else "provision"
    if what == "archive":
        return what, {}
    if what == "take back":
        known = past.promised if rng.random() < 0.9 else []
        promised = rng.choice(known or [("override", "calls", "")])
        return what, dict(zip(("what", "feature_id", "resource_id"), promised, strict=True))
    known_names = past.named if what != "provision" and rng.random() < 0.9 else []
    named = rng.choice(known_names or SUBSCRIPTIONS) if past.named else ("", "")
    said: dict[str, Any] = dict(zip(("resource_id", "subscription_id"), named, strict=True))
    if what == "provision":
        if named not in past.provisioned or rng.random() < 0.7:
            past.provisioned[named] = _provision(rng, now_ms, later)
        elif rng.random() < 0.5:  # the same again, but for the anchor
            past.provisioned[named] = past.provisioned[named] | {"anchor_ms": None}
        past.named.append(named)
        return what, said | past.provisioned[named]
    if what == "cancel":
        return what, said | {"at_period_end": rng.random() < 0.6}
    if what == "change":
        plan_id = rng.choice((*PLANS, ""))
        addons = _addons(rng) if not plan_id or rng.random() < 0.4 else None
        said |= {"plan_id": plan_id, "addons": addons, "latest_revision": rng.random() < 0.3}
        return what, said | {"at_period_end": rng.random() < 0.5}
    return what, _promise(rng, past, what, now_ms, later) | {"resource_id": named[0]}


def _promise(
    rng: random.Random, past: _Past, what: str, now_ms: int, later: Sequence[int]
) -> dict[str, Any]:
    feature_id = rng.choice(past.favourites if rng.random() < 0.5 else tuple(FEATURES))
    value = copy.deepcopy(rng.choice(blocks(feature_id)))
    if feature_id in ("calls", "tokens", "credits", "chat") and rng.random() < 0.4:
        # In the window that is there.
        value = rng.choice(({"limit": 2}, {"limit": 15}, "unlimited"))
    said = {"feature_id": feature_id, "value": value}
    past.promised.append((what.replace("promote", "promotion"), feature_id, ""))
    if what == "promote":
        return said | {"end_ms": rng.choice((None, None, now_ms + 20 * DAY, now_ms, *later[:3]))}
    return said | ({"value": False} if rng.random() < 0.2 else {})


CHANGES = (
    *("provision",) * 8,
    *("change",) * 9,
    *("override",) * 7,
    *("promote",) * 7,
    *("take back", "take back", "cancel", "cancel", "archive"),
)


def _addons(rng: random.Random) -> dict[str, int]:
    names = rng.sample(("more", "big", "perk"), rng.choice((0, 1, 1, 2)))
    return {name: rng.choice((1, 1, 1, 2, 2, 2, 3)) for name in names}


def _provision(rng: random.Random, now_ms: int, later: Sequence[int]) -> dict[str, Any]:
    start_ms = rng.choice((None,) * 6 + (now_ms - 3 * DAY, *later[:2]))
    end_ms = rng.choice((None,) * 6 + (now_ms + 40 * DAY, *later[-2:]))
    trial = None
    if rng.random() < 0.35:
        trial_end_ms = rng.choice((now_ms + 3 * DAY, *later[:3]))
        trial = {"end_ms": trial_end_ms, "ends": rng.random() < 0.3, "plan_id": ""}
        if trial["ends"]:
            end_ms = None
        elif rng.random() < 0.6:
            trial["plan_id"] = rng.choice(PLANS)
    return {
        "plan_id": rng.choice(PLANS),
        "start_ms": start_ms,
        "end_ms": end_ms,
        "anchor_ms": rng.choice((None, None, None, now_ms - 9 * DAY, now_ms + 5 * DAY)),
        "addons": _addons(rng) if rng.random() < 0.4 else {},
        "trial": trial,
    }
