"""Features: what each plan has of one, a new one, and one that is on for everyone for a time."""

import msgspec

from quotad.catalog.editing.changes import Edit, NoValue, PlanFiles
from quotad.catalog.editing.typed import typed_day
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.drafting import desk, next_of, save_edits, sent_draft
from quotad.dashboard.plan_matrix import matrix
from quotad.dashboard.render import render
from quotad.errors import InvalidRequest, NotFound
from quotad.ids import check_id
from quotad.model import FeatureType
from quotad.plural import plural
from quotad.tokens.roles import Right

KINDS: dict[str, dict[str, str]] = {
    "counter": {"type": "metered"},
    "gauge": {"type": "metered", "kind": "gauge"},
    "concurrency": {"type": "metered", "kind": "concurrency"},
    "boolean": {"type": "boolean"},
    "config": {"type": "config"},
}


class ForEveryone(msgspec.Struct, frozen=True):
    """What switching a feature on for everyone comes to."""

    edits: list[Edit]
    left_out: list[str]
    """Plans with an entry of their own, which would be lost."""


def _features(ask: Ask) -> PageAnswer:
    found = desk(ask)
    return render(ask, "features.html", desk=found, matrix=matrix(found, ask.query))


def _new(ask: Ask) -> PageAnswer:
    feature_id, kind = ask.form.get("feature_id"), ask.form.get("kind")
    check_id(feature_id, "feature_id")
    if kind not in KINDS:
        raise InvalidRequest("kind: is missing")
    path = ("features", feature_id)
    if not isinstance(PlanFiles(sent_draft(ask).files).at(path), NoValue):
        raise InvalidRequest(f"feature_id: there is a feature {feature_id!r} already")
    feature: dict[str, str] = dict(KINDS[kind])
    for name in ("name", "unit"):
        if ask.form.get(name) and (name, kind) != ("unit", "boolean"):
            feature[name] = ask.form.get(name)
    save_edits(ask, [Edit(path, feature)])
    return see_other("/features", "The feature is in your draft; now give it to plans.")


def _everyone(ask: Ask) -> PageAnswer:
    """Switch a boolean feature on in all plans until a day, as one change of the draft."""
    feature_id, until = ask.form.get("feature_id"), ask.form.get("until")
    starts = ask.form.get("from")
    ends_ms = typed_day("until", until)
    if starts and typed_day("from", starts) >= ends_ms:
        raise InvalidRequest("until: must be later than the first day")
    files = PlanFiles(sent_draft(ask).files)
    feature = files.at(("features", feature_id))
    if isinstance(feature, NoValue):
        raise NotFound(f"feature: there is no feature {feature_id!r}")
    if not isinstance(feature, dict) or feature.get("type") != FeatureType.BOOLEAN.value:
        raise InvalidRequest("feature_id: only a boolean feature is on or off")
    made = for_everyone(files, feature_id, until, starts)
    if made.edits:
        save_edits(ask, made.edits)
    since = f"from {starts} " if starts else ""
    note = f"On {since}until {until} in your draft, in {plural(len(made.edits), 'plan')}."
    if made.left_out:
        names = ", ".join(made.left_out)
        note += f" Left as they are, because they have a time or a share: {names}."
    return see_other(next_of(ask, "/features"), note)


def for_everyone(files: PlanFiles, feature_id: str, until: str, starts: str = "") -> ForEveryone:
    """Work out the edits that switch a boolean feature on in every plan for a time.

    A plan that inherits the entry of its base needs none of its own. One that has the feature for
    good keeps it.
    """
    edits, left_out = [], []
    for plan_id in files.names("plans"):
        plan = files.at(("plans", plan_id))
        entries = plan.get("entitlements") if isinstance(plan, dict) else None
        entry = entries.get(feature_id) if isinstance(entries, dict) else None
        if isinstance(entry, dict) and not set(entry) <= {"from", "until"}:
            left_out.append(plan_id)
        inherits = isinstance(plan, dict) and "extends" in plan and entry is None
        if entry is True or inherits or (isinstance(entry, dict) and plan_id in left_out):
            continue
        span = {"from": starts, "until": until} if starts else {"until": until}
        edits.append(Edit(("plans", plan_id, "entitlements", feature_id), span))
    return ForEveryone(edits, left_out)


PAGES = (
    SitePage(method="GET", path="/features", act=_features),
    SitePage(method="POST", path="/features", act=_new, right=Right.PUBLISH),
    SitePage(method="POST", path="/features/everyone", act=_everyone, right=Right.PUBLISH),
)
