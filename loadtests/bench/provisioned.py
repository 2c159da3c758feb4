"""`python -m loadtests.bench.provisioned`: what a worker remembers of a million customers.

Imports them, a tenth with add-ons, overrides and promotions, has a worker decide for every one of
them, and shows that its memory is bounded by its cache and not by how many there are. Exit code 1
when the second half of the customers makes it grow, 2 when it could not be measured.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc

from loadtests.bench.cases import FEATURE
from loadtests.bench.importing import ADDONS, rows
from loadtests.bench.memory import BATCH, CALL_S, GROWTH_MAX, Row, each, mb
from loadtests.bench.processes import CATALOG, HOST, Machinery, Running
from loadtests.bench.report import as_text
from quotad.client.admin import AdminClient, CatalogFile
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

CUSTOMERS = 1_000_000


def bring_in(server: Running, customers: int) -> None:
    """Import them by the command line.

    Raises:
        RuntimeError: it failed.
    """
    environ = os.environ | {"QUOTAD_SERVER": f"{HOST}:{server.port}"}
    with tempfile.TemporaryDirectory(prefix="quotad-import-") as folder:
        file = Path(folder) / "customers.jsonl"
        with file.open("wb") as stream:
            stream.writelines(row + b"\n" for row in rows(customers))
        command = [sys.executable, "-m", "quotad", "customers", "import", str(file)]
        if subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=False).returncode:
            raise RuntimeError("the import failed")


def decide(server: Running, start: int, end: int) -> None:
    """Decide once for each of some customers.

    Raises:
        RuntimeError: it did not allow every request.
    """
    with grpc.insecure_channel(f"{HOST}:{server.port}") as channel:
        stub = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
        for first in range(start, end, BATCH):
            ids = [f"customer-{number:07d}" for number in range(first, min(first + BATCH, end))]
            requests = [pb.CheckAndConsumeRequest(customer_id=i, feature_id=FEATURE) for i in ids]
            call = pb.BatchCheckAndConsumeRequest(requests=requests)
            answer = stub.BatchCheckAndConsume(call, timeout=CALL_S)
            if sum(result.response.allowed for result in answer.results) != len(ids):
                raise RuntimeError("not every request was allowed")


def measure(customers: int) -> tuple[list[Row], bool]:
    """The table, and whether the worker grew with its cache full."""
    with Machinery() as machinery:
        server = machinery.server("native")
        with AdminClient(f"{HOST}:{server.port}") as admin:
            admin.publish([CatalogFile("bench.yaml", CATALOG + ADDONS)])
            bring_in(server, customers)
            stored = int(machinery.client.info("memory")["used_memory"])
            decide(server, 0, customers // 2)
            half = server.rss()
            decide(server, customers // 2, customers)
            whole, cached = server.rss(), admin.status().cached_customers
    grown = whole / half - 1
    many = f"{customers:,} customers"
    made = [
        Row("store", mb(stored), f"used_memory, {many}, {each(stored, customers)} for each"),
        Row("worker, half of them seen", mb(half), "RSS"),
        Row("worker, all of them seen", mb(whole), f"RSS, {cached:,} of them remembered"),
        Row("growth", f"{grown:+.1%}", f"at most {GROWTH_MAX:.0%} is allowed"),
    ]
    return made, cached <= customers // 2 and grown > GROWTH_MAX  # with fewer, it was not full yet


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.provisioned")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    try:
        made, grew = measure(parser.parse_args().customers)
    except (RuntimeError, OSError, grpc.RpcError) as error:
        print(f"memory could not be measured: {error}", file=sys.stderr)
        sys.exit(2)
    print(as_text([["of", "memory", "how"], *([row.what, row.value, row.how] for row in made)]))
    if grew:
        print("FAILED: a worker grows although its cache is full")
    sys.exit(grew)


if __name__ == "__main__":
    main()
