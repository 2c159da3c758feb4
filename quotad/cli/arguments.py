"""What the texts on a command line mean: times, add-ons, entitlements."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from quotad.cli import failures

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def time_of(option: str, text: str | None, as_json: bool) -> datetime | None:
    """The time that an option gives, in UTC without a zone; None when it was not given.

    As in the rows of an import: what a command means does not depend on where it is typed.
    """
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
        # With a zone it is not moved here, where it may be the year 10000 already.
        return given if given.tzinfo is not None else given.replace(tzinfo=UTC)
    except ValueError:
        failures.fail(f"{option}: not a time: {text!r} (like 2026-01-31T09:00:00Z)", as_json)


def past_time(option: str, text: str | None, as_json: bool) -> datetime | None:
    """A time, or how long ago it was (`90s`, `30m`, `2h`, `7d`); None: it was not given."""
    if text and text[-1] in _UNITS and text[:-1].isascii() and text[:-1].isdigit():
        try:
            return datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
        except OverflowError:
            failures.fail(f"{option}: {text!r} ago is before 1970", as_json)
    return time_of(option, text, as_json)


def addons_of(given: Sequence[str] | None, as_json: bool) -> dict[str, int] | None:
    """Quantity by add-on, of NAME or NAME=N; None when no add-on was given."""
    if not given:
        return None
    addons: dict[str, int] = {}
    for text in given:
        name, equals, count = text.partition("=")
        if not name or (equals and not (count.isascii() and count.isdigit())):
            failures.fail(f"--addon: must be NAME or NAME=N, not {text!r}", as_json)
        if name in addons:
            failures.fail(f"--addon: {name!r} is given twice; say {name}=N", as_json)
        addons[name] = int(count) if equals else 1
    return addons


def texts_of(option: str, given: Sequence[str] | None, as_json: bool) -> dict[str, str]:
    """Text by key, of KEY=TEXT."""
    texts: dict[str, str] = {}
    for pair in given or ():
        key, equals, text = pair.partition("=")
        if not key or not equals:
            failures.fail(f"{option}: must be KEY=TEXT, not {pair!r}", as_json)
        if key in texts:
            failures.fail(f"{option}: {key!r} is given twice", as_json)
        texts[key] = text
    return texts


def quantities_of(given: Sequence[str], as_json: bool) -> dict[str, int]:
    """Quantity by feature, of FEATURE, FEATURE=QUANTITY or FEATURE QUANTITY; without one it is 1.

    Negative ones give back, and are written with an equals sign.
    """
    quantities: dict[str, int] = {}
    name, counted = "", True  # what came last, and whether it has a quantity
    for text in given:
        if not counted and _is_number(text):
            quantities[name], counted = int(text), True
            continue
        name, _, count = text.rpartition("=") if "=" in text else (text, "", "1")
        if not name or not _is_number(count.removeprefix("-")):
            failures.fail(f"must be FEATURE or FEATURE=QUANTITY, not {text!r}", as_json)
        if name in quantities:
            failures.fail(f"{name!r} is given twice; add up the quantities", as_json)
        quantities[name], counted = int(count), "=" in text
    return quantities


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def entitlement_of(text: str, as_json: bool) -> Any:
    """An entitlement in the grammar of a catalog: `true`, `email`, `{limit: 5000, per: month}`."""
    from quotad.catalog.load_yaml import load_yaml
    from quotad.catalog.problems import Place, Problems, UnreadableError
    from quotad.errors import CatalogError

    problems = Problems()
    try:
        value = load_yaml(Place(problems, "VALUE"), text) if text.strip() else text
        problems.raise_if_any()
    except UnreadableError as error:
        failures.fail(f"VALUE: {error}", as_json)
    except CatalogError as error:
        failures.fail(error.problems[0], as_json)
    if value == {} and "{" not in text:
        return None  # null, which is an empty catalog to the loader
    return value
