"""Rows of an import: read, and checked against the catalog in force.

What becomes of the record that a customer has already is decided in `customers.drafts`.
"""

import re
from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from quotad.catalog import Snapshot, WrittenFloat, parse_entry_value
from quotad.catalog.parse_experiment import EXPERIMENTS_MAX
from quotad.customers.checks import (
    OVERRIDES_MAX,
    PROMOTIONS_MAX,
    SUBSCRIPTIONS_MAX,
    check_addons,
    check_anchor,
    check_unit_quantity,
)
from quotad.customers.drafts import Draft, Phase, carried_out
from quotad.customers.overrides import NewEntitlement, lacks_window, set_override
from quotad.customers.profile import Profile, check_counts, check_external_ids, check_profile
from quotad.customers.rows import (
    SHORTHAND,
    Row,
    RowOverride,
    RowPromotion,
    RowSubscription,
)
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import Entry, Feature, Plan
from quotad.moments import parsed_time
from quotad.nearest import nearest
from quotad.records import CALENDAR, Override, Promotion

MESSAGE_CHARS_MAX = 1000
"""Longest account of what is wrong with one row."""

PHASES_MAX = 4 * SUBSCRIPTIONS_MAX
"""Most phases of all subscriptions of a customer: each two trials, with what follows them."""

_SUGGESTIONS_MAX = 50
"""Most words that a name is suggested for per call: looking for one takes a millisecond."""
_WORD_MAX = 60

_LISTS: dict[str, type[msgspec.Struct]] = {
    "subscriptions": RowSubscription,
    "overrides": RowOverride,
    "promotions": RowPromotion,
}
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "an object",
    "str": "text",
}
"""Types, in msgspec's words and in a person's."""

_decode = msgspec.json.Decoder(Row, float_hook=WrittenFloat).decode


