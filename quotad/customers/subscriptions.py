"""Changes to a customer's subscriptions: pure functions from the record before to the one after.

A subscription is a row of phases (`model.Subscription`). Every change first drops what is over,
so that a record never holds more than what is in force and what waits; what has ended stays to be
seen until the next change. Overrides and promotions are next door.
"""

from collections.abc import Mapping, Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.customers.checks import (
    check_addons,
    check_anchor,
    check_subscriptions,
    check_units,
    no_subscription,
    plan_named,
    plan_on_sale,
)
from quotad.customers.course import Course, own_anchor, start_and_anchor
from quotad.customers.profile import UNCHANGED, Profile, check_counts, merged, with_profile
from quotad.customers.resets import counted, resetting
from quotad.customers.settle import default_subscription, running, settled
from quotad.entitlements.phases import (
    billing_period_end,
    no_earlier_than_written,
    order,
    subscription_of,
)
from quotad.errors import InvalidRequest
from quotad.records import CustomerRecord, Subscription


class Trial(msgspec.Struct, frozen=True):
    """A subscription that starts with a trial."""

    end_ms: int
    """Unix time."""
    ends: bool = False
    """Nothing follows; else the subscription continues."""
    plan_id: str = ""
    """What it continues with; empty: the plan of the trial."""


class Provision(msgspec.Struct, frozen=True):
    """A subscription as requested; times in Unix time."""

    plan_id: str
    start_ms: int | None = None
    """In the future: what is in force today stays until then, also if it would have ended. None:
    the start of the subscription in force, so that its billing periods continue, or now."""
    subscription_id: str = ""
    resource_id: str = ""
    addons: dict[str, int] = {}
    end_ms: int | None = None
    anchor_ms: int | None = None
    """Of the billing periods. None: that of the subscription in force when its start is kept,
    or the start; of what follows a trial, the end of the trial."""
    trial: Trial | None = None
    profile: Profile = UNCHANGED
    """What the customer is known by."""
    unit_quantity: int | None = None
    """None: that of the subscription as it is, or 1."""
    external_ids: Mapping[str, str] = {}
    """Of the subscription, by system; those that are not there stay, an empty one is removed."""


class Change(msgspec.Struct, frozen=True):
    """A change of a subscription, as requested."""

    subscription_id: str = ""
    resource_id: str = ""
    plan_id: str = ""
    """Empty: stays."""
    addons: dict[str, int] | None = None
    """All of them; None: they stay."""
    latest_revision: bool = False
    at_period_end: bool = False
    """When the billing period under way ends; of a trial, when it ends."""
    unit_quantity: int | None = None
    """None: it stays."""


class Cancellation(msgspec.Struct, frozen=True):
    """The end of a subscription, as requested."""

    subscription_id: str = ""
    resource_id: str = ""
    at_period_end: bool = False
    """When the billing period under way ends; of a trial, when it ends."""


