"""What GraphQL costs, measured at all."""

from loadtests.bench.graphql import measure


def test_every_call_is_measured_beside_what_it_asks_for(store_url: str, prefix: str) -> None:
    lines = measure(store_url, calls=2, rounds=1, prefix=prefix)

    assert ["getCustomerByRefId", "entitlementsState", "reportUsage"] == [
        line.call for line in lines
    ]
    assert all(line.call_us > 0 and line.own_us > 0 for line in lines)
