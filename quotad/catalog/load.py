"""Text of a catalog file -> plain Python values, strictly: JSON and TOML here, YAML next door.

Values are dict (with text keys), list, str, int, float, bool, None, and the dates of TOML. A name
that stands twice in one mapping is a problem in every format. What the values mean is not
decided here.
"""

import json
import tomllib
from urllib.parse import urlsplit

from quotad.catalog.bounds import check_json, check_toml
from quotad.catalog.load_yaml import load_yaml
from quotad.catalog.numbers import WrittenFloat
from quotad.catalog.problems import Place, UnreadableError, described
from quotad.catalog.sources import ENDINGS


def load(place: Place, text: str, published: bool = False) -> dict[str, object] | None:
    """Return the top-level mapping of a catalog file, or note why it cannot be read.

    Args:
        place: where problems are noted; the ending of its source picks the format.
        text: content of the file.
        published: whether it is the document of a published catalog, which has grown out of files
            that were small enough.
    """
    ending = _ending(place.source)
    try:
        if ending in (".yaml", ".yml"):
            value = load_yaml(place, text)
        elif ending == ".json":
            if not published:
                check_json(text)
            value = _load_json(place, text)
        elif ending == ".toml":
            value = _load_toml(text)
        else:
            raise UnreadableError(f"a catalog file ends in {', '.join(ENDINGS)}")
        if not isinstance(value, dict):
            raise UnreadableError(f"must hold a mapping of names, not {described(value)}")
    except UnreadableError as error:
        place.refuse(str(error))
        return None
    return value


def _ending(name: str) -> str:
    """The ending of a file or URL; of a URL whose path has none, what stands behind its `#`."""
    if "://" not in name:
        return _behind_dot(name)
    url = urlsplit(name)
    ending = _behind_dot(url.path)
    return ending if ending in ENDINGS else _behind_dot(url.fragment)


def _behind_dot(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


class _Pairs(dict[str, object]):
    """A JSON object with names that came twice, and which."""

    twice: tuple[str, ...] = ()


class _PairsHook:
    """Makes JSON objects, and knows whether any of them has a name twice."""

    def __init__(self) -> None:
        self.twice = False

    def __call__(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) < len(pairs):
            self.twice = True
            names = [name for name, _ in pairs]
            value = _Pairs(value)
            value.twice = tuple(name for name in value if names.count(name) > 1)
        return value


def _refuse_constant(name: str) -> object:
    raise UnreadableError(f"JSON syntax: {name} is not a JSON number")


def _load_json(place: Place, text: str) -> object:
    try:
        pairs = _PairsHook()
        value = json.loads(
            text, object_pairs_hook=pairs, parse_constant=_refuse_constant, parse_float=WrittenFloat
        )
        if pairs.twice:
            _report_pairs(place, value)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableError(f"{where}: JSON syntax: {error.msg}") from error
    except ValueError as error:
        # Python refuses to read numbers of more than 4300 digits.
        raise UnreadableError("JSON syntax: a number has too many digits") from error
    except RecursionError as error:
        raise UnreadableError("is nested too deeply") from error
    return value


def _report_pairs(place: Place, value: object) -> None:
    if isinstance(value, dict):
        for name in value.twice if isinstance(value, _Pairs) else ():
            place.key(name).refuse("is defined twice")
        for name, item in value.items():
            if isinstance(item, (dict, list)):
                _report_pairs(place.key(name), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                _report_pairs(place.item(index), item)


def _toml_float(text: str) -> float:
    digits = text.replace("_", "")
    return float(digits) if digits[-1].isalpha() else WrittenFloat(digits)  # inf, nan


def _load_toml(text: str) -> object:
    check_toml(text)
    try:
        return tomllib.loads(text, parse_float=_toml_float)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableError(f"TOML syntax: {error}") from error
    except ValueError as error:
        raise UnreadableError("TOML syntax: a number has too many digits") from error
    except RecursionError as error:
        raise UnreadableError("is nested too deeply") from error
