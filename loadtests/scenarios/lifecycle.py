"""What happens before and after the users: options, catalog, customers, and the check.

One process leads: the only one, or locust's master. It publishes the catalog when a run starts,
and checks the counters when it has ended. Workers only keep ledgers. A worker sends its ledger
when its users have stopped, which is when the leader says so: locust alone would give workers half
a second between the end of a run and the end of the master.
"""

import signal
import uuid
from typing import Any

import gevent
import grpc
from locust.runners import MasterRunner, WorkerRunner

from loadtests.scenarios import catalog, curves
from loadtests.scenarios.audit import audit
from loadtests.scenarios.calls import Connection, address_of
from loadtests.scenarios.ledger import Ledger, Verdict
from loadtests.scenarios.run import RUN
from loadtests.scenarios.shapes import SHAPES
from loadtests.scenarios.users import provisioned
from quotad.v1 import admin_pb2

STOP = "quotad-stop"
"""Leader to workers: stop the users and send the ledger."""
LEDGER = "quotad-ledger"
"""Worker to leader: what its users have seen."""
REPORT = "quotad-run"
"""In a worker's regular report: the run it takes part in."""

ADMIN_S = 20.0
"""Deadline of a call before or after the run: only a server that is gone meets it."""

CONNECT_S = 5.0
"""How long a server may take to be there."""

STOP_S = 5.0
"""How long users may take to end their task, unless `--stop-timeout` says otherwise."""


def add_options(parser: Any) -> None:
    """locust's `init_command_line_parser` event."""
    group = parser.add_argument_group("quotad")
    group.add_argument(
        "--shape",
        choices=["none", *SHAPES],
        default="none",
        env_var="QUOTAD_LOAD_SHAPE",
        help="Load shape, scaled by --users and --run-time; none: all users all the time",
    )
    group.add_argument(
        "--replace-catalog",
        action="store_true",
        help="Allow it on another machine than this one: the catalog is replaced for the run",
    )
    group.add_argument(
        "--customers", type=int, default=10_000, help="How many tenants there are (Zipf)"
    )
    group.add_argument(
        "--connections", type=int, default=8, help="gRPC connections per locust process"
    )
    group.add_argument(
        "--call-timeout", type=float, default=2.0, help="Deadline of a call, in seconds"
    )
    group.add_argument(
        "--retries", type=int, default=3, help="How often a call with a key is sent again"
    )


