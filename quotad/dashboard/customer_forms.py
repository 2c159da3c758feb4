"""What is done to a customer: plan, overrides, promotions, usage, what it is known by."""

import functools
from collections.abc import Callable

from quotad.catalog.editing.typed import looks_numeric, typed_day, typed_number, typed_whole
from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.dashboard.ask import Ask, FormFields, PageAct, PageAnswer, SitePage, see_other
from quotad.dashboard.customer import customer_page
from quotad.dashboard.drafting import next_of
from quotad.dashboard.shown import segment
from quotad.dashboard.wrong import Edited, wrong_of
from quotad.decision import ConsumeRequest, Mode
from quotad.errors import InvalidRequest, NotFound, QuotadError, StoreUnavailable
from quotad.held import Because, Setting
from quotad.http.problems import status_of
from quotad.model import Feature, FeatureType
from quotad.operations.customers import CustomerOperations
from quotad.tokens.roles import Right

GRANT_FIELDS = ("amount", "per", "value", "from", "until")

_FIELDS = {
    "plan": ("units", "trial_end", "addons", "start"),
    "override": GRANT_FIELDS,
    "promote": GRANT_FIELDS,
    "usage": ("quantity", "per"),
    "profile": ("name", "email", "timezone"),
}
"""Fields of the forms that can be marked."""

GRANTS_CALLED = {"start": "from", "end": "until"}

_CALLED = {
    "plan": {"unit_quantity": "units", "end": "trial_end"},
    "override": GRANTS_CALLED,
    "promote": GRANTS_CALLED,
}
"""And what calls have for them."""


def done(act: Callable[[Ask], str]) -> PageAct:
    """Show the customer's page afterwards: with what was done, or with why not and the form."""

    @functools.wraps(act)
    def answer(ask: Ask) -> PageAnswer:
        try:
            note = act(ask)
        except StoreUnavailable:
            raise
        except QuotadError as error:
            form = ask.form.get("form")
            edited = Edited(_FIELDS.get(form, ()), called=_CALLED.get(form, {}))
            return customer_page(ask, status_of(error), wrong_of(error, edited), ask.form)
        return see_other(next_of(ask, f"/customers/{segment(ask.segments['customer_id'])}"), note)

    return answer


@done
def _plan(ask: Ask) -> str:
    form, customer_id = ask.form, ask.segments["customer_id"]
    when, epoch = form.get("when", "now"), epoch_of(form)
    plan_id = form.get("plan_id")
    units = whole(form, "units")
    counts = {name: form.get(f"addon_{name}") for name in form.all("addon")}
    addons = {
        name: count
        for name, text in counts.items()
        if text and (count := typed_whole("addons", text))
    }
    customers = _customers(ask)
    trial_ms = time_of(form, "trial_end")
    start_ms = time_of(form, "start") if when == "date" else None
    if when == "date" and start_ms is None:
        raise InvalidRequest("start: missing; pick the day on which the plan starts")
    if trial_ms is not None or start_ms is not None or not _is_subscribed(ask, customer_id):
        trial = None if trial_ms is None else Trial(trial_ms)
        customers.provision(
            customer_id,
            Provision(plan_id, start_ms, addons=addons, trial=trial, unit_quantity=units),
            epoch,
        )
    else:
        change = Change(
            plan_id=plan_id,
            addons=addons,
            at_period_end=when == "period_end",
            unit_quantity=units,
        )
        customers.change_subscription(customer_id, change, epoch)
    return "The subscription was changed." if when == "now" else "The change was scheduled."


def _is_subscribed(ask: Ask, customer_id: str) -> bool:
    try:
        stored = ask.context.parts.customers.get(customer_id)
    except NotFound:
        return False
    shown = ask.context.parts.customers.show(stored)
    assert stored.record is not None
    return not stored.record.archived and any(
        status.name in ("ACTIVE", "IN_TRIAL") and not (phase.subscription_id or phase.resource_id)
        for phase, status in zip(stored.record.subscriptions, shown.statuses, strict=True)
    )


@done
def _cancel(ask: Ask) -> str:
    form = ask.form
    wanted = Cancellation(
        form.get("subscription_id"), form.get("resource_id"), form.get("when") == "period_end"
    )
    _customers(ask).cancel_subscription(ask.segments["customer_id"], wanted, epoch_of(form))
    later = " It ends with its billing period." if wanted.at_period_end else ""
    return f"The subscription was cancelled.{later}"


@done
def _latest(ask: Ask) -> str:
    form = ask.form
    wanted = Change(form.get("subscription_id"), form.get("resource_id"), latest_revision=True)
    _customers(ask).change_subscription(ask.segments["customer_id"], wanted, epoch_of(form))
    return "It is on the latest revision of its plan."


@done
def _override(ask: Ask) -> str:
    wanted = entitlement_of(ask.form, _feature(ask))
    _customers(ask).set_override(ask.segments["customer_id"], wanted, epoch_of(ask.form))
    return f"{_name(ask)} was overridden."


@done
def _remove_override(ask: Ask) -> str:
    feature_id, resource_id = ask.form.get("feature_id"), ask.form.get("resource_id")
    _customers(ask).remove_override(
        ask.segments["customer_id"], feature_id, resource_id, epoch_of(ask.form)
    )
    return f"The override of {_name(ask)} was removed."


