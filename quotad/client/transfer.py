"""Customers in bulk: rows of JSON in, rows of JSON out, a batch per call.

A row is all of a customer, so that writing it again changes nothing: calls are retried both ways
when no server answers. `quotad.transfer` owns files, their lines and resuming an import.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from quotad.client.blocking import Connection
from quotad.client.building import checked
from quotad.client.calls import Policy, retried
from quotad.decision import BATCH_MAX
from quotad.v1 import admin_pb2 as pb

PAGE = 500
"""Customers per call of an export."""


class ImportProblem(msgspec.Struct, frozen=True):
    """A row that was not written."""

    row: int
    """Index in the rows given."""
    message: str


class ImportOutcome(msgspec.Struct, frozen=True):
    """What became of a batch of rows."""

    written: int
    """Of a dry run: would have been written."""
    unchanged: int
    """Were as in the row already."""
    problems: tuple[ImportProblem, ...]
    """The rest, in the order of the rows."""


class Transfer:
    """Imports and exports; `AdminClient.transfer` is one.

    Args:
        connection: of the client, which closes it.
        policy: how long a call may take, and how often it is tried again.
    """

    def __init__(self, connection: Connection, policy: Policy) -> None:
        self._connection = connection
        self._policy = policy

    def import_rows(self, rows: Sequence[bytes], *, dry_run: bool = False) -> ImportOutcome:
        """Write customers, each as in its row; bad rows are returned and left out.

        Args:
            rows: one JSON object each, as docs/import.md describes; at most 1,000.
            dry_run: check only, and return what would be written.

        Raises:
            QuotaError: no server answered, and some of them may be written: repeat it.
        """
        if len(rows) > BATCH_MAX:
            raise ValueError(f"rows: {len(rows)} of them; at most {BATCH_MAX} in one call")
        request = checked(pb.ImportCustomersRequest, rows=rows, dry_run=dry_run)
        answer = self._call("ImportCustomers", request)
        problems = tuple(ImportProblem(each.row, each.message) for each in answer.problems)
        return ImportOutcome(answer.written, answer.unchanged, problems)

    def export_rows(self, page_size: int = PAGE) -> Iterator[bytes]:
        """Every customer as a row, by shard, then by id; fetched page by page as asked for.

        A customer that is written meanwhile may be in it as before or as after.
        """
        token = ""
        while True:
            request = pb.ExportCustomersRequest(page_size=page_size, page_token=token)
            answer = self._call("ExportCustomers", request)
            yield from answer.rows
            token = answer.next_page_token
            if not token:
                return

    def _call(self, method: str, request: Any) -> Any:
        return self._connection.run(retried(self._policy, method, request))