class Lifecycle:
    """Listens to locust's events for one environment."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._is_worker = isinstance(self._runner, WorkerRunner)
        self._is_master = isinstance(self._runner, MasterRunner)
        self._catalog_before: admin_pb2.GetCatalogResponse | None = None
        self._ledgers: dict[str, Ledger] = {}
        """Of workers, by their id."""
        self._workers: set[str] = set()
        """Those that have taken part in this run."""
        if not environment.stop_timeout:
            # Without it users are ended in the middle of a call, whose outcome is unknown then.
            environment.stop_timeout = STOP_S
        self._choose_shape()
        self._listen()
        # Timers count from when the loop last looked at the clock, which was before all imports:
        # on a busy machine --run-time would be over seconds too early.
        hub = gevent.get_hub()
        hub.loop.update_now()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Ctrl-C is for locust, not for the user that happens to be running.
            stop = KeyboardInterrupt()
            gevent.signal_handler(signal.SIGINT, hub.handle_system_error, KeyboardInterrupt, stop)

    def _choose_shape(self) -> None:
        environment = self._environment
        shapes = {name: shape() for name, shape in SHAPES.items()}
        for each in shapes.values():
            each.runner = self._runner
        environment.available_shape_classes = {
            type(each).__name__: each for each in shapes.values()
        }
        options = environment.parsed_options
        if options.shape != "none" and not self._is_worker:
            environment.shape_class = shapes[options.shape]
            # Before locust's own defaults, which are one user.
            options.num_users = options.num_users or curves.USERS
            options.spawn_rate = options.spawn_rate or curves.spawn_rate(options.num_users)

    def _listen(self) -> None:
        events = self._environment.events
        events.test_start.add_listener(self._on_start)
        events.test_stop.add_listener(self._on_stop)
        events.quitting.add_listener(self._on_quitting)
        if self._is_worker:
            events.report_to_master.add_listener(self._on_report)
            self._runner.register_message(STOP, self._on_stop_message)
        if self._is_master:
            events.worker_report.add_listener(self._on_worker_report)
            events.test_stopping.add_listener(self._on_stopping)
            self._runner.register_message(LEDGER, self._on_ledger)

    def _on_start(self, **_: Any) -> None:
        """A run starts; the leader prepares the server before there are users."""
        if RUN.prepared and RUN.to_be_checked:
            return  # a shape was chosen in the middle of a run, whose users go on
        options = self._environment.parsed_options
        if self._is_worker:
            RUN.start(options.quotad_run_id)
            return
        # locust sends the options to the workers with the first users.
        options.quotad_run_id = f"lt-{uuid.uuid4().hex[:8]}"
        RUN.start(options.quotad_run_id)
        self._ledgers.clear()
        self._workers.clear()
        problem = self._prepare()
        if problem:
            self._fail(f"check: NOT STARTED: {address(self._environment)}: {problem}")
            RUN.to_be_checked = False
            gevent.spawn(self._end)
            raise gevent.GreenletExit  # ends the greenlet that was about to start users
        RUN.prepared = True
        print(f"check: run {RUN.run_id}: so start the ids of its customers", flush=True)

    def _end(self) -> None:
        headless = self._environment.parsed_options.headless
        (self._runner.quit if headless else self._runner.stop)()

    def _connect(self) -> Connection:
        return Connection(address(self._environment))

    def _prepare(self) -> str:
        """Publish the catalog and provision customers; gives what went wrong."""
        where = address(self._environment)
        if not is_here(where) and not self._environment.parsed_options.replace_catalog:
            return "its catalog would be replaced for the run; allow it with --replace-catalog"
        connection = self._connect()
        try:
            self._catalog_before = catalog_of(connection)
            prepare(connection)
        except grpc.RpcError as error:
            return "; ".join([text(error), *self._put_back(connection)])
        return ""

    def _put_back(self, connection: Connection) -> list[str]:
        """Bring the catalog before back, if there was one; gives what went wrong."""
        before, self._catalog_before = self._catalog_before, None
        try:
            if before is not None:
                put_back(connection, before)
        except grpc.RpcError as error:
            return [f"the catalog was not put back: {text(error)}"]
        return []

    def _on_stop(self, **_: Any) -> None:
        """A run has ended: on a worker and where there is only one process, users have stopped."""
        if self._is_worker:
            self._send_ledger()
        elif RUN.to_be_checked:
            RUN.to_be_checked = False
            if not RUN.prepared:
                self._fail(f"check: NOT STARTED: {address(self._environment)} has not answered yet")
                return
            missing = self._collect() if self._is_master else set()
            self._conclude(missing)

    def _conclude(self, missing: set[str]) -> None:
        """Check the counters, put the catalog back, say it."""
        connection = self._connect()
        print_reasons(RUN.ledger)
        where = address(self._environment)
        if missing:
            names = ", ".join(sorted(missing))
            self._fail(f"check: NOT DONE: no ledger came from {len(missing)} workers: {names}")
        else:
            try:
                self._report(audit(connection, RUN.ledger))
            except grpc.RpcError as error:
                self._fail(f"check: NOT DONE: {where}: {text(error)}")
        for problem in self._put_back(connection):
            self._fail(f"check: {problem}")

    def _report(self, verdict: Verdict) -> None:
        lines = "\n".join(verdict.lines())
        if verdict.passed:
            print(lines, flush=True)
        else:
            self._fail(lines)

    def _fail(self, lines: str) -> None:
        print(lines, flush=True)
        self._environment.process_exit_code = 1
        # So that the web UI shows it, under Exceptions.
        self._runner.log_exception("check", lines, lines)

    def _on_quitting(self, **_: Any) -> None:
        """After Ctrl-C locust ends without stopping users first, and too late for an exit code."""
        if not self._is_master:  # a master listens itself
            self._runner.stop()

    # Master and workers.

    def _collect(self) -> set[str]:
        """Add up the workers' ledgers; gives the workers that have not sent theirs."""
        clients = self._runner.clients
        gone = {each.id for each in clients.missing}
        reachable = (self._workers & set(clients)) - gone
        for client_id in reachable - self._ledgers.keys():
            self._runner.send_message(STOP, None, client_id)
        with gevent.Timeout(self._environment.stop_timeout + ADMIN_S, False):
            while reachable - self._ledgers.keys():
                gevent.sleep(0.05)
        for ledger in self._ledgers.values():
            RUN.ledger.add(ledger)
        return self._workers - self._ledgers.keys()

    def _on_stopping(self, **_: Any) -> None:
        self._workers.update(self._runner.clients)  # locust forgets those that have stopped

    def _on_ledger(self, msg: Any, **_: Any) -> None:
        if msg.data["run_id"] in (RUN.run_id, ""):  # "": connected, and never had a user
            self._ledgers[msg.node_id] = Ledger.from_message(msg.data["ledger"])

    def _on_worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        if data.get(REPORT) == RUN.run_id:
            self._workers.add(client_id)

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        data[REPORT] = RUN.run_id

    def _on_stop_message(self, **_: Any) -> None:
        if self._runner.state == "stopped":  # already, and the ledger was sent
            self._send_ledger()
        else:
            self._runner.stop()  # ends in _on_stop

    def _send_ledger(self) -> None:
        message = {"run_id": RUN.run_id, "ledger": RUN.ledger.to_message()}
        self._runner.send_message(LEDGER, message)


