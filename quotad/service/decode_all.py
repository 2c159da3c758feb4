"""Requests about several features at once, from bytes to the model; see `decode`."""

from collections.abc import Sequence

from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import ITEMS_MAX, QUANTITY_MAX, ConsumeAllRequest, ConsumeRequest, Mode
from quotad.recent import Recent
from quotad.service.decode import MODES, VALUES_MAX, parse, ttl_ms
from quotad.v1 import quota_pb2 as pb

KNOWN_MAX = 4096
"""Most requests that are remembered; those with a key are not, as they come once."""
KNOWN_BYTES_MAX = 256
"""Longest of them on the wire: all together take a few MB."""

_known: Recent[bytes, ConsumeAllRequest] = Recent(KNOWN_MAX)


def read_all(payload: bytes) -> ConsumeAllRequest:
    """Read, check and translate a CheckAndConsumeAllRequest.

    Raises:
        InvalidRequest: names the field.
    """
    request = _known.get(payload)
    if request is None:
        request = _read(payload)
        if len(payload) <= KNOWN_BYTES_MAX and not request.idempotency_key:
            _known.put(payload, request)
    return request


def _read(payload: bytes) -> ConsumeAllRequest:
    message = parse(pb.CheckAndConsumeAllRequest, payload)
    check_id(message.customer_id, "customer_id")
    mode = MODES.get(message.mode)
    if mode not in (Mode.NORMAL, Mode.CHECK_ONLY):
        raise InvalidRequest("mode: must be MODE_NORMAL or MODE_CHECK_ONLY for several features")
    key = message.idempotency_key
    if key:
        check_id(key, "idempotency_key")
    items = read_items(message.customer_id, message.items, int(mode), message.explain)
    return ConsumeAllRequest(
        message.customer_id,
        "",
        0,
        mode,
        key,
        ttl_ms(message) if key and message.HasField("idempotency_ttl") else 0,
        explain=message.explain,
        items=items,
    )


def read_items(
    customer_id: str,
    items: Sequence[pb.ConsumeItem],
    mode: int,
    explain: bool = False,
    name: str = "items",
) -> tuple[ConsumeRequest, ...]:
    """Check and translate the features of one request.

    Raises:
        InvalidRequest: names the field.
    """
    count = len(items)
    if name == "items" and not 1 <= count <= ITEMS_MAX:
        raise InvalidRequest(f"items: {count} of them; must be 1 to {ITEMS_MAX}")
    read = tuple(
        [
            _item(customer_id, item, f"{name}[{place}]", (mode, explain))
            for place, item in enumerate(items)
        ]
    )
    names = [(item.feature_id, item.resource_id) for item in read]
    check_unique(names, "add up their quantities", name)
    return read


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


def _item(
    customer_id: str, item: pb.ConsumeItem, field: str, how: tuple[int, bool]
) -> ConsumeRequest:
    mode, explain = how
    check_id(item.feature_id, f"{field}.feature_id")
    if item.resource_id:
        check_id(item.resource_id, f"{field}.resource_id")
    quantity = item.quantity if item.HasField("quantity") else 1
    if not -QUANTITY_MAX <= quantity <= QUANTITY_MAX:
        raise InvalidRequest(
            f"{field}.quantity: {quantity} is not between -{QUANTITY_MAX} and {QUANTITY_MAX}"
        )
    values = tuple(item.requested_values)
    if len(values) > VALUES_MAX:
        raise InvalidRequest(
            f"{field}.requested_values: {len(values)} of them; at most {VALUES_MAX}"
        )
    for i, value in enumerate(values):
        check_id(value, f"{field}.requested_values[{i}]")
    return ConsumeRequest(
        customer_id,
        item.feature_id,
        quantity,
        mode,
        resource_id=item.resource_id,
        requested_values=values,
        explain=explain,
        every_limit=explain,
    )
