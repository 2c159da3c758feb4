"""What a token covers is asked of every operation in the same way on every edge."""

import pytest
from google.protobuf.message_factory import GetMessageClass

from quotad.errors import PermissionDenied
from quotad.http.app import OPERATIONS
from quotad.tokens.access import Access
from quotad.tokens.record import WantedToken, made
from quotad.tokens.roles import TokenRole
from quotad.tokens.scopes import OF_NO_CUSTOMER, OF_WHAT_IS_HELD, check_scope
from quotad.v1 import admin_pb2, quota_pb2

LOOKED_AT = {"customer_id", "feature_id", "items", "also", "requests"}
METHODS = {
    method.name: method
    for file, service in ((admin_pb2, "AdminService"), (quota_pb2, "QuotaService"))
    for method in file.DESCRIPTOR.services_by_name[service].methods
}


def access(customers: tuple[str, ...] = (), features: tuple[str, ...] = ()) -> Access:
    return Access(made(WantedToken("t", TokenRole.MANAGE, customers, features), 0).record)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_an_operation_names_customer_and_features_alike_on_both_edges(operation: object) -> None:
    name, wanted = operation.name, operation.wanted  # type: ignore[attr-defined]
    if name not in METHODS:
        assert name in ("Check", "Explain", "Record")
        return
    message = {field.name for field in METHODS[name].input_type.fields}

    assert LOOKED_AT & message == LOOKED_AT & set(wanted.__struct_fields__)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_token_of_one_feature_is_refused_where_all_are_read_or_written(name: str) -> None:
    kind = GetMessageClass(METHODS[name].input_type)
    fields = {field.name for field in METHODS[name].input_type.fields}
    about = kind(**({"customer_id": "acme"} if "customer_id" in fields else {}))
    if "requests" in fields:
        return  # each by itself

    if name in OF_NO_CUSTOMER:
        check_scope(access(customers=("acme",), features=("calls",)), name, about)
        return
    with pytest.raises(PermissionDenied):
        check_scope(access(customers=("other",)), name, about)
    if name in OF_WHAT_IS_HELD:
        check_scope(access(customers=("acme",), features=("calls",)), name, about)
        return
    with pytest.raises(PermissionDenied, match="does not cover"):
        check_scope(access(features=("calls",)), name, about)
    if "feature_id" in fields:
        about = kind(customer_id="acme", feature_id="calls") if "customer_id" in fields else kind()
        with pytest.raises(PermissionDenied):
            check_scope(access(features=("mails",)), name, about)
