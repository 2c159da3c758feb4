"""Changes as server-sent events."""

from quotad.client.admin import AdminClient
from tests.http.events import EventStream
from tests.http.serving import HttpRunning


def test_a_listener_is_told_of_writes_on_another_server(served: HttpRunning, customer: str) -> None:
    with (
        AdminClient(served.grpc.server.address, timeout=20) as admin,
        EventStream(served.address, customer_id=customer) as events,
    ):
        first = events.next()
        written = admin.provision(customer, "free")
        told = events.next()

    assert "REFETCH" == first.type
    assert "CUSTOMER_CHANGED" == told.type
    assert (customer, written.epoch) == (told.data["customer_id"], told.data["epoch"])


def test_usage_counted_on_another_server_is_told_to_who_watches_it(
    served: HttpRunning, customer: str
) -> None:
    with EventStream(served.address, customer_id=customer, usage="true") as events:
        first, settled = events.next(), events.next()
        served.grpc.consume(customer, "calls")
        told = events.next()

    assert ["REFETCH", "USAGE_CHANGED"] == [first.type, settled.type]
    assert "feature_id" not in settled.data
    assert ("USAGE_CHANGED", customer, "calls") == (
        told.type,
        told.data["customer_id"],
        told.data["feature_id"],
    )
