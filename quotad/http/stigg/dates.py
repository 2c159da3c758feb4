"""Subscriptions as Stigg's clients ask for them by date: trials, and ends on a day."""

import msgspec

from quotad.customers.checks import no_subscription
from quotad.customers.course import Course
from quotad.customers.settle import settled
from quotad.customers.subscriptions import Provision, Trial
from quotad.errors import InvalidRequest
from quotad.http.stigg import inputs
from quotad.http.stigg.inputs import moment
from quotad.http.stigg.names import SubscriptionName
from quotad.records import CustomerRecord, Subscription


class Dates(msgspec.Struct, frozen=True):
    """What a subscription is asked to have; None: it stays."""

    trial_end_ms: int | None = None
    """Unix time."""
    end_ms: int | None = None
    """Unix time."""
    addons: dict[str, int] | None = None
    unit_quantity: int | None = None


def trial_of(params: inputs.SubscriptionParams) -> Trial | None:
    """The trial that a subscription is to start with; None: none.

    Raises:
        InvalidRequest: no end is given, or what becomes of it is not known.
    """
    wanted = params.trial_override_configuration
    if wanted is None or not wanted.is_trial:
        return None
    field = "trialOverrideConfiguration"
    end_ms = moment(wanted.trial_end_date, f"{field}.trialEndDate")
    if end_ms is None:
        raise InvalidRequest(f"{field}.trialEndDate: missing; plans have no trial of their own")
    return Trial(end_ms, ends=wanted.trial_end_behavior == "CANCEL_SUBSCRIPTION")


def dated(record: CustomerRecord, name: SubscriptionName, wanted: Dates, now_ms: int) -> Provision:
    """The subscription that there is, with other dates.

    Raises:
        NotFound: there is none of that name.
        InvalidRequest: the dates are not possible for what it is.
    """
    record = settled(record, now_ms)
    course = Course(record, name.subscription_id, name.resource_id, now_ms)
    current = course.current
    if current is None:
        raise no_subscription(record, name.subscription_id, name.resource_id)
    field = "cancellationDate" if wanted.trial_end_ms is None else "trialEndDate"
    if course.active is None:
        raise InvalidRequest(f"{field}: the subscription has not started; provision it again")
    _check_what_follows(course.phases, current, course.sequel, field)
    end_ms = (course.sequel or current).end_ms if wanted.end_ms is None else wanted.end_ms
    trial = _trial(current, course.sequel, wanted)
    if trial is not None and trial.ends:
        end_ms = None
    return Provision(
        current.plan_id,
        subscription_id=name.subscription_id,
        resource_id=name.resource_id,
        addons=current.addons if wanted.addons is None else wanted.addons,
        end_ms=end_ms,
        anchor_ms=None if course.sequel is None else course.sequel.anchor_ms,
        trial=trial,
        unit_quantity=wanted.unit_quantity,
    )


def _trial(current: Subscription, sequel: Subscription | None, wanted: Dates) -> Trial | None:
    if not current.trial:
        if wanted.trial_end_ms is not None:
            raise InvalidRequest("trialEndDate: the subscription is in no trial")
        return None
    if sequel is None and wanted.end_ms is not None:
        raise InvalidRequest("cancellationDate: it ends with its trial; give trialEndDate")
    end_ms = current.end_ms if wanted.trial_end_ms is None else wanted.trial_end_ms
    assert end_ms is not None
    follows = "" if sequel is None or sequel.plan_id == current.plan_id else sequel.plan_id
    return Trial(end_ms, ends=sequel is None, plan_id=follows)


def _check_what_follows(
    phases: list[Subscription], current: Subscription, sequel: Subscription | None, field: str
) -> None:
    """Refuse what another date would take back in silence."""
    kept = [current] if sequel is None else [current, sequel]
    if any(phase not in kept for phase in phases):
        raise InvalidRequest(f"{field}: a change of the subscription waits; cancel that first")
    sold = {(tuple(phase.addons.items()), phase.unit_quantity) for phase in kept}
    if len(sold) > 1:
        raise InvalidRequest(
            f"{field}: what follows the trial has other add-ons or units; provision it again"
        )
