"""A grpcio server for what is not hot: admin, health, reflection. It stands behind every front."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from quotad.errors import ConfigError, InvalidRequest
from quotad.fronts.interface import MESSAGE_BYTES_MAX, AddServices
from quotad.fronts.status import abort

CALLS_MAX = 20_000
"""Most calls under way; gRPC refuses more, so the queue cannot grow without bound."""

CONNECTIONS_MAX = 1_000_000
"""More than a process can have."""

PENDING_MAX = CALLS_MAX
"""Most calls that wait for the loop to look at them. Beyond 1,000, gRPC's default, it drops calls
of any connection with CANCELLED; calls past CALLS_MAX are refused as RESOURCE_EXHAUSTED."""

GRACE_S = 1.0
"""Longest time to wait at a stop for answers to leave; streams are cut then."""


class GrpcioServer:
    """A grpc.aio server on a separate thread.

    Args:
        target: `HOST:PORT` or `unix:PATH`.
        services: full names, for health and reflection.
        add_services: adds their servicers, plain functions that run in a small thread pool.
        reuse_port: let other processes listen on the same port.
        streams_max: most calls that one connection may have open.
        connections_max: most connections; further ones are closed at once.
    """

    def __init__(
        self,
        target: str,
        services: Sequence[str],
        add_services: AddServices,
        reuse_port: bool = False,
        streams_max: int = CALLS_MAX,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._target = target
        self._services = services
        self._add_services = add_services
        self._reuse_port = reuse_port
        self._streams_max = streams_max
        self._connections_max = connections_max
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="quotad-grpcio", daemon=True
        )
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self.port = 0

    def start(self) -> None:
        """Bind and accept calls.

        Raises:
            ConfigError: the address cannot be bound.
        """
        self._thread.start()
        try:
            self._run(self._start())
        except RuntimeError as error:
            self._end_loop()
            raise ConfigError(f"listen: cannot listen on {self._target}: {error}") from error

    def set_ready(self, ready: bool) -> None:
        """Publish it by grpc.health.v1, for the server as a whole and for the quota service."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        for name in ("", *self._services):
            self._run(self._health.set(name, status.SERVING if ready else status.NOT_SERVING))

    def stop(self) -> None:
        """Refuse new calls, give those under way a moment, then close."""
        if self._server is not None:
            self._run(self._server.stop(GRACE_S))
            self._end_loop()

    async def _start(self) -> None:
        server = grpc.aio.server(
            migration_thread_pool=ThreadPoolExecutor(8, thread_name_prefix="quotad-admin"),
            options=[
                ("grpc.so_reuseport", int(self._reuse_port)),
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_concurrent_streams", self._streams_max),
                ("grpc.max_allowed_incoming_connections", self._connections_max),
                # It refuses calls of a client that keeps to the limit: calls that have ended for
                # the client and not yet for the server count.
                ("grpc.http.overload_protection", 0),
                ("grpc.server.max_pending_requests", PENDING_MAX),
                ("grpc.server.max_pending_requests_hard_limit", PENDING_MAX),
            ],
            interceptors=[_BodyCheck()],
            maximum_concurrent_rpcs=CALLS_MAX,
        )
        self._add_services(server)
        self._add_hot(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server)
        self.port = server.add_insecure_port(self._target)
        await server.start()
        self._server = server

    def _add_hot(self, server: grpc.aio.Server) -> None:
        """Nothing here; the front adds its methods."""

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        # Only now: the last server takes grpc's socket to the loop with it, and a turning loop may
        # be about to read from it ("Exception in callback ... Bad file descriptor").
        self._server = None
        self._loop.close()


def add_stream(
    server: Any, path: str, handler: Callable[[bytes, Any], AsyncIterator[bytes]]
) -> None:
    """Let a server answer a method by a stream, beside other methods of its service."""
    _, service, method = path.split("/")
    handlers = {method: grpc.unary_stream_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def with_port(target: str, port: int) -> str:
    """An address with the port that it really got; a Unix socket has none."""
    return target if target.startswith("unix:") else f"{target.rpartition(':')[0]}:{port}"


class _BodyCheck(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses bodies that are not the method's message; gRPC would call that UNKNOWN.

    Only of generated unary methods: the hot ones take bytes.
    """

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Put the reading of the body under the care of `abort`."""
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None or handler.request_deserializer is None:
            return handler
        inner, read = handler.unary_unary, handler.request_deserializer
        error = InvalidRequest(f"request: the body is not a message that {details.method} takes")

        def read_or_refuse(body: bytes) -> Any:
            try:
                return read(body)
            except DecodeError:
                return error

        def call(request: Any, context: Any) -> Any:
            return abort(context, error) if request is error else inner(request, context)

        async def call_async(request: Any, context: Any) -> Any:
            return await (abort(context, error) if request is error else inner(request, context))

        return grpc.unary_unary_rpc_method_handler(
            call_async if inspect.iscoroutinefunction(inner) else call,
            read_or_refuse,
            handler.response_serializer,
        )
