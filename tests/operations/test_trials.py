"""Trials of logs: their few places and their files are given back, whatever happens."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from quotad.errors import Busy
from quotad.operations.trials import TRIALS_MAX, PastTrial, TrialFolder, TrialOperations
from quotad.past_job import PastCatalog, PastJob
from tests.running import eventually


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def begun(trials: TrialOperations, prepare: Callable[[TrialFolder], PastJob]) -> PastTrial:
    trial = PastTrial("", "ada", "log", 0, "what is in force")
    trials.begin(trial, trials.open(), prepare)
    return trial


def test_a_folder_that_cannot_be_made_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> str:
        raise OSError("no space left")

    trials = TrialOperations()
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full)
        for _ in range(TRIALS_MAX):
            with pytest.raises(OSError, match="no space"):
                trials.open()
    for _ in range(TRIALS_MAX):
        trials.open()
    with pytest.raises(Busy):
        trials.open()


def test_a_trial_that_is_stopped_while_it_reads_customers_does_not_run(folders: Path) -> None:
    goes_on = Event()

    def prepare(folder: TrialFolder) -> PastJob:
        assert goes_on.wait(30)
        folder.log.write_text('{"time": 1779008400, "user": "ada"}\n' * 10)
        catalog = PastCatalog("one", b"{}")
        return PastJob(str(folder.log), "jsonl", "{user}", "calls", "1", "{time}", "", catalog)

    trials = TrialOperations()
    trial = begun(trials, prepare)
    trials.stop(trial)
    goes_on.set()

    eventually(lambda: trials.under_way, lambda count: count == 0)
    assert "it was stopped" == trial.step.problem
    assert [] == list(folders.iterdir())


def test_a_server_that_ends_leaves_no_log_behind(folders: Path) -> None:
    trials = TrialOperations()
    trials.open().log.write_text("192.0.2.7 ...")
    trials.stop_all()
    assert [] == list(folders.iterdir())
