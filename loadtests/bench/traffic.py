"""What is asked for: request bodies, made before the clock starts, and whose turn it is.

The bodies are CheckAndConsumeRequest. The reference servers take the same bytes: their requests
have the same first fields.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from loadtests.bench import frames
from quotad.v1 import quota_pb2 as pb

PICKS = 1 << 17
"""How many picks of a skewed distribution are drawn before they repeat."""

KEY_CHARS = 24
"""Length of an idempotency key: a run's own part and a number."""


class Traffic(msgspec.Struct, frozen=True):
    """Which calls are sent."""

    path: str = "/quotad.v1.QuotaService/CheckAndConsume"
    feature_id: str = "api-calls"
    customers: int = 10_000
    pick: Literal["uniform", "hot", "zipf"] = "uniform"
    """`uniform`: all in turn, shuffled; `hot`: always the same; `zipf`: the n-th 1/n as often."""
    quantity: int = 1
    batch: int = 0
    """Requests per BatchCheckAndConsume; 0: CheckAndConsume."""
    idempotent: bool = False
    """Every call carries a key of its own."""
    together: tuple[str, ...] = ()
    """Features that CheckAndConsumeAll asks for with `feature_id`; empty: CheckAndConsume."""


def customer_id(number: int) -> str:
    """The name of a customer."""
    return f"customer-{number:06d}"


def picks(traffic: Traffic, seed: int) -> list[int]:
    """Customers in the order they are asked for; repeats at the end."""
    chance = random.Random(seed)
    if traffic.pick == "hot":
        return [0]
    if traffic.pick == "zipf":
        weights = [1 / n for n in range(1, traffic.customers + 1)]
        return chance.choices(range(traffic.customers), weights, k=PICKS)
    order = list(range(traffic.customers))
    chance.shuffle(order)
    return order


def request(traffic: Traffic, customer: int) -> pb.CheckAndConsumeRequest:
    """One request, without its idempotency key."""
    return pb.CheckAndConsumeRequest(
        customer_id=customer_id(customer),
        feature_id=traffic.feature_id,
        quantity=traffic.quantity,
    )


def _body(traffic: Traffic, customer: int) -> bytes:
    if not traffic.together:
        return request(traffic, customer).SerializeToString()
    items = [
        pb.ConsumeItem(feature_id=name, quantity=traffic.quantity)
        for name in (traffic.feature_id, *traffic.together)
    ]
    return pb.CheckAndConsumeAllRequest(
        customer_id=customer_id(customer), items=items
    ).SerializeToString()


def _bodies(traffic: Traffic, seed: int) -> list[bytes]:
    order = picks(traffic, seed)
    if not traffic.batch:
        bodies = {i: _body(traffic, i) for i in set(order)}
        return [bodies[i] for i in order]
    turns = itertools.cycle(order)
    count = max(1, len(order) // traffic.batch)
    return [
        pb.BatchCheckAndConsumeRequest(
            requests=[request(traffic, next(turns)) for _ in range(traffic.batch)]
        ).SerializeToString()
        for _ in range(count)
    ]


class Source:
    """Calls without end, as the segments of `frames.request_segments`.

    Args:
        traffic: what to ask for.
        blocks: header blocks of a connection's first call, and of later ones.
        seed: of the order, and the run's own part of idempotency keys.
    """

    def __init__(self, traffic: Traffic, blocks: tuple[bytes, bytes], seed: int) -> None:
        self.first, self.later = blocks
        bodies = _bodies(traffic, seed)
        key_bytes = KEY_CHARS + 2 if traffic.idempotent else 0
        self.bytes_max = max(map(len, bodies)) + key_bytes + 5
        """Largest message; what flow control must have room for."""
        if traffic.idempotent:
            self.calls = self._with_keys(bodies, f"{seed & 0xFFFFFFFF:08x}")
        else:
            self.calls = itertools.cycle(
                [frames.request_segments(self.later, frames.grpc_message(body)) for body in bodies]
            )

    def as_first(self, segments: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The same call with the header block of a connection's first one."""
        start = frames.frame_start(len(self.first), frames.HEADERS, frames.END_HEADERS)
        return (start, self.first + segments[1][len(self.later) :], *segments[2:])

    def _with_keys(self, bodies: list[bytes], run: str) -> Iterator[tuple[bytes, ...]]:
        # Field 4, length-delimited: appended to a message, it is one more field of it.
        tag = bytes([4 << 3 | 2, KEY_CHARS]) + run.encode()
        blank = tag + b"0" * 16
        made = [
            frames.request_segments(self.later, frames.grpc_message(body + blank))
            for body in bodies
        ]
        for number, (head, middle, message) in enumerate(itertools.cycle(made)):
            yield head, middle, message[:-16] + b"%016x" % number
