"""A grpcio server that answers without doing anything: what is left for everybody else's work.

    python -m loadtests.bench.noop_server HOST:PORT

Same library and same style (asyncio, bytes in, bytes out) as quotad's grpcio front.
"""

import asyncio
import signal
import sys
from typing import Any

import grpc
import grpc.aio

SERVICE, NAME = "quotad.bench.Noop", "Check"
METHOD = f"/{SERVICE}/{NAME}"
ANSWER = b"\x08\x01"
"""allowed = true."""


async def _answer(_payload: bytes, _context: Any) -> bytes:
    return ANSWER


async def _serve(listen: str) -> None:
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(_answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {NAME: handler}),)
    )
    server.add_insecure_port(listen)
    await server.start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.stop(None)


def main() -> None:
    """Serve until SIGTERM."""
    asyncio.run(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
