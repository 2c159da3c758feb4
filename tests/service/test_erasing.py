"""A customer is erased: nothing of it stays but a proof, and no server decides with its record."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.store.erasures import EPOCH_KEPT_MS
from quotad.v1 import admin_pb2 as pb
from tests.raw import raw
from tests.running import CALL_S, Running, refusal, running

PLANS = """
version: 1
features:
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
  total: {type: metered}
plans:
  pro:
    entitlements:
      calls: {limit: 5, per: month}
      seats: {limit: 9}
      total: {limits: [{limit: 10}]}
"""
NAMES = ["acme", "a*c?[m]\\e", "ü:{x}", "u:acme"]


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture
def beside(quotad: Running, store_url: str) -> Iterator[Running]:
    """Another server on the same store."""
    with running(store_url, quotad.config.prefix) as made:
        made.wait_ready()
        yield made


def erase(quotad: Running, customer: str, **fields: Any) -> Any:
    request = pb.EraseCustomerRequest(customer_id=customer, **fields)
    return quotad.admin.EraseCustomer(request, timeout=CALL_S)


def use(quotad: Running, customer: str) -> None:
    """Leave traces of every kind."""
    quotad.admin.ProvisionCustomer(
        pb.ProvisionCustomerRequest(customer_id=customer, plan_id="pro", name="Secret Corp"),
        timeout=CALL_S,
    )
    for resource_id in ("", "w"):
        request = pb.ProvisionCustomerRequest(
            customer_id=customer, plan_id="pro", resource_id=resource_id
        )
        quotad.admin.ProvisionCustomer(request, timeout=CALL_S)
        for feature in ("calls", "seats", "total"):
            quotad.consume(customer, feature, quantity=4, resource_id=resource_id)
        quotad.consume(
            customer, "calls", idempotency_key=f"k{resource_id}", resource_id=resource_id
        )


def known(quotad: Running, customer: str) -> Any:
    return quotad.admin.GetCustomer(pb.GetCustomerRequest(customer_id=customer), timeout=CALL_S)


def traces(quotad: Running, customer: str) -> list[str]:
    """Every key and member of the store that says the customer's id or name."""
    client = raw(quotad.store)
    found: list[str] = []
    keys = list(client.scan_iter(f"{quotad.config.prefix}:*", count=1000))
    for key in keys:
        texts = [key]
        kind = client.type(key)
        texts += client.zrange(key, 0, -1) if kind == b"zset" else []
        texts += [client.get(key)] if kind == b"string" else []
        found += [f"{key!r} {text!r}" for text in texts if text and customer.encode() in text]
    return [each for each in found if ":e:" not in each]


def test_nothing_of_an_erased_customer_stays_but_its_epoch_for_a_while(
    quotad: Running, customer: str
) -> None:
    use(quotad, customer)
    other = f"{customer}0"
    use(quotad, other)
    assert traces(quotad, customer)

    erased = erase(quotad, customer, erased_by="support")

    assert (True, 6, 2) == (erased.had_record, erased.counters, erased.idempotency_keys)
    assert [] == [each for each in traces(quotad, customer) if other not in each]
    epoch = quotad.keys.customer(customer).epoch
    assert 0 < raw(quotad.store).pttl(epoch) <= EPOCH_KEPT_MS
    assert 5 == quotad.consume(other, "calls", quantity=0).used
    assert grpc.StatusCode.NOT_FOUND is refusal(lambda: known(quotad, customer)).code


@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_id_is_only_its_own_keys_are_erased(
    quotad: Running, customer: str, name: str
) -> None:
    name = f"{customer}{name}"
    others = [f"{customer}axc1me", name + ":x", name[:-1]]
    for each in (name, *others):
        use(quotad, each)

    erased = erase(quotad, name)

    assert (6, 2) == (erased.counters, erased.idempotency_keys)
    for each in others:
        assert 5 == quotad.consume(each, "calls", quantity=0).used


