"""Customers of Stigg as rows of an import, read from its REST API.

Paths and shapes are those of Stigg's published REST client (Apache-2.0). Plans and features keep
their ids, so the catalog must have the same ones.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

TIMEOUT_S = 30.0
PAGE = 100
_ENDED = ("CANCELED", "EXPIRED")

_Shape = Mapping[str, Any]


class StiggError(Exception):
    """The API did not answer as it should; the message has what and where."""


class StiggUsage(msgspec.Struct, frozen=True):
    """What a customer has used of a feature in the period under way."""

    customer_id: str
    feature_id: str
    used: int


class StiggSource:
    """Reads one environment of Stigg.

    Args:
        url: of its API, without a path.
        key: a server API key.

    Raises:
        StiggError: the URL is none.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise StiggError(f"{url}: must be as https://api.stigg.io, without a path")
        self._url = url.rstrip("/")
        self._key = key

    def rows(self) -> Iterator[tuple[dict[str, Any], list[StiggUsage]]]:
        """Every customer as a row, with what it has used.

        Raises:
            StiggError: a request failed.
        """
        for customer in self._pages("/customers"):
            customer_id = str(customer["id"])
            path = f"/customers/{quote(customer_id, safe='')}"
            subscriptions = list(self._pages("/subscriptions", customerId=customer_id))
            promotions = self._pages(f"{path}/promotional-entitlements")
            row = row_of(customer, subscriptions, list(promotions))
            answer = self._get(f"{path}/entitlements").get("data") or {}
            yield row, usage_of(customer_id, answer.get("entitlements") or ())

    def _pages(self, path: str, **query: str) -> Iterator[_Shape]:
        after: str | None = None
        while True:
            wanted = query | {"limit": str(PAGE)} | ({"after": after} if after else {})
            answer = self._get(f"{path}?{urlencode(wanted)}")
            yield from answer.get("data") or ()
            before, after = after, (answer.get("pagination") or {}).get("next")
            if not after or after == before:
                return

    def _get(self, path: str) -> _Shape:
        request = urllib.request.Request(
            f"{self._url}/api/v1{path}", headers={"X-API-KEY": self._key}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                read = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise StiggError(f"{path}: answered {error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise StiggError(f"{path}: {reason}") from None
        if not isinstance(read, dict):
            raise StiggError(f"{path}: the answer is no object")
        return read


def row_of(
    customer: _Shape, subscriptions: "list[_Shape]", promotions: "list[_Shape]"
) -> dict[str, Any]:
    """A customer as a row of an import; what has ended is left out."""
    row: dict[str, Any] = {"customer_id": customer["id"]}
    for name in ("name", "email"):
        if customer.get(name):
            row[name] = customer[name]
    metadata = {key: _text(value) for key, value in (customer.get("metadata") or {}).items()}
    if metadata:
        row["metadata"] = metadata
    if customer.get("archivedAt"):
        row["archived"] = True
    row["subscriptions"] = [
        _subscription(each) for each in subscriptions if each.get("status") not in _ENDED
    ]
    granted = [_promotion(each) for each in promotions if each.get("status") in ("Active", None)]
    if granted:
        row["promotions"] = granted
    return row


def usage_of(customer_id: str, entitlements: "list[_Shape] | tuple[()]") -> list[StiggUsage]:
    """What a customer has used, of the features that count; fractions are rounded up."""
    found = []
    for each in entitlements:
        feature, used = each.get("feature") or {}, each.get("currentUsage")
        metered = str(feature.get("meterType") or "None").lower() != "none"
        if metered and used:
            found.append(StiggUsage(customer_id, feature["id"], -int(-used // 1)))
    return found


def _subscription(shape: _Shape) -> dict[str, Any]:
    trial = shape.get("status") == "IN_TRIAL"
    wanted = {
        "plan": shape["planId"],
        "start": shape.get("startDate"),
        "end": shape.get("trialEndDate") if trial else shape.get("effectiveEndDate"),
        "resource": shape.get("resourceId"),
        "unit_quantity": shape.get("unitQuantity"),
        "addons": {each["id"]: each.get("quantity", 1) for each in shape.get("addons") or ()},
        "external_ids": {"stigg": shape["id"]} if shape.get("id") else None,
        "trial": trial or None,
    }
    return {name: value for name, value in wanted.items() if value}


def _promotion(shape: _Shape) -> dict[str, Any]:
    entitlement: object = True
    if shape.get("hasUnlimitedUsage"):
        entitlement = "unlimited"
    elif shape.get("usageLimit") is not None:
        limit = {"limit": int(shape["usageLimit"])}
        reset = shape.get("resetPeriod")
        entitlement = limit | ({"per": str(reset).lower()} if reset else {})
    elif values := shape.get("enumValues"):
        entitlement = values if len(values) > 1 else values[0]
    wanted = {
        "feature": shape["featureId"],
        "entitlement": entitlement,
        "start": shape.get("startDate"),
        "end": shape.get("endDate"),
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
