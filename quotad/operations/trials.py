"""Plans tried on logs of the past, each in a process of its own; what was found stays a while.

Nothing of it is in the store: a server that ends takes its trials with it.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread, Timer

import msgspec
from msgspec.structs import replace

from quotad.entitlements.phases import phases_in_force
from quotad.errors import Busy, NotFound
from quotad.past_job import PastJob, PastStep
from quotad.records import CustomerRecord, Override, Promotion

CHILD = [sys.executable, "-P", "-m", "quotad.simulate.child"]
"""Command of such a process; its arguments follow."""

TRIALS_MAX = 2
"""Most logs that are uploaded or tried at once."""

KEPT_MAX = 20
"""Most trials that are remembered, the latest ones."""

SECONDS_MAX = 600.0
"""Longest time of one; then it ends with what was found by then."""

LOG_BYTES_MAX = 256 * 1024 * 1024
"""Largest log, as it is sent: gzipped or not."""

ALWAYS_MS = 0
"""When what has no beginning began: before any log."""

_MEMORY_MB = 2_048
_ENDS_S = 20.0
"""Longest time that a process which is to end may take for its report."""

_STOPPED = "it was stopped"

_decode = msgspec.json.Decoder(PastStep).decode


class PastTrial(msgspec.Struct):
    """One log that is being tried, or was."""

    trial_id: str
    owner: str
    """The person who tries it: not a name, which two may have."""
    log_name: str
    begun_ms: int
    """Unix time."""
    what: str
    """What is tried, in words."""
    step: PastStep = PastStep()
    """The latest."""
    stage: str = "waits"
    """What it does, in words, while it is under way."""
    process: "subprocess.Popen[bytes] | None" = None
    stopped: bool = False

    @property
    def ended(self) -> bool:
        """Whether there is a report, or a problem."""
        return self.step.report is not None or bool(self.step.problem)


class TrialFolder:
    """Where the files of one trial are: there until it has ended."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="quotad-past-"))
        self.log = self.path / "log"
        self.customers = self.path / "customers.jsonl"

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


Prepare = Callable[[TrialFolder], PastJob]


class TrialOperations:
    """Tries plans on logs; for all threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._folders: set[TrialFolder] = set()
        self._trials: dict[str, PastTrial] = {}

    @property
    def under_way(self) -> int:
        """How many logs are uploaded or tried."""
        return len(self._folders)

    def open(self) -> TrialFolder:
        """Take one of the few places, before a log is received.

        Raises:
            Busy: there is none.
            OSError: the folder cannot be made.
        """
        with self._lock:
            if len(self._folders) >= TRIALS_MAX:
                raise Busy("other logs are being tried; try again when one has ended")
            folder = TrialFolder()
            self._folders.add(folder)
        return folder

    def close(self, folder: TrialFolder) -> None:
        """Give the place back; what a trial that was not begun has is removed."""
        folder.remove()
        with self._lock:
            self._folders.discard(folder)

    def begin(self, trial: PastTrial, folder: TrialFolder, prepare: Prepare) -> None:
        """Try a log, beside calls; the place is given back when it has ended.

        Args:
            trial: what it is, without an id.
            folder: with the log.
            prepare: brings the rest of its files there and returns what is to be run; an error of
                it is the trial's problem.
        """
        trial.trial_id = secrets.token_hex(8)
        with self._lock:
            ended = [each.trial_id for each in self._trials.values() if each.ended]
            for trial_id in ended[: max(0, len(self._trials) - KEPT_MAX + 1)]:
                del self._trials[trial_id]
            self._trials[trial.trial_id] = trial
        Thread(
            target=self._run, args=(trial, folder, prepare), name="quotad-trial", daemon=True
        ).start()

    def of(self, owner: str) -> list[PastTrial]:
        """Return the trials of a person, the latest first."""
        with self._lock:
            return [each for each in reversed(self._trials.values()) if each.owner == owner]

    def get(self, trial_id: str, owner: str) -> PastTrial:
        """Return a trial.

        Raises:
            NotFound: there is none of this person, or it is not remembered any more.
        """
        with self._lock:
            found = self._trials.get(trial_id)
        if found is None or found.owner != owner:
            raise NotFound("this trial is not remembered any more; try the log again")
        return found

    def stop(self, trial: PastTrial) -> None:
        """End a trial, with what was found by then."""
        trial.stopped = True
        process = trial.process
        if process is not None and process.poll() is None:
            process.terminate()
            kill = Timer(_ENDS_S, process.kill)
            kill.daemon = True  # a server that ends does not wait for it
            kill.start()

    def stop_all(self) -> None:
        """End all processes and remove their files, as the server ends, and its threads with it."""
        with self._lock:
            processes = [each.process for each in self._trials.values()]
            folders = list(self._folders)
        for process in processes:
            if process is not None and process.poll() is None:
                process.kill()
        for folder in folders:
            folder.remove()

    def _run(self, trial: PastTrial, folder: TrialFolder, prepare: Prepare) -> None:
        try:
            trial.stage = "reads customers"
            job = prepare(folder)
            trial.stage = "runs"
            self._work(trial, job)
        except Exception as error:  # noqa: BLE001 (whatever it is, the trial has to end)
            why = getattr(error, "for_caller", "") or "it failed"
            trial.step = PastStep(problem=_STOPPED if trial.stopped else why)
        finally:
            self.close(folder)

    def _work(self, trial: PastTrial, job: PastJob) -> None:
        command = [*CHILD, str(_MEMORY_MB), str(int(SECONDS_MAX))]
        ends = Timer(SECONDS_MAX, self.stop, [trial])
        ends.daemon = True
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.path.sep
        ) as process:
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                trial.process = process
                if trial.stopped:  # before there was a process to end
                    process.kill()
                ends.start()
                process.stdin.write(msgspec.msgpack.encode(job))
                process.stdin.close()
                last = PastStep()
                for line in process.stdout:
                    last = _decode(line)
                    if last.report is None and not last.problem:
                        trial.step = last
            finally:
                ends.cancel()
                process.kill()  # whatever happened; it has ended already if all is well
        if last.report is None and not last.problem:
            why = _STOPPED if trial.stopped else "it failed; the server's log has more"
            last = PastStep(problem=why)
        trial.step = last


def as_ever(record: CustomerRecord, at_ms: int) -> CustomerRecord:
    """Return a customer as if what it has at a moment had always been so, and went on."""
    resources = {phase.resource_id for phase in record.subscriptions}
    phases = [
        replace(phase, start_ms=ALWAYS_MS, end_ms=None, trial=False, anchor_ms=phase.anchor)
        for resource_id in sorted(resources)
        for phase in phases_in_force(record, at_ms, resource_id)
    ]

    def begun(each: Override | Promotion) -> bool:
        return each.start_ms is None or each.start_ms <= at_ms

    return replace(
        record,
        subscriptions=tuple(phases),
        overrides=tuple(replace(each, start_ms=None) for each in record.overrides if begun(each)),
        promotions=tuple(
            replace(each, start_ms=None, end_ms=None)
            for each in record.promotions
            if begun(each) and (each.end_ms is None or each.end_ms > at_ms)
        ),
    )


def now_ms() -> int:
    """The time of this machine."""
    return int(time.time() * 1000)