@done
def _promote(ask: Ask) -> str:
    wanted = entitlement_of(ask.form, _feature(ask))
    _customers(ask).grant_promotion(ask.segments["customer_id"], wanted, epoch_of(ask.form))
    return f"{_name(ask)} was promoted."


@done
def _end_promotion(ask: Ask) -> str:
    feature_id, resource_id = ask.form.get("feature_id"), ask.form.get("resource_id")
    _customers(ask).revoke_promotion(
        ask.segments["customer_id"], feature_id, resource_id, epoch_of(ask.form)
    )
    return f"The promotion of {_name(ask)} has ended."


@done
def _correct(ask: Ask) -> str:
    form, customer_id = ask.form, ask.segments["customer_id"]
    feature_id, verb = form.get("feature_id"), form.get("verb")
    quantity = whole(form, "quantity")
    # Named as the actor, too: a refund without either is not kept among the corrections.
    because = Because(form.get("reason"), ask.visitor.name, ask.visitor.name)
    with ask.deciding() as decisions:
        if verb == "refund":
            if not quantity:
                raise InvalidRequest("quantity: missing; how much is given back?")
            request = ConsumeRequest(customer_id, feature_id, -quantity, mode=Mode.REFUND)
            given = decisions.refund(request, "", because)
            return f"{-given.granted:,} of {_name(ask)} given back."
        used = 0 if verb == "reset" else quantity
        if used is None:
            raise InvalidRequest("quantity: missing; how much was really used?")
        setting = Setting(customer_id, feature_id, used, per=form.get("per"))
        decisions.set_usage(setting, because)
        return f"Usage of {_name(ask)} is {used:,} now."


@done
def _profile(ask: Ask) -> str:
    form = ask.form
    wanted = Profile(form.get("name"), form.get("email"), form.get("timezone"))
    _customers(ask).update(ask.segments["customer_id"], wanted, epoch_of(form))
    return "Saved."


@done
def _archive(ask: Ask) -> str:
    _customers(ask).archive(ask.segments["customer_id"], epoch_of(ask.form))
    return "Archived: everything is denied from now on."


def _customers(ask: Ask) -> CustomerOperations:
    """The operations as those of the visitor."""
    return ask.context.parts.customers.by(ask.visitor.name, ask.form.get("comment"))


def _feature(ask: Ask) -> Feature | None:
    return ask.context.parts.worker.snapshots.newest().features.get(ask.form.get("feature_id"))


def _name(ask: Ask) -> str:
    """What people call the feature of a form."""
    feature, feature_id = _feature(ask), ask.form.get("feature_id")
    return (feature.name if feature else "") or feature_id


def entitlement_of(form: FormFields, feature: Feature | None) -> NewEntitlement:
    """What is granted, as a person has put it together.

    Args:
        form: of an override or a promotion.
        feature: that it is about; None: there is none.

    Raises:
        InvalidRequest: something of it is missing, or typed wrong.
    """
    feature_id, kind = form.get("feature_id"), form.get("kind")
    kind_of = None if feature is None else feature.type
    if kind == "limit" and not form.get("amount") and kind_of is not FeatureType.METERED:
        # As a browser without scripts leaves it.
        kind = "value" if kind_of is FeatureType.CONFIG else "on"
    value: object
    if kind == "limit":
        amount = form.get("amount")
        if not amount:
            raise InvalidRequest("amount: missing; how much is the limit?")
        per = form.get("per")
        value = {"limit": typed_whole("amount", amount), **({"per": per} if per else {})}
    elif kind == "value":
        text = form.get("value")
        if not text:
            raise InvalidRequest("value: missing; which value?")
        value = typed_number("value", text) if looks_numeric(text) else text
    else:
        value = {"on": True, "off": False}.get(kind, "unlimited")
    return NewEntitlement(feature_id, value, "", time_of(form, "until"), time_of(form, "from"))


def whole(form: FormFields, name: str) -> int | None:
    """A whole number of a form; None: it was left empty.

    Raises:
        InvalidRequest: it is none.
    """
    text = form.get(name)
    return typed_whole(name, text) if text else None


def time_of(form: FormFields, name: str) -> int | None:
    """A day or a moment of a form, in UTC; None: it was left empty.

    Raises:
        InvalidRequest: it is none.
    """
    text = form.get(name)
    return typed_day(name, text) if text else None


def epoch_of(form: FormFields) -> int | None:
    """The epoch that the page has shown; None: it had none."""
    return whole(form, "epoch")


def _form(path: str, act: PageAct) -> SitePage:
    return SitePage(
        method="POST", path=f"/customers/{{customer_id}}/{path}", act=act, right=Right.MANAGE
    )


PAGES = (
    _form("plan", _plan),
    _form("cancel", _cancel),
    _form("latest", _latest),
    _form("override", _override),
    _form("override/remove", _remove_override),
    _form("promotion", _promote),
    _form("promotion/end", _end_promotion),
    _form("usage", _correct),
    _form("profile", _profile),
    _form("archive", _archive),
)
