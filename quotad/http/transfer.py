"""Customers in bulk: import and export."""

from typing import Annotated

import msgspec
from msgspec import Meta

from quotad.http.customer_answers import (
    ExportedAnswer,
    ImportedAnswer,
    ProblemOfRow,
)
from quotad.http.fields import PageSize
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.tokens.roles import Right


class ImportCustomers(RequestFields, frozen=True, kw_only=True):
    """Customers to be written, each as in its row."""

    rows: Annotated[tuple[msgspec.Raw, ...], Meta(max_length=1000)]
    """As the page about importing describes them."""
    dry_run: bool = False
    """Check only."""


class ExportCustomers(RequestFields, frozen=True, kw_only=True):
    """Which page."""

    page_size: PageSize = 0
    page_token: str = ""


@in_thread
def import_rows(call: HttpCall, wanted: ImportCustomers) -> HttpAnswer:
    """Write many customers, each as in its row."""
    rows = [bytes(row) for row in wanted.rows]
    done = call.context.parts.transfer.import_rows(rows, wanted.dry_run, call.actor)
    return HttpAnswer(
        ImportedAnswer(
            problems=tuple(
                ProblemOfRow(row=row, message=message) for row, message in done.problems.items()
            ),
            written=done.written,
            unchanged=done.unchanged,
        )
    )


@in_thread
def export_rows(call: HttpCall, wanted: ExportCustomers) -> HttpAnswer:
    """Return a page of customers as rows."""
    page = call.context.parts.transfer.export_rows(wanted.page_token, wanted.page_size)
    return HttpAnswer(
        ExportedAnswer(rows=tuple(map(msgspec.Raw, page.rows)), next_page_token=page.next_token)
    )


OPERATIONS = (
    Operation(
        name="ImportCustomers",
        method="POST",
        path="/v1/import",
        right=Right.MANAGE,
        wanted=ImportCustomers,
        given=ImportedAnswer,
        act=import_rows,
        about="Writes up to 1,000 customers. Bad rows are reported and left out.",
    ),
    Operation(
        name="ExportCustomers",
        method="GET",
        path="/v1/export",
        right=Right.READ,
        wanted=ExportCustomers,
        given=ExportedAnswer,
        act=export_rows,
        about="Returns customers in the form that import reads, page by page.",
    ),
)
