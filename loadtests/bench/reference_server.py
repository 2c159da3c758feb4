"""What a batch loop costs at least: the yardstick of the benchmark, not a product.

    python -m loadtests.bench.reference_server HOST:PORT REDIS_URL

The native front, one decision thread, one EVALSHA per batch, an answer of four fields. No catalog,
no customers, no epoch, no check of what came in. Reads and writes the messages of quotad.v1.
"""

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import redis
from pygrpc_native import EVENT_CALL, NativeGrpcFront

from quotad.v1 import quota_pb2 as pb

METHOD = "/quotad.bench.Reference/Check"
SCRIPT_PATH = Path(__file__).with_name("reference.lua")
PREFIX = "reference"
LIMIT = 10**12
EXPIRES_AT_MS = 4_000_000_000_000
BATCH_MAX = 256


def usage_key(customer_id: str, feature_id: str) -> str:
    """Where a customer's usage is counted."""
    return f"{PREFIX}:{{{customer_id}}}:{feature_id}:lifetime"


class Loop(threading.Thread):
    """Takes all calls that wait, counts them in one script call, answers them."""

    def __init__(self, front: NativeGrpcFront, url: str) -> None:
        super().__init__(name="reference", daemon=True)
        self._front = front
        self._client: Any = redis.Redis.from_url(url, protocol=2)
        self._sha = self._client.script_load(SCRIPT_PATH.read_text(encoding="utf-8"))

    def run(self) -> None:
        """Serve until the front is closed."""
        while (events := self._front.recv_batch(BATCH_MAX)) is not None:
            calls = [
                (call_id, pb.CheckAndConsumeRequest.FromString(payload or b""))
                for kind, call_id, _, payload, _ in events
                if kind == EVENT_CALL
            ]
            if calls:
                self._answer(calls)

    def _answer(self, calls: list[tuple[int, pb.CheckAndConsumeRequest]]) -> None:
        keys: list[str] = []
        words: list[int] = []
        for _, request in calls:
            keys.append(usage_key(request.customer_id, request.feature_id))
            words += (request.quantity, LIMIT, EXPIRES_AT_MS)
        reply = self._client.execute_command("EVALSHA", self._sha, len(keys), *keys, *words)
        for i, (call_id, _) in enumerate(calls):
            used = reply[2 * i + 1]
            answer = pb.CheckAndConsumeResponse(
                allowed=reply[2 * i] == 1, limit=LIMIT, used=used, remaining=LIMIT - used
            )
            self._front.respond(call_id, answer.SerializeToString())


def main() -> None:
    """Serve until SIGTERM."""
    listen, url = sys.argv[1:3]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    front = NativeGrpcFront(listen, [(METHOD, False)])
    front.start()
    Loop(front, url).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    front.close()


if __name__ == "__main__":
    main()
