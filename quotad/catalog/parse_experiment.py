"""One entry of `experiments` -> `Experiment`, and what several of them may not be."""

from collections.abc import Mapping

from quotad.catalog.merge import Merged
from quotad.catalog.numbers import parse_decimal, unscaled
from quotad.catalog.problems import Place, check_keys, described, mapping_of, shown
from quotad.experiments import MYRIAD, Experiment

EXPERIMENTS_MAX = 100
"""Most experiments of one catalog."""

_KEYS = ("of", "share", "to", "new_customers")
_EXAMPLE = "{of: pro, share: 10 %, to: pro-b}"


def parse_experiments(merged: Merged) -> dict[str, Experiment]:
    """Return the experiments by name; problems are noted."""
    found: dict[str, Experiment] = {}
    for name, (place, value) in merged.experiments.items():
        if len(found) == EXPERIMENTS_MAX:
            place.refuse(f"is one of more than {EXPERIMENTS_MAX} experiments")
            break
        experiment = _parse(merged, place, name, value)
        if experiment is not None:
            found[name] = experiment
    _check_apart(merged, found)
    return found


def write_experiment(experiment: Experiment) -> dict[str, object]:
    """Return an experiment as JSON values."""
    written: dict[str, object] = {
        "of": experiment.of,
        "share": unscaled(experiment.per_myriad, 2),
        "to": experiment.to,
    }
    if not experiment.new_customers:
        written["new_customers"] = False
    return written


def _parse(merged: Merged, place: Place, name: str, value: object) -> Experiment | None:
    raw = mapping_of(place, value, _EXAMPLE)
    if raw is None:
        return None
    fits = check_keys(place, raw, _KEYS)
    missing = [key for key in ("of", "share", "to") if key not in raw]
    if missing:
        if fits:
            place.refuse(f"has no {missing[0]}; write {_EXAMPLE}")
        return None
    of = merged.plan_name(place.key("of"), raw["of"])
    to = merged.plan_name(place.key("to"), raw["to"])
    share = _share(place.key("share"), raw["share"])
    new_customers = raw.get("new_customers", True)
    if not isinstance(new_customers, bool):
        what = described(new_customers)
        place.key("new_customers").refuse(f"must be true or false, not {what}")
        return None
    if of is None or to is None or share is None:
        return None
    return Experiment(name, of, to, share, new_customers)


def _share(place: Place, value: object) -> int | None:
    if isinstance(value, str):
        value = value.removesuffix("%").strip()
    share = parse_decimal(place, value, 2, "")
    if share is not None and not 0 <= share <= MYRIAD:
        place.refuse("must be from 0 to 100 %")
        return None
    return share


def _check_apart(merged: Merged, found: Mapping[str, Experiment]) -> None:
    """Note a problem for every plan that would be exchanged twice."""
    of: dict[str, str] = {}
    for name, experiment in found.items():
        place = merged.experiments[name][0]
        first = of.setdefault(experiment.of, name)
        if first != name:
            place.key("of").refuse(
                f"{shown(experiment.of)} is in experiment {shown(first)} already"
            )
    for name, experiment in found.items():
        if experiment.to in of:
            merged.experiments[name][0].key("to").refuse(
                f"{shown(experiment.to)} is itself in experiment {shown(of[experiment.to])};"
                " name a plan that is not"
            )
