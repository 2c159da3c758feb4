"""Which front serves, and what is said when it cannot."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import quotad.fronts
from quotad.config import Config
from quotad.errors import ConfigError
from quotad.fronts import kinds
from quotad.fronts.interface import Bounds
from tests.fronts.serving import SETTINGS


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ({"fast", "native", "grpcio"}, "fast"),
        ({"native", "grpcio"}, "native"),
        ({"grpcio"}, "grpcio"),
    ],
)
def test_the_fastest_front_that_is_installed_is_chosen(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], chosen: str
) -> None:
    monkeypatch.setattr(kinds, "is_installed", installed.__contains__)

    assert chosen == kinds.choose("auto")
    assert "grpcio" == kinds.choose("grpcio")


def test_a_front_that_is_asked_for_and_not_installed_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinds, "is_installed", {"grpcio"}.__contains__)

    with pytest.raises(ConfigError) as refused:
        kinds.choose("fast")

    assert "front: 'fast' needs the package 'quotad-front', not installed here" == str(
        refused.value
    )


@pytest.fixture
def imported_anew() -> Iterator[None]:
    """Have the fast front imported anew; afterwards the module of before is in its place again."""
    name = "quotad.fronts.fast"
    before = sys.modules.pop(name, None)
    yield
    sys.modules.pop(name, None)
    vars(quotad.fronts).pop("fast", None)
    if before is not None:
        sys.modules[name] = before
        vars(quotad.fronts)["fast"] = before


def test_a_package_that_fits_another_server_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, imported_anew: None
) -> None:
    other = SimpleNamespace(INTERFACE=0, __version__="9.1")
    monkeypatch.setitem(sys.modules, "quotad_front", other)

    with pytest.raises(ConfigError, match=r"^front: quotad-front 9\.1 is installed, which [^\n]*$"):
        kinds.make("fast", SETTINGS)


def test_a_package_that_cannot_be_loaded_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, imported_anew: None
) -> None:
    monkeypatch.setitem(sys.modules, "quotad_front", None)

    with pytest.raises(ConfigError, match=r"^front: 'fast' cannot be loaded: [^\n]*$"):
        kinds.make("fast", SETTINGS)


def test_bounds_are_by_default_those_of_the_settings() -> None:
    config = Config()

    assert Bounds() == Bounds(**{name: getattr(config, name) for name in Bounds.__struct_fields__})
