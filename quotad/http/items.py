"""Several features of one request: how they are written, and what is checked of them."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from quotad.decision import ITEMS_MAX, ConsumeRequest
from quotad.errors import InvalidRequest
from quotad.http.fields import RequestedValues, SignedQuantity, check_ids, check_values
from quotad.http.operation import RequestFields


class ConsumeItem(RequestFields, frozen=True, kw_only=True):
    """What is asked of one feature."""

    feature_id: str
    quantity: SignedQuantity = 1
    resource_id: str = ""
    requested_values: RequestedValues = ()


ConsumeItems = Annotated[tuple[ConsumeItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


def read_items(
    customer_id: str,
    wanted: Sequence[ConsumeItem],
    mode: int,
    explain: bool = False,
    field: str = "items",
) -> tuple[ConsumeRequest, ...]:
    """Check and translate the features of one request.

    Raises:
        InvalidRequest: names the field.
    """
    items: list[ConsumeRequest] = []
    for place, item in enumerate(wanted):
        check_item(item, place, field)
        items.append(
            ConsumeRequest(
                customer_id,
                item.feature_id,
                item.quantity,
                mode,
                every_limit=True,
                resource_id=item.resource_id,
                requested_values=item.requested_values,
                explain=explain,
            )
        )
    names = [(each.feature_id, each.resource_id) for each in items]
    check_unique(names, "add up their quantities", field)
    return tuple(items)


def check_item(item: RequestFields, place: int, field: str = "items") -> None:
    """Check the ids of one item.

    Raises:
        InvalidRequest: names the field.
    """
    try:
        check_ids(item, ("feature_id",), ("resource_id",))
        check_values(getattr(item, "requested_values", ()))
    except InvalidRequest as error:
        raise InvalidRequest(f"{field}[{place}].{error}") from None


def check_unique(names: Sequence[tuple[str, str]], instead: str, field: str = "items") -> None:
    """Check that no feature is twice among items, for one resource.

    Raises:
        InvalidRequest: names the field, and what to do instead.
    """
    seen: dict[tuple[str, str], int] = {}
    for place, name in enumerate(names):
        first = seen.setdefault(name, place)
        if first != place:
            raise InvalidRequest(
                f"{field}[{place}].feature_id: {name[0]!r} is in {field}[{first}] already;"
                f" {instead}"
            )