def provision(
    record: CustomerRecord, wanted: Provision, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Put a customer on a plan; brings an archived one back.

    The same request again changes nothing: start, billing periods and revision of the plan stay.
    One that was on the default plan without a record, and is not put on another plan now, has it
    as a subscription from now on: else a resource, or a plan to come, would take it away.

    Raises:
        InvalidRequest: plan or add-ons are not offered, or times are in the wrong order.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    default = None if record.created_ms else default_subscription(snapshot, now_ms)
    record = settled(record, now_ms)
    course = Course(record, wanted.subscription_id, wanted.resource_id, now_ms)
    phases = _provisioned(_without_past_trial(wanted, course, now_ms), snapshot, course, now_ms)
    replaced = course.plan_id
    if default is not None:
        is_main = not wanted.subscription_id and not wanted.resource_id
        if is_main:
            replaced = default.plan_id
        if not is_main:
            record = msgspec.structs.replace(record, subscriptions=(default,))
        elif phases[0].start_ms > now_ms:
            phases = [default, *phases]
    if phases[0].start_ms > now_ms:
        phases = [*course.until(phases[0].start_ms), *phases]
    record = msgspec.structs.replace(
        record,
        archived=False,
        created_ms=record.created_ms or now_ms,
        experiments=record.experiments if record.created_ms else running(snapshot),
    )
    record = with_profile(record, wanted.profile)
    made = _with_phases(record, wanted, resetting(phases, replaced, snapshot, now_ms), now_ms)
    check_subscriptions(made)
    return made


def _without_past_trial(wanted: Provision, course: Course, now_ms: int) -> Provision:
    """What is asked for where the trial is over and what followed it is in force."""
    trial, active = wanted.trial, course.active
    if trial is None or trial.ends or active is None or active.trial:
        return wanted
    if trial.end_ms > now_ms or trial.end_ms != active.start_ms:
        return wanted
    plan_id = trial.plan_id or wanted.plan_id
    return msgspec.structs.replace(wanted, plan_id=plan_id, start_ms=None, trial=None)


def _provisioned(
    wanted: Provision, snapshot: Snapshot, course: Course, now_ms: int
) -> list[Subscription]:
    """The phases that are asked for: one, or a trial and what follows it."""
    trial = wanted.trial
    held = course.held(wanted.plan_id, wanted.start_ms)
    start_ms, anchor_ms = start_and_anchor(
        course.active, wanted.start_ms, wanted.anchor_ms, now_ms, trial=trial is not None
    )
    _check_times(wanted, start_ms, now_ms)
    if held:
        revision = held[0].revision
    else:
        revision = plan_on_sale(snapshot, wanted.plan_id, "plan_id").revision
    first = Subscription(
        wanted.plan_id,
        start_ms,
        wanted.subscription_id,
        wanted.resource_id,
        wanted.end_ms if trial is None else trial.end_ms,
        own_anchor(start_ms, anchor_ms),
        revision,
        wanted.addons,
        trial is not None,
        unit_quantity=_units(wanted, course),
        external_ids=_external_ids(wanted, course),
    )
    plan = plan_named(snapshot, first.plan_id, "plan_id")
    check_units(snapshot, first)
    # What a customer has stays when it is not sold any more, also if it is requested again.
    if all(phase.addons != first.addons for phase in held):
        check_addons(snapshot, first.addons, plan, held[0].addons if held else {})
    if trial is None or trial.ends:
        return [first]
    return [first, _sequel(first, wanted, trial, course, snapshot)]


def _units(wanted: Provision, course: Course) -> int:
    """How many units are asked for: seats that were bought are not lost without a word."""
    if wanted.unit_quantity is not None:
        return wanted.unit_quantity
    return 1 if course.current is None else course.current.unit_quantity


def _external_ids(wanted: Provision, course: Course) -> dict[str, str]:
    before = {} if course.current is None else course.current.external_ids
    found = merged(before, wanted.external_ids)
    check_counts({}, found)
    return found


def _sequel(
    first: Subscription, wanted: Provision, trial: Trial, course: Course, snapshot: Snapshot
) -> Subscription:
    """What follows a trial."""
    plan_id, revision = first.plan_id, first.revision
    if trial.plan_id not in ("", plan_id):
        plan_id, known = trial.plan_id, course.after_trial(trial.end_ms)
        if known is None or known.plan_id != plan_id:
            plan = plan_on_sale(snapshot, plan_id, "trial.plan_id")
            revision, known = plan.revision, None
        else:
            plan, revision = plan_named(snapshot, plan_id, "trial.plan_id"), known.revision
        if known is None or known.addons != wanted.addons:
            check_addons(snapshot, wanted.addons, plan, {} if known is None else known.addons)
    sequel = msgspec.structs.replace(
        first,
        plan_id=plan_id,
        revision=revision,
        start_ms=trial.end_ms,
        end_ms=wanted.end_ms,
        anchor_ms=wanted.anchor_ms,
        trial=False,
    )
    check_units(snapshot, sequel)
    return sequel


def _check_times(wanted: Provision, start_ms: int, now_ms: int) -> None:
    check_anchor(wanted.anchor_ms, "anchor")
    trial = wanted.trial
    starts_ms = start_ms
    if trial is not None:
        if trial.ends and trial.plan_id:
            raise InvalidRequest("trial.plan_id: nothing follows a trial that ends; leave it out")
        if trial.ends and wanted.end_ms is not None:
            raise InvalidRequest("end: a trial that ends has an end of its own; leave it out")
        if trial.end_ms <= now_ms:
            raise InvalidRequest("trial.end: the trial would be over; give a later end")
        if trial.end_ms <= start_ms:
            raise InvalidRequest("trial.end: must be later than the start of the subscription")
        starts_ms = trial.end_ms
    if wanted.end_ms is None:
        return
    if wanted.end_ms <= now_ms:
        raise InvalidRequest("end: the subscription would be over; give a later end")
    if wanted.end_ms <= starts_ms:
        before = "start of the subscription" if trial is None else "end of its trial"
        raise InvalidRequest(f"end: must be later than the {before}")


def change_subscription(
    record: CustomerRecord, wanted: Change, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Change plan, add-ons, units or revision of a subscription; its billing periods stay.

    Replaces a change that still waits. In a trial the plan that follows it is changed as well,
    and the trial continues until its end; one that has not started is changed as it will start.

    Raises:
        NotFound: there is no such subscription.
        InvalidRequest: nothing to change, plan or add-ons are not offered, or the subscription
            ends before the change would take force.
    """
    given = wanted.plan_id, wanted.addons, wanted.unit_quantity, wanted.latest_revision
    if given == ("", None, None, False):
        raise InvalidRequest(
            "plan_id: nothing to change; give plan_id, addons, unit_quantity or latest_revision"
        )
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(record, now_ms)
    course = Course(record, wanted.subscription_id, wanted.resource_id, now_ms)
    current = course.current
    if current is None:
        raise no_subscription(record, wanted.subscription_id, wanted.resource_id)
    if wanted.at_period_end:
        if course.active is None:
            raise InvalidRequest("when: the subscription has not started; change it now")
        phases = _changed_later(current, course.sequel, wanted, snapshot, now_ms)
    else:
        phases = [_changed(phase, wanted, snapshot) for phase in (current, course.sequel) if phase]
    replaced = course.plan_id
    return _with_phases(record, wanted, resetting(phases, replaced, snapshot, now_ms), now_ms)


def _changed_later(
    current: Subscription,
    sequel: Subscription | None,
    wanted: Change,
    snapshot: Snapshot,
    now_ms: int,
) -> list[Subscription]:
    if current.trial:
        if sequel is None:
            raise InvalidRequest("when: nothing follows the trial; change it now")
        return [current, _changed(sequel, wanted, snapshot)]
    at_ms = billing_period_end(current, snapshot, now_ms)
    if current.end_ms is not None and current.end_ms <= at_ms:
        raise InvalidRequest(
            "when: the subscription ends before its next billing period; change it now, or"
            " provision it without an end first"
        )
    changed = _changed(current, wanted, snapshot)
    if changed == current:  # takes back what waited
        return [current]
    later = msgspec.structs.replace(changed, start_ms=at_ms, anchor_ms=current.anchor)
    return [current, later]


def _changed(phase: Subscription, wanted: Change, snapshot: Snapshot) -> Subscription:
    """A phase with what is wanted of it."""
    plan_id = wanted.plan_id or phase.plan_id
    revision = phase.revision
    if plan_id != phase.plan_id:
        plan = plan_on_sale(snapshot, plan_id, "plan_id")
        revision = plan.revision
    else:
        plan = plan_named(snapshot, plan_id, "plan_id")
        if wanted.latest_revision:
            revision = plan.revision
    addons = phase.addons if wanted.addons is None else wanted.addons
    if addons != phase.addons or plan_id != phase.plan_id:
        check_addons(snapshot, addons, plan, phase.addons if plan_id == phase.plan_id else {})
    units = phase.unit_quantity if wanted.unit_quantity is None else wanted.unit_quantity
    changed = msgspec.structs.replace(
        phase, plan_id=plan_id, revision=revision, addons=addons, unit_quantity=units
    )
    if units != phase.unit_quantity or plan_id != phase.plan_id:
        check_units(snapshot, changed)
    return changed


def cancel_subscription(
    record: CustomerRecord, wanted: Cancellation, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """End a subscription now, or when its billing period ends; a trial, when the trial ends.

    Takes back what waits; one that has not started is gone.

    Raises:
        NotFound: there is no such subscription.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(record, now_ms)
    course = Course(record, wanted.subscription_id, wanted.resource_id, now_ms)
    current = course.current
    if current is None:
        raise no_subscription(record, wanted.subscription_id, wanted.resource_id)
    if course.active is None:
        return _with_phases(record, wanted, [], now_ms)
    end_ms = now_ms
    if wanted.at_period_end:
        # A trial has an end: taking back what follows it is all there is to do.
        if not current.trial:
            end_ms = billing_period_end(current, snapshot, now_ms)
        if current.end_ms is not None and (current.trial or current.end_ms < end_ms):
            end_ms = current.end_ms
    ended = msgspec.structs.replace(current, end_ms=end_ms)
    return _with_phases(record, wanted, [ended], now_ms)


def archive(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """Deny the customer everything until it is provisioned again."""
    now_ms = no_earlier_than_written(record, now_ms)
    return msgspec.structs.replace(settled(record, now_ms), archived=True, updated_ms=now_ms)


def _with_phases(
    record: CustomerRecord,
    wanted: Provision | Change | Cancellation,
    phases: Sequence[Subscription],
    now_ms: int,
) -> CustomerRecord:
    """The record with these phases in place of those of one subscription."""
    named = (wanted.resource_id, wanted.subscription_id)
    others = [phase for phase in record.subscriptions if subscription_of(phase) != named]
    ordered = tuple(sorted([*others, *phases], key=order))
    changed = msgspec.structs.replace(record, subscriptions=ordered, updated_ms=now_ms)
    return counted(changed, now_ms)


def unarchive(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """Give an archived customer back what it would have had it not been archived: what ended or
    began meanwhile, has."""
    now_ms = no_earlier_than_written(record, now_ms)
    return msgspec.structs.replace(settled(record, now_ms), archived=False, updated_ms=now_ms)
