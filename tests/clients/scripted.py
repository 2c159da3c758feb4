"""A server that does with each call what a case says, and keeps what arrived."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import json_format

from quotad.v1 import quota_pb2

SERVICE = quota_pb2.DESCRIPTOR.services_by_name["QuotaService"]


class ScriptedServer(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers by the steps of the case that runs now."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        """For the next calls, in order."""
        self.requests: list[list[Any]] = []
        """Method and content of each call that arrived."""
        self.time_left_s: list[float] = []
        """That each of them came with."""
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def plays(self, steps: list[dict[str, Any]]) -> None:
        """Begin a case."""
        with self._lock:
            self.steps, self.requests, self.time_left_s = list(steps), [], []

    def service(self, details: Any) -> Any:
        """How a call is handled, by the name of its method."""
        method = SERVICE.methods_by_name[details.method.rpartition("/")[2]]
        messages = [
            getattr(quota_pb2, each.name) for each in (method.input_type, method.output_type)
        ]
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answer(method.name, messages[1], request, context),
            messages[0].FromString,
            messages[1].SerializeToString,
        )

    def _answer(self, method: str, kind: Any, request: Any, context: Any) -> Any:
        with self._lock:
            self.requests.append([method, json_format.MessageToDict(request)])
            self.time_left_s.append(context.time_remaining())
            more: dict[str, Any] = {"status": "INTERNAL", "message": "one call too many"}
            step = self.steps.pop(0) if self.steps else more
        if "answer" in step:
            return json_format.ParseDict(step["answer"], kind())
        if "silent" in step:
            ended = threading.Event()
            context.add_callback(ended.set)
            ended.wait(30)
            context.abort(grpc.StatusCode.ABORTED, "given up")
        context.set_trailing_metadata(tuple(step.get("trailers", {}).items()))
        return context.abort(grpc.StatusCode[step["status"]], step["message"])

    def stop(self) -> None:
        self._server.stop(None).wait()


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """One for the tests of a module."""
    server = ScriptedServer()
    try:
        yield server
    finally:
        server.stop()
