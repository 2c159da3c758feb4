"""`quotad serve --http`: a process beside the workers, replaced when it dies, drained at a stop."""

import re
import signal
from http.client import HTTPException
from pathlib import Path

from quotad.v1.admin_pb2 import GetStatusRequest
from tests.http.conftest import CATALOG
from tests.http.serving import HttpCaller
from tests.integration.own_store import own_store
from tests.processes import address_in_log, starting
from tests.running import Caller, eventually


def test_an_http_worker_is_replaced_when_it_dies_and_ends_with_the_server(tmp_path: Path) -> None:
    with own_store() as store, starting(tmp_path) as start:
        store.start()
        serve = start(
            "serve",
            *("--redis-url", store.url),
            *("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"),
        )
        address = serve.wait_for(" (HTTP)\n").split(" (HTTP)")[0].rpartition(" ")[2]
        grpc, caller = Caller(address_in_log(serve)), HttpCaller(address)
        grpc.publish(CATALOG)
        caller.wait_ready()
        wanted = {"customer_id": "acme", "feature_id": "calls"}
        assert 1 == caller.post("/v1/consume", wanted).body["used"]

        grpc_pid = grpc.admin.GetStatus(GetStatusRequest()).pid
        [worker] = [pid for pid in serve.children() if pid.number != grpc_pid]
        worker.kill()
        eventually(lambda: _ready(caller), bool, 40.0)

        assert 2 == caller.post("/v1/consume", wanted).body["used"]
        grpc.close()
        caller.close()
        assert 0 == serve.stop(signal.SIGTERM)
        assert re.search("stopped after [12] decisions?: WITHIN_LIMIT", serve.log)


def _ready(caller: HttpCaller) -> bool:
    try:
        return caller.get("/readyz").status == 200
    except (OSError, HTTPException):
        return False