def address(environment: Any) -> str:
    """The server under test."""
    return address_of(environment.host)


def is_here(where: str) -> bool:
    """Whether an address is on this machine."""
    return where.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]") or where[:5] == "unix:"


def catalog_of(connection: Connection) -> admin_pb2.GetCatalogResponse | None:
    """The catalog in force, if any.

    Raises:
        grpc.RpcError: the server is not there.
    """
    request = admin_pb2.GetCatalogRequest()
    found: admin_pb2.GetCatalogResponse
    try:
        found = connection.admin.GetCatalog(request, timeout=CONNECT_S, wait_for_ready=True)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return None
    return found


def prepare(connection: Connection) -> None:
    """Make a server ready for a run.

    Raises:
        grpc.RpcError: the server is not there, or refuses.
    """
    publish(connection, "catalog.yaml", catalog.PATH.read_text())
    for customer_id, plan_id in provisioned().items():
        customer = admin_pb2.ProvisionCustomerRequest(customer_id=customer_id, plan_id=plan_id)
        connection.admin.ProvisionCustomer(customer, timeout=ADMIN_S)


def text(error: Any) -> str:
    """An RPC's error in one line."""
    return f"{error.code().name}: {error.details()}"


def publish(connection: Connection, name: str, content: str) -> None:
    """Publish a catalog."""
    request = admin_pb2.PublishCatalogRequest(
        files=[admin_pb2.CatalogFile(name=name, content=content)], published_by="load test"
    )
    connection.admin.PublishCatalog(request, timeout=ADMIN_S)


def put_back(connection: Connection, before: admin_pb2.GetCatalogResponse) -> None:
    """Bring back the catalog that was in force before a run, with the revisions of its plans.

    Publishing cannot do that: plans that the run's catalog does not have are new ones then.
    """
    request = admin_pb2.RollbackCatalogRequest(
        version=before.version.version, published_by="load test"
    )
    try:
        connection.admin.RollbackCatalog(request, timeout=ADMIN_S)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        # Somebody else has pushed it out of the history. Without revisions that is its content.
        publish(connection, "catalog.json", before.document)


def print_reasons(ledger: Ledger) -> None:
    """Decisions by scenario and reason."""
    for scenario, reasons in sorted(ledger.reasons.items()):
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        print(f"decisions: {scenario}: {counts}", flush=True)
