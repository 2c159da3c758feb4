"""Requests about several features at once, from bytes to the model; see `decode`."""

from collections.abc import Sequence

from quotad.decision import (
    ITEMS_MAX,
    ConsumeAllRequest,
    ConsumeRequest,
    Mode,
    quantities_alone,
)
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import QUANTITY_MAX
from quotad.recent import Recent
from quotad.service.decode import MODES, VALUES_MAX, parse, ttl_ms
from quotad.v1 import quota_pb2 as pb

KNOWN_MAX = 32_768
"""Most requests that are remembered, as of plain ones; those with a key are not: they come once."""
OF_OTHERS_MAX = 4096
"""Most that are remembered without their customers."""
KNOWN_BYTES_MAX = 256
"""Longest of them on the wire: all together take 24 MB, where each is about three features."""

_known: Recent[bytes, ConsumeAllRequest] = Recent(KNOWN_MAX)

_of_others: Recent[bytes, ConsumeAllRequest] = Recent(OF_OTHERS_MAX)
"""A request by its bytes after the customer: the same features are asked of most customers."""


def known_all() -> dict[bytes, ConsumeAllRequest]:
    """Return most of what is remembered, by its bytes, for callers whose every nanosecond counts:
    they ask `read_all` for what is not in here."""
    return _known.young


def read_all(payload: bytes) -> ConsumeAllRequest:
    """Read, check and translate a CheckAndConsumeAllRequest.

    Raises:
        InvalidRequest: names the field.
    """
    request = _known.get(payload)
    if request is None:
        request = _as_another(payload)
        if request is None:
            request = _read(payload)
            _remember(payload, request)
        if len(payload) <= KNOWN_BYTES_MAX and not request.idempotency_key:
            _known.put(payload, request)
    return request


def _as_another(payload: bytes) -> ConsumeAllRequest | None:
    """What differs from a known request by its customer alone; None: nothing is known."""
    end = _customer_end(payload)
    known = _of_others.get(payload[end:]) if end else None
    if known is None:
        return None
    try:
        customer_id = payload[2:end].decode()
    except UnicodeDecodeError:
        return None
    check_id(customer_id, "customer_id")
    mode = known.mode
    items = [ConsumeRequest(customer_id, one.feature_id, one.quantity, mode) for one in known.items]
    return ConsumeAllRequest(
        customer_id, "", 0, mode, items=tuple(items), amounts=known.amounts, features=known.features
    )


def _remember(payload: bytes, request: ConsumeAllRequest) -> None:
    """Keep what the same question about another customer is known by."""
    end = _customer_end(payload)
    plain = request.amounts and not request.idempotency_key
    if not plain or not end or len(payload) - end > KNOWN_BYTES_MAX:
        return
    rest = payload[end:]
    # A field may be written twice, and the last one counts.
    if not parse(pb.CheckAndConsumeAllRequest, rest).customer_id:
        _of_others.put(rest, request)


def _customer_end(payload: bytes) -> int:
    """Where the customer's id ends that a message starts with; 0: it starts otherwise."""
    if len(payload) < 2 or payload[0] != 0x0A or payload[1] > 127:
        return 0
    return 2 + payload[1]


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
    amounts, features = quantities_alone(items)
    return ConsumeAllRequest(
        message.customer_id,
        "",
        0,
        mode,
        key,
        ttl_ms(message) if key and message.HasField("idempotency_ttl") else 0,
        explain=message.explain,
        items=items,
        amounts=amounts,
        features=features,
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
