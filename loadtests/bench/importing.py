"""`python -m loadtests.bench.importing`: how long many customers take, in and out.

The command line, the server and the store are the real ones, on this machine. One customer in ten
has an add-on, an override and a promotion, one in ten a subscription of a resource as well. Exit
code 1 when the first import took longer than `--seconds-max`, 2 when it could not be measured.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from loadtests.bench.processes import CATALOG, HOST, Machinery, Running
from loadtests.bench.report import as_text
from quotad.client.admin import AdminClient, CatalogFile

CUSTOMERS = 100_000
SECONDS_MAX = 30.0

ADDONS = """
addons:
  more-calls: {entitlements: {feature-api-calls: {add: 1000}}}
"""


class Step(msgspec.Struct, frozen=True):
    """One run of the command."""

    what: str
    seconds: float
    command_s: float
    """CPU time, as the next two."""
    server_s: float
    store_s: float


def rows(customers: int) -> Iterator[bytes]:
    """Lines of a file."""
    for number in range(customers):
        row: dict[str, object] = {"customer_id": f"customer-{number:07d}"}
        phase = {"plan": "bench", "start": f"2026-01-{number % 28 + 1:02d}T09:00:00Z"}
        if number % 10 == 1:
            row["subscriptions"] = [phase, phase | {"resource": "workspace-1"}]
        else:
            row |= phase
        if number % 10 == 0:
            row["addons"] = {"more-calls": 2}
            row["overrides"] = [
                {"feature": "feature-tiny", "entitlement": {"limit": 5, "per": "year"}}
            ]
            row["promotions"] = [
                {
                    "feature": "feature-four-windows",
                    "entitlement": {"limit": 5000, "per": "month"},
                    "end": "2099-01-01T00:00:00Z",
                }
            ]
        yield msgspec.json.encode(row)


class Measured:
    """Runs the command against one server.

    Args:
        machinery: with the store.
        server: to import into.
    """

    def __init__(self, machinery: Machinery, server: Running) -> None:
        self._machinery = machinery
        self._server = server
        self.steps: list[Step] = []

    def run(self, what: str, *words: str) -> bytes:
        """Run `quotad customers ...` and note what it took; gives what it printed.

        Raises:
            RuntimeError: it failed.
        """
        command = [sys.executable, "-m", "quotad", "customers", *words]
        environ = os.environ | {"QUOTAD_SERVER": f"{HOST}:{self._server.port}"}
        before = self._cpu()
        started = time.monotonic()
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=False)
        seconds = time.monotonic() - started
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
        self.steps.append(
            Step(what, seconds, *(b - a for a, b in zip(before, self._cpu(), strict=True)))
        )
        return done.stdout

    def _cpu(self) -> tuple[float, float, float]:
        command = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (
            command.ru_utime + command.ru_stime,
            self._server.cpu().whole,
            self._machinery.redis_cpu_s(),
        )


def measure(customers: int) -> list[Step]:
    """Import, import again, export.

    Raises:
        RuntimeError: a command failed, or not everything arrived.
    """
    with tempfile.TemporaryDirectory(prefix="quotad-import-") as folder, Machinery() as machinery:
        server = machinery.server("native")
        with AdminClient(f"{HOST}:{server.port}") as admin:
            admin.publish([CatalogFile("bench.yaml", CATALOG + ADDONS)])
        file, out = Path(folder) / "customers.jsonl", Path(folder) / "out.jsonl"
        with file.open("wb") as stream:
            stream.writelines(row + b"\n" for row in rows(customers))
        measured = Measured(machinery, server)
        counts = []
        for what in ("import, all new", "import again, all unchanged"):
            said = measured.run(what, "import", str(file), "--json")
            report = msgspec.json.decode(said)
            counts.append((report["written"], report["unchanged"]))
        measured.run("export", "export", str(out))
        if counts != [(customers, 0), (0, customers)]:
            raise RuntimeError(f"written and unchanged: {counts}")
        with out.open("rb") as stream:
            exported = sum(1 for _ in stream)
        if exported != customers:
            raise RuntimeError(f"{exported:,} of {customers:,} customers were exported")
        return measured.steps


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.importing")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--seconds-max", type=float, default=SECONDS_MAX)
    args = parser.parse_args()
    try:
        steps = measure(args.customers)
    except (RuntimeError, OSError) as error:
        print(f"importing could not be measured: {error}", file=sys.stderr)
        sys.exit(2)
    head = ["what", "seconds", "customers/s", "CPU command s", "CPU server s", "CPU store s"]
    print(
        as_text(
            [
                head,
                *(
                    [
                        step.what,
                        f"{step.seconds:.1f}",
                        f"{args.customers / step.seconds:,.0f}",
                        f"{step.command_s:.1f}",
                        f"{step.server_s:.1f}",
                        f"{step.store_s:.1f}",
                    ]
                    for step in steps
                ),
            ]
        )
    )
    if steps[0].seconds > args.seconds_max:
        print(f"FAILED: the first import took more than {args.seconds_max:.0f} s")
        sys.exit(1)


if __name__ == "__main__":
    main()
