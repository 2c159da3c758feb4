"""A stand-in for the part of Stripe that exports call: it counts, refuses and fails as Stripe does.

For tests, and for `quotad dev --stripe-double`; it keeps everything in memory, and takes any key.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from quotad.export.double_fields import BadField, read_fields
from quotad.export.double_page import bills_page
from quotad.moments import written_time

DAY_S = 86_400
PAST_S, FUTURE_S = 35 * DAY_S, 300

EVENTS_MAX = 100_000
"""Most events that are kept; a demonstration has fewer."""

DoubledAnswer = tuple[int, Any]
"""Status and body."""


class DoubledEvent(msgspec.Struct):
    """An event as Stripe has it."""

    meter: str
    customer: str
    value: Decimal
    at_s: int
    received_s: float
    cancelled: bool = False


class DoubleRefuses(Exception):
    """What is answered with an error.

    Args:
        message: for people.
        code: for programs.
        status: of HTTP.
    """

    def __init__(self, message: str, code: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class StripeDouble:
    """What it knows.

    Args:
        meters: event names that there are, each time that it is called.
        now_s: Unix time (s), by its clock.
    """

    def __init__(
        self, meters: Callable[[], Collection[str]], now_s: Callable[[], float] = time.time
    ) -> None:
        self.meters = meters
        self.now_s = now_s
        self.events: dict[str, DoubledEvent] = {}
        """By identifier, as long as that is kept."""
        self.old: list[DoubledEvent] = []
        """Those whose identifier is not kept any more."""
        self.subscriptions: dict[str, Any] = {}
        """By id, as they are answered."""
        self.customers: set[str] | None = None
        """Ids that there are; None: any."""
        self.fault: Callable[[str, str], str] = lambda method, path: ""
        """Called with each request: how it fails. `before`: the connection ends; `after`: it ends
        when the request was carried out; `429`, `500`; `500 after`: it was carried out; `nonsense`:
        it is not, and something else is answered."""
        self.forgets_keys = False
        """Whether it does not know an idempotency key again."""
        self.requests = 0
        self.at_once_max = 0
        """Most events of one customer and meter that were sent at once."""
        self._at_once: dict[tuple[str, str], int] = {}
        self._answered: dict[str, tuple[float, DoubledAnswer]] = {}
        self._lock = threading.Lock()

    def sums(self) -> dict[tuple[str, str], Decimal]:
        """What customers are billed for, by customer and meter."""
        found: dict[tuple[str, str], Decimal] = {}
        with self._lock:
            for event in (*self.events.values(), *self.old):
                if not event.cancelled:
                    key = (event.customer, event.meter)
                    found[key] = found.get(key, Decimal(0)) + event.value
        return {key: value for key, value in found.items() if value}

    def bills(self) -> list[dict[str, Any]]:
        """What customers are billed for, for people."""
        latest: dict[tuple[str, str], list[DoubledEvent]] = {}
        for event in (*self.old, *self.events.values()):
            latest.setdefault((event.customer, event.meter), []).append(event)
        return [
            {
                "customer": customer,
                "meter": meter,
                "billed": _number(sum(e.value for e in events if not e.cancelled)),
                "events": len(events),
                "cancelled": sum(event.cancelled for event in events),
                "latest": written_time(round(events[-1].received_s) * 1000),
            }
            for (customer, meter), events in sorted(latest.items())
        ]

    def respond(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> DoubledAnswer | None:
        """DoubledAnswer a request, or fail; None: the connection ends without an answer."""
        fault = self.fault(method, urlsplit(target).path)
        if fault == "before":
            return None
        with self._counted(body) as alone:
            if fault in ("429", "500", "nonsense"):
                return (int(fault) if fault != "nonsense" else 200, _FAULTS[fault])
            if method == "POST" and not alone:
                return (429, _FAULTS["locked"])
            answer = self._answer(method, target, body, headers)
        if fault == "after":
            return None
        return (500, _FAULTS["500"]) if fault == "500 after" else answer

    def _answer(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> DoubledAnswer:
        """Carry a request out; one with a key that was answered is answered so again."""
        url = urlsplit(target)
        key = headers.get("idempotency-key", "")
        with self._lock:
            self.requests += 1
            now_s = self.now_s()
            self._forget(now_s)
            if key in self._answered:
                return self._answered[key][1]
            try:
                fields = read_fields(parse_qsl((body or url.query.encode()).decode()))
                found: DoubledAnswer = (200, self._carry_out(method, url.path, fields, now_s))
            except (DoubleRefuses, BadField) as error:
                status, code = getattr(error, "status", 400), getattr(error, "code", "")
                kind = "rate_limit_error" if status == 429 else "invalid_request_error"
                return status, {"error": {"type": kind, "code": code, "message": str(error)}}
            if key and not self.forgets_keys:
                self._answered[key] = (now_s, found)
            return found

    @contextmanager
    def _counted(self, fields: bytes) -> Iterator[bool]:
        """Whether no other event of the customer and meter is under way."""
        named = dict(parse_qsl(fields.decode(errors="replace")))
        key = (named.get("payload[stripe_customer_id]", ""), named.get("event_name", ""))
        with self._lock:
            self._at_once[key] = self._at_once.get(key, 0) + 1
            self.at_once_max = max(self.at_once_max, self._at_once[key])
            alone = self._at_once[key] == 1
        try:
            yield alone
        finally:
            with self._lock:
                self._at_once[key] -= 1

    def _forget(self, now_s: float) -> None:
        """Forget what Stripe does not keep for longer than a day."""
        for identifier, event in list(self.events.items()):
            if event.received_s < now_s - DAY_S or len(self.events) > EVENTS_MAX:
                self.old = [*self.old[-EVENTS_MAX:], self.events.pop(identifier)]
            else:
                break
        for key, (at_s, _) in list(self._answered.items()):
            if at_s >= now_s - DAY_S and len(self._answered) <= EVENTS_MAX:
                break
            del self._answered[key]

    def _carry_out(self, method: str, path: str, fields: dict[str, Any], now_s: float) -> Any:
        if (method, path) == ("POST", "/v1/billing/meter_events"):
            return self._take(fields, now_s)
        if (method, path) == ("POST", "/v1/billing/meter_event_adjustments"):
            return self._cancel(fields, now_s)
        if (method, path) == ("GET", "/v1/billing/meters"):
            meters = [
                {"id": f"mtr_{name}", "object": "billing.meter", "event_name": name}
                for name in sorted(set(self.meters()))
            ]
            return {"object": "list", "url": path, "has_more": False, "data": meters}
        if (method, path) == ("GET", "/"):
            return self.bills()
        start, _, rest = path.removeprefix("/v1/").partition("/")
        if method == "GET" and path.endswith("/event_summaries"):
            return self._summaries(path, fields)
        if method == "GET" and start == "subscriptions" and rest in self.subscriptions:
            return self.subscriptions[rest]
        raise DoubleRefuses(f"No such thing: {method} {path}", "resource_missing", 404)

    def _take(self, fields: dict[str, Any], now_s: float) -> Any:
        _only(fields, {"event_name", "identifier", "timestamp", "payload"})
        meter, identifier = str(fields.get("event_name", "")), str(fields.get("identifier", ""))
        payload = fields.get("payload")
        if not isinstance(payload, dict):
            raise DoubleRefuses("Missing required param: payload.", "parameter_missing")
        customer, at_s = str(payload.get("stripe_customer_id", "")), int(fields["timestamp"])
        if meter not in self.meters():
            raise DoubleRefuses(f"No active meter found for event name {meter}", "no_meter")
        if self.customers is not None and customer not in self.customers:
            raise DoubleRefuses(f"No such customer: '{customer}'", "resource_missing")
        try:
            value = Decimal(str(payload.get("value")))
        except InvalidOperation:
            raise DoubleRefuses("The value must be a number", "meter_event_invalid_value") from None
        if at_s > now_s + FUTURE_S:
            raise DoubleRefuses("The timestamp is too far in the future", "timestamp_in_future")
        if at_s < now_s - PAST_S:
            raise DoubleRefuses("The timestamp is too far in the past", "timestamp_too_far_in_past")
        if identifier in self.events:
            raise DoubleRefuses(
                f"An event already exists with identifier {identifier}.", "duplicate_meter_event"
            )
        self.events[identifier] = DoubledEvent(meter, customer, value, at_s, now_s)
        return {
            "object": "billing.meter_event",
            "created": int(now_s),
            "event_name": meter,
            "identifier": identifier,
            "livemode": False,
            "payload": payload,
            "timestamp": at_s,
        }

    def _cancel(self, fields: dict[str, Any], now_s: float) -> Any:
        _only(fields, {"event_name", "type", "cancel"})
        identifier = str(fields["cancel"]["identifier"])
        event = self.events.get(identifier)
        if event is None or event.received_s < now_s - DAY_S:
            raise DoubleRefuses(f"No event of the last 24 hours: {identifier}", "resource_missing")
        if event.cancelled:
            raise DoubleRefuses(f"Event {identifier} was cancelled before", "meter_event_cancelled")
        event.cancelled = True
        return {
            "object": "billing.meter_event_adjustment",
            "status": "pending",
            "event_name": event.meter,
            "type": "cancel",
            "cancel": {"identifier": identifier},
            "livemode": False,
        }

    def _summaries(self, path: str, fields: dict[str, Any]) -> Any:
        meter = path.split("/")[4].removeprefix("mtr_")
        start_s, end_s = int(fields["start_time"]), int(fields["end_time"])
        if start_s % 60 or end_s % 60:
            raise DoubleRefuses("Times must be aligned with minutes", "invalid_time")
        total = sum(
            event.value
            for event in (*self.events.values(), *self.old)
            if (event.meter, event.customer) == (meter, fields["customer"])
            and start_s <= event.at_s < end_s
            and not event.cancelled
        )
        summary = {
            "id": "mtrusg_1",
            "object": "billing.meter_event_summary",
            "aggregated_value": float(total),
            "start_time": start_s,
            "end_time": end_s,
        }
        data = [summary] if total else []
        return {"object": "list", "url": path, "has_more": False, "data": data}


def _number(value: Decimal | int) -> int | str:
    return int(value) if value == int(value) else f"{value:f}"


def _only(fields: Mapping[str, Any], known: set[str]) -> None:
    for name in fields.keys() - known:
        raise DoubleRefuses(f"Received unknown parameter: {name}", "parameter_unknown")


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    double: StripeDouble

    def do_GET(self) -> None:
        self._handle("GET", b"")

    def do_POST(self) -> None:
        self._handle("POST", self.rfile.read(int(self.headers.get("content-length", 0))))

    def _handle(self, method: str, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.double.respond(method, self.path, body, headers)
        if answer is None:
            self.close_connection = True
            return
        raw, kind = msgspec.json.encode(answer[1]), "application/json"
        if self.path == "/" and "text/html" in headers.get("accept", ""):
            raw, kind = bills_page(answer[1]), "text/html; charset=utf-8"
        self.send_response(answer[0])
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


_FAULTS: Mapping[str, Any] = {
    "429": {"error": {"type": "rate_limit_error", "code": "rate_limit", "message": "Too many"}},
    "locked": {"error": {"type": "rate_limit_error", "code": "lock_timeout", "message": "Busy"}},
    "500": {"error": {"type": "api_error", "message": "Something is wrong"}},
    "nonsense": {"object": "teapot", "colour": ["blue"]},
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


@contextmanager
def serving(double: StripeDouble, port: int = 0) -> Iterator[str]:
    """Serve a double on this machine; gives its URL.

    Raises:
        OSError: the port is taken.
    """
    handler = type("Handler", (_Handler,), {"double": double})
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