@pytest.mark.parametrize("damaged", ["epoch", "customers", "index", "seen"])
def test_a_customer_is_written_and_erased_whatever_keys_beside_its_record_are_damaged(
    quotad: Running, customer: str, damaged: str
) -> None:
    use(quotad, customer)
    keys, client = quotad.keys.customer(customer), raw(quotad.store)
    shard = quotad.keys.shard(customer)
    name = quotad.keys.seen(shard) if damaged == "seen" else getattr(keys, damaged)

    def harm() -> None:
        client.delete(name)
        client.set(name, "x")

    harm()
    quotad.provision(customer, "pro")
    assert customer.encode() in client.zrange(keys.customers, 0, -1)
    harm()
    assert erase(quotad, customer).had_record
    client.set(keys.record, b"\xff")
    harm()
    assert erase(quotad, customer).had_record

    assert [] == traces(quotad, customer)


def test_no_server_decides_with_the_record_of_an_erased_customer(
    quotad: Running, beside: Running, customer: str
) -> None:
    use(quotad, customer)
    assert beside.consume(customer, "seats").allowed  # it knows the customer now
    before = known(quotad, customer).epoch

    erase(quotad, customer)

    for server in (beside, quotad):
        answer = server.consume(customer, "seats")
        assert (False, 1) == (answer.allowed, answer.reason)  # CUSTOMER_NOT_FOUND
    back = quotad.provision(customer, "pro")
    assert back.epoch > before
    assert "" == back.name
    assert 1 == beside.consume(customer, "seats").used
    assert -1 == raw(quotad.store).pttl(quotad.keys.customer(customer).epoch)


def test_the_proof_is_in_the_history_and_can_be_shown_to_be_the_customers(
    quotad: Running, customer: str
) -> None:
    use(quotad, customer)

    done = erase(quotad, customer, erased_by="Ada, ticket 7")
    again = erase(quotad, customer)

    erasure = done.erasure
    text = f"{done.nonce}\n{customer}\n{erasure.erased_at.ToMilliseconds()}\nAda, ticket 7"
    assert hashlib.sha256(text.encode()).hexdigest() == erasure.proof
    listed = quotad.admin.ListErasures(pb.ListErasuresRequest(), timeout=CALL_S).erasures
    assert [again.erasure, erasure] == list(listed[:2])
    assert (False, 0, 0) == (again.had_record, again.counters, again.idempotency_keys)
    assert customer not in json.dumps([str(each) for each in listed])


def test_a_record_that_cannot_be_read_is_erased_as_well(quotad: Running, customer: str) -> None:
    use(quotad, customer)
    raw(quotad.store).set(quotad.keys.customer(customer).record, b"\xc1")

    assert erase(quotad, customer).had_record
    assert not raw(quotad.store).exists(quotad.keys.customer(customer).record)


def test_an_erasure_may_expect_a_state(quotad: Running, customer: str) -> None:
    epoch = quotad.provision(customer, "pro").epoch

    refused = refusal(lambda: erase(quotad, customer, if_epoch=epoch - 1))

    assert "STALE_EPOCH" == refused.reason
    assert epoch == known(quotad, customer).epoch
    assert erase(quotad, customer, if_epoch=epoch).had_record
    refused = refusal(lambda: erase(quotad, customer, erased_by="\n"))
    assert refused.message.startswith("erased_by: must be printable")


def test_on_the_command_line_erasing_needs_a_confirmation_and_prints_the_proof(
    quotad: Running, customer: str
) -> None:
    use(quotad, customer)
    server = ["--server", quotad.server.address]

    asked = CliRunner().invoke(app, ["customers", "erase", customer, *server])
    done = CliRunner().invoke(
        app, ["customers", "erase", customer, "--yes", "--by", "Ada", *server]
    )
    listed = CliRunner().invoke(app, ["customers", "erasures", "--json", *server])

    assert 2 == asked.exit_code
    assert (
        "quotad: --yes: required without a terminal, as erasing cannot be undone\n" == asked.stderr
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [customer, "erased"] == lines[0]
    assert [["record", "erased"], ["counters", "6", "erased"]] == lines[1:3]
    (newest, *_) = json.loads(listed.stdout)["erasures"]
    assert ["proof", newest["proof"]] in lines
    assert "Ada" == newest["erased_by"]