class RowReader:
    """Reads the rows of one call.

    Args:
        snapshot: the catalog in force, which the rows must fit.
        now_ms: Unix time.
        others: catalogs that are only tried, where one is: what a row names needs to fit one of
            all, and has no effect where it does not; revisions, which files do not have, are not
            looked at. None: this is the catalog in force.
    """

    def __init__(
        self, snapshot: Snapshot, now_ms: int, others: Sequence[Snapshot] | None = None
    ) -> None:
        self._snapshot = snapshot
        self._now_ms = now_ms
        self._others = others
        self._all = (snapshot, *(others or ()))
        self._suggestions: dict[tuple[str, str], str] = {}
        self._addons: dict[tuple[object, ...], str] = {}
        self._problems: list[str] = []

    def read(self, data: bytes) -> Draft:
        """Read and check one row.

        Raises:
            InvalidRequest: with everything that is wrong with it, in one line.
        """
        self._problems = []
        row = self._row(data)
        try:
            check_id(row.customer_id, "customer_id")
        except InvalidRequest as error:
            self._refuse(str(error))
        draft = Draft(
            row.customer_id,
            self._phases(row),
            archived=bool(row.archived),
            name=row.name,
            email=row.email,
            timezone=row.timezone,
            metadata=row.metadata,
            external_ids=row.external_ids,
            experiments=self._experiments(row),
        )
        self._check_profile(row)
        if row.overrides or row.promotions:
            overrides = self._overrides(draft, row.overrides or [])
            promotions = self._promotions(draft, row.promotions or [])
            draft = replace(draft, overrides=overrides, promotions=promotions)
        if self._problems:
            raise _refusal("; ".join(self._problems))
        return draft

    def _experiments(self, row: Row) -> tuple[str, ...] | None:
        if row.experiments is None:
            return None
        self._check_count("experiments", len(row.experiments), EXPERIMENTS_MAX)
        names = [self._id(name, f"experiments[{i}]") for i, name in enumerate(row.experiments)]
        return tuple(sorted(set(names) - {""}))

    def _check_profile(self, row: Row) -> None:
        metadata, external_ids = row.metadata or {}, row.external_ids or {}
        wanted = Profile(row.name, row.email, row.timezone, metadata, external_ids)
        try:
            check_profile(wanted)
            check_counts(metadata, external_ids)
        except InvalidRequest as error:
            self._refuse(str(error))

    def _row(self, data: bytes) -> Row:
        try:
            return _decode(data)
        except msgspec.ValidationError as error:
            raise _refusal(self._misfit(str(error))) from error
        except UnicodeDecodeError as error:
            raise _refusal("is not UTF-8") from error
        except (msgspec.DecodeError, RecursionError) as error:
            why = str(error).removeprefix("JSON is malformed: ")
            raise _refusal(f"is not a JSON object: {why[:1].lower()}{why[1:]}") from error

    def _misfit(self, text: str) -> str:
        """What is wrong with the shape, from msgspec's words for it."""
        problem, _, path = text.partition(" - at `$")
        path = path.removesuffix("`").removeprefix(".").replace("[...]", ".*")
        unknown = re.search(r"unknown field `(.*)`", problem, re.DOTALL)
        if unknown is not None:
            shape = _LISTS.get(path.partition("[")[0], Row)
            problem = f"unknown key {self._unknown(unknown[1], shape.__struct_fields__, 'key')}"
        missing = re.search(r"required field `(.*)`", problem)
        if missing is not None:
            path = f"{path}.{missing[1]}" if path else missing[1]
            problem = "missing"
        other = re.fullmatch(r"Expected `(\w+).*`, got `(\w+)`", problem)
        if other is not None:
            expected, got = (_WORDS.get(word, word) for word in other.groups())
            problem = f"must be {expected}, not {got}"
        return f"{path}: {problem}" if path else problem

    def _phases(self, row: Row) -> tuple[Phase, ...]:
        given = [key for key in SHORTHAND if getattr(row, key) is not None]
        if row.subscriptions is None:
            if row.plan is None:
                self._refuse("plan: missing; for a customer without one write subscriptions: []")
                return ()
            one = RowSubscription(row.plan, row.start, row.end, addons=row.addons)
            one.resource, one.unit_quantity = row.resource, row.unit_quantity
            return (self._phase(one, ""),)
        if given:
            self._refuse(f"{given[0]}: belongs into subscriptions, which the row has as well")
        phases = [
            self._phase(each, f"subscriptions[{i}].") for i, each in enumerate(row.subscriptions)
        ]
        self._check_apart(phases)
        self._check_count("subscriptions: phases", len(phases), PHASES_MAX)
        return tuple(phases)

    def _phase(self, row: RowSubscription, path: str) -> Phase:
        phase = Phase(
            row.plan,
            start_ms=self._time(row.start, path + "start"),
            subscription_id=self._id(row.id, path + "id"),
            resource_id=self._id(row.resource, path + "resource"),
            end_ms=self._time(row.end, path + "end"),
            anchor_ms=(
                CALENDAR if row.anchor == "calendar" else self._time(row.anchor, path + "anchor")
            ),
            revision=row.revision if self._others is None else None,
            addons=row.addons or {},
            trial=bool(row.trial),
            unit_quantity=1 if row.unit_quantity is None else row.unit_quantity,
            external_ids=row.external_ids or {},
        )
        plan = self._snapshot.plans.get(row.plan)
        if plan is None:
            if not any(row.plan in each.plans for each in self._all):
                name = self._unknown(row.plan, self._snapshot.plans, "plan")
                self._refuse(f"{path}plan: unknown plan {name}")
        elif phase.revision is not None and not 1 <= phase.revision <= plan.revision:
            known = "1" if plan.revision == 1 else f"1 to {plan.revision}"
            self._refuse(
                f"{path}revision: plan {row.plan!r} has no revision {row.revision}"
                f" (known: {known}); leave it out for the latest"
            )
        try:
            check_anchor(phase.anchor_ms, path + "anchor")
            check_unit_quantity(phase.unit_quantity, path + "unit_quantity")
            check_external_ids(phase.external_ids, path + "external_ids")
            check_counts({}, phase.external_ids)
        except InvalidRequest as error:
            self._refuse(str(error))
        if phase.trial and phase.end_ms is None:
            self._refuse(f"{path}end: missing; a trial needs one")
        start_ms, end_ms = phase.start_ms, phase.end_ms
        if start_ms is not None and end_ms is not None and end_ms <= start_ms:
            self._refuse(f"{path}end: is not after the start")
        if phase.addons and self._others:
            return replace(phase, addons=self._addons_here(phase, path))
        if plan is not None and phase.addons:
            self._check_addons(phase.addons, plan, path)
        return phase

    def _addons_here(self, phase: Phase, path: str) -> dict[str, int]:
        """The add-ons that this one of several catalogs lets the plan have."""
        here: dict[str, int] = {}
        for addon_id, quantity in phase.addons.items():
            knowing = [each for each in self._all if addon_id in each.addons]
            problems: list[str] = []
            for snapshot in knowing or self._all:
                plan = snapshot.plans.get(phase.plan_id)
                if plan is None:
                    continue
                try:
                    check_addons(snapshot, {addon_id: quantity}, plan)
                except InvalidRequest as error:
                    problems.append(str(error))
                else:
                    if snapshot is self._snapshot:
                        here[addon_id] = quantity
                    break
            else:
                for problem in problems[:1]:
                    self._refuse(path + problem)
        return here

    def _check_addons(self, addons: dict[str, int], plan: Plan, path: str) -> None:
        # Most rows of a file have one of a few combinations.
        key = (plan.plan_id, *sorted(addons.items()))
        if key not in self._addons:
            try:
                check_addons(self._snapshot, addons, plan)
                self._addons[key] = ""
            except InvalidRequest as error:
                self._addons[key] = str(error)
        if self._addons[key]:
            self._refuse(path + self._addons[key])

    def _check_apart(self, phases: list[Phase]) -> None:
        """Refuse phases of one subscription that are the same."""
        seen: dict[tuple[str, str], list[int]] = {}
        for index, phase in enumerate(phases):
            seen.setdefault((phase.resource_id, phase.subscription_id), []).append(index)
        self._check_count("subscriptions", len(seen), SUBSCRIPTIONS_MAX)
        for same in seen.values():
            starts = [phases[index].start_ms for index in same]
            if len(same) > 1 and (None in starts or len(set(starts)) < len(starts)):
                self._refuse(
                    f"subscriptions[{same[1]}]: is of the same subscription as"
                    f" subscriptions[{same[0]}]; give it an id of its own, or each a start of its"
                    " own to make them phases"
                )

    def _overrides(self, draft: Draft, rows: list[RowOverride]) -> tuple[Override, ...]:
        made: list[Override] = []
        for i, row in enumerate(rows):
            path = f"overrides[{i}]."
            entry = self._entry(draft, row, path)
            resource_id = self._id(row.resource, path + "resource")
            start_ms = self._time(row.start, path + "start")
            if entry is not None:
                made.append(Override(row.feature, entry, resource_id, start_ms))
        self._check_once("overrides", rows)
        self._check_count("overrides", len(rows), OVERRIDES_MAX)
        return tuple(made)

    def _promotions(self, draft: Draft, rows: list[RowPromotion]) -> tuple[Promotion, ...]:
        made: list[Promotion] = []
        for i, row in enumerate(rows):
            path = f"promotions[{i}]."
            entry = self._entry(draft, row, path)
            resource_id = self._id(row.resource, path + "resource")
            end_ms = self._time(row.end, path + "end")
            start_ms = self._time(row.start, path + "start")
            if start_ms is not None and end_ms is not None and end_ms <= start_ms:
                self._refuse(f"{path}end: is not after the start")
            if entry is not None and not entry.granted:
                self._refuse(f"{path}entitlement: a promotion grants; to revoke use an override")
            elif entry is not None:
                made.append(Promotion(row.feature, entry, end_ms, resource_id, start_ms))
        self._check_once("promotions", rows)
        self._check_count("promotions", len(rows), PROMOTIONS_MAX)
        return tuple(made)

    def _entry(self, draft: Draft, row: RowOverride | RowPromotion, path: str) -> Entry | None:
        problems: list[str] = []
        for snapshot in self._all:
            feature = snapshot.features.get(row.feature)
            if feature is None:
                continue
            try:
                entry = self._entry_in(snapshot, feature, draft, row)
            except InvalidRequest as error:
                problems.append(str(error))
            else:
                return entry if snapshot is self._snapshot else None
        if problems:
            problem = problems[0]
            if problem.startswith("resource_id: "):
                problem = problem.replace("resource_id", "resource", 1)  # as rows have it
        else:
            name = self._unknown(row.feature, self._snapshot.features, "feature")
            problem = f"feature: unknown feature {name}"
        self._refuse(path + problem)
        return None

    def _entry_in(
        self, snapshot: Snapshot, feature: Feature, draft: Draft, row: RowOverride | RowPromotion
    ) -> Entry:
        entry = parse_entry_value(feature, row.entitlement)
        if not lacks_window(feature, row.entitlement) or self._problems:
            return entry
        # As when it is set for one customer: the window of what it takes the place of.
        record = carried_out(draft, None, snapshot, self._now_ms)
        wanted = NewEntitlement(row.feature, row.entitlement, row.resource or "")
        record = set_override(record, wanted, snapshot, self._now_ms)
        return record.overrides[-1].entry

    def _check_count(self, name: str, count: int, most: int) -> None:
        if count > most:
            self._refuse(f"{name}: {count} of them; at most {most}")

    def _check_once(self, name: str, rows: Collection[RowOverride | RowPromotion]) -> None:
        seen: dict[tuple[str, str | None], int] = {}
        for index, row in enumerate(rows):
            first = seen.setdefault((row.feature, row.resource or None), index)
            if first != index:
                self._refuse(f"{name}[{index}]: is for the same feature as {name}[{first}]")

    def _id(self, text: str | None, path: str) -> str:
        if text:
            try:
                check_id(text, path)
            except InvalidRequest as error:
                self._refuse(str(error))
        return text or ""

    def _time(self, text: str | None, path: str) -> int | None:
        if text is None:
            return None
        ms = parsed_time(text)
        if ms is None:
            self._refuse(
                f"{path}: {text[:_WORD_MAX]!r} is not a time such as 2026-01-31T09:00:00Z,"
                " from 1970 to 9999"
            )
        return ms

    def _refuse(self, text: str) -> None:
        self._problems.append(text)

    def _unknown(self, word: str, names: Collection[str], kind: str) -> str:
        """The word in quotes, with what was probably meant."""
        key = (kind, word)
        if key not in self._suggestions:
            near = nearest(word, names) if len(self._suggestions) < _SUGGESTIONS_MAX else None
            hint = f", did you mean {near!r}?" if near else ""
            if not hint and kind == "key":
                hint = f" (known: {', '.join(names)})"
            if len(self._suggestions) >= _SUGGESTIONS_MAX:
                return f"{word[:_WORD_MAX]!r}{hint}"
            self._suggestions[key] = f"{word[:_WORD_MAX]!r}{hint}"
        return self._suggestions[key]


def _refusal(text: str) -> InvalidRequest:
    short = len(text) <= MESSAGE_CHARS_MAX
    return InvalidRequest(text if short else text[:MESSAGE_CHARS_MAX] + "...")
