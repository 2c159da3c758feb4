"""Erasing a customer for good, and the history of erasures."""

from quotad.http.customer_answers import (
    ErasedAnswer,
    ErasuresFound,
    erasure_answer,
)
from quotad.http.customers import CUSTOMER
from quotad.http.fields import Epoch, PageSize
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.tokens.roles import Right


class EraseCustomer(RequestFields, frozen=True, kw_only=True):
    """Whom to erase for good."""

    customer_id: str
    erased_by: str = ""
    """For the history."""
    if_epoch: Epoch | None = None


class ListErasures(RequestFields, frozen=True, kw_only=True):
    """How many erasures."""

    page_size: PageSize = 0


@in_thread
def erase(call: HttpCall, wanted: EraseCustomer) -> HttpAnswer:
    """Erase a customer for good."""
    erased_by = wanted.erased_by or call.actor
    erasure = call.context.parts.erasing.erase(wanted.customer_id, erased_by, wanted.if_epoch)
    return HttpAnswer(
        ErasedAnswer(
            erasure=erasure_answer(erasure),
            nonce=erasure.nonce,
            had_record=erasure.had_record,
            counters=erasure.counters,
            idempotency_keys=erasure.idempotency_keys,
        )
    )


@in_thread
def erasures(call: HttpCall, wanted: ListErasures) -> HttpAnswer:
    """Return the newest erasures."""
    newest = call.context.parts.erasing.newest(wanted.page_size)
    return HttpAnswer(ErasuresFound(erasures=tuple(map(erasure_answer, newest))))


OPERATIONS = (
    Operation(
        name="EraseCustomer",
        method="POST",
        path=f"{CUSTOMER}/erase",
        right=Right.ADMIN,
        wanted=EraseCustomer,
        given=ErasedAnswer,
        act=erase,
        about="Erases record, usage and idempotency keys of a customer for good.",
    ),
    Operation(
        name="ListErasures",
        method="GET",
        path="/v1/erasures",
        right=Right.READ,
        wanted=ListErasures,
        given=ErasuresFound,
        act=erasures,
        about="Returns the history of erasures, the latest first.",
    ),
)
