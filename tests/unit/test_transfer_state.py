"""How far an import got, on disk."""

from pathlib import Path

import pytest

from quotad.transfer.lines import Form
from quotad.transfer.state import Position, StateError, StateFile, alone

SERVER = "127.0.0.1:50051"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "customers.jsonl"
    path.write_text("{}\n" * 10)
    return path


def stopped(source: Path, lines: int = 7) -> StateFile:
    """The state of an import that was stopped."""
    state = StateFile(source, SERVER)
    state.begin(resume=False)
    state.write(Position(lines, written=5, rejected=2))
    return state


def test_an_import_goes_on_where_it_was_stopped(source: Path) -> None:
    stopped(source)

    assert Position(7, written=5, rejected=2) == StateFile(source, SERVER).begin(resume=True)


def test_an_import_that_was_stopped_is_not_begun_again_unasked(source: Path) -> None:
    path = stopped(source).path

    with pytest.raises(StateError) as caught:
        StateFile(source, SERVER).begin(resume=False)

    assert (
        f"an import of {source} stopped after line 7; go on with --resume, or remove {path} to"
        " start over"
    ) == str(caught.value)


def test_an_import_that_had_not_begun_is_begun_again(source: Path) -> None:
    stopped(source, lines=0)

    assert Position() == StateFile(source, SERVER).begin(resume=False)


def test_without_a_state_an_import_starts_at_the_first_line(source: Path) -> None:
    assert Position() == StateFile(source, SERVER).begin(resume=True)


def test_a_file_that_has_changed_is_not_gone_on_with(source: Path) -> None:
    stopped(source)
    source.write_text("{}\n" * 9 + "[]\n")

    with pytest.raises(StateError, match="has changed since its import stopped after line 7"):
        StateFile(source, SERVER).begin(resume=True)


def test_what_one_server_was_given_is_not_left_out_of_another(source: Path) -> None:
    stopped(source)

    with pytest.raises(StateError, match=rf"the import that stopped was to {SERVER}"):
        StateFile(source, "other:1").begin(resume=True)


def test_an_import_goes_on_in_the_form_that_it_was_begun_in(source: Path) -> None:
    state = StateFile(source, SERVER, Form.CSV)
    state.begin(resume=False)
    state.write(Position(7))

    resumed = StateFile(source, SERVER)
    resumed.begin(resume=True)

    assert Form.CSV is resumed.form
    with pytest.raises(StateError, match="read it as csv; leave --format out"):
        StateFile(source, SERVER, Form.JSONL).begin(resume=True)


def test_nothing_is_left_of_an_import_that_has_done_no_line(source: Path, tmp_path: Path) -> None:
    state = StateFile(source, SERVER)
    state.begin(resume=False)
    state.tidy()

    assert [source] == list(tmp_path.iterdir())


def test_what_is_done_is_not_tidied_away(source: Path) -> None:
    stopped(source).tidy()
    again = StateFile(source, SERVER)
    with pytest.raises(StateError):
        again.begin(resume=False)
    again.tidy()
    other = StateFile(source, "other:1")
    with pytest.raises(StateError):
        other.begin(resume=True)
    other.tidy()
    resumed = StateFile(source, SERVER)
    resumed.begin(resume=True)
    resumed.tidy()

    assert 7 == StateFile(source, SERVER).begin(resume=True).lines


@pytest.mark.parametrize("text", [b"{", b'{"digest": "\xff"}', b'{"x": ' + b"[" * 50_000])
def test_a_state_that_cannot_be_read_is_reported_with_its_file(source: Path, text: bytes) -> None:
    path = stopped(source).path
    path.write_bytes(text)

    with pytest.raises(StateError, match="quotad-import cannot be read"):
        StateFile(source, SERVER).begin(resume=True)


def test_nothing_is_left_of_an_import_that_is_done(source: Path, tmp_path: Path) -> None:
    stopped(source).remove()

    assert [source] == list(tmp_path.iterdir())


def test_one_at_a_time_imports_a_file(source: Path) -> None:
    running = pytest.raises(StateError, match="another import of it is running")
    with alone(source), running, alone(source):
        pass

    with alone(source):
        pass
