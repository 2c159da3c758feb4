"""A plan tried on the past: a log is uploaded, run beside calls, and its report shown."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from quotad.customers.rows import write_row
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.drafting import desk
from quotad.dashboard.plan_order import names_in_order
from quotad.dashboard.render import render
from quotad.dashboard.rights import REASONS
from quotad.dashboard.wrong import in_words
from quotad.errors import InvalidRequest, NotFound, QuotadError
from quotad.operations.ledger_log import write_ledger
from quotad.operations.trials import (
    LOG_BYTES_MAX,
    SECONDS_MAX,
    PastTrial,
    TrialFolder,
    as_ever,
    now_ms,
)
from quotad.past_job import PastCatalog, PastJob
from quotad.plural import plural
from quotad.store.facets import Wanted
from quotad.tokens.roles import Right

LEDGER = "ledger"
"""The format that needs none of the templates."""

FORMATS = {
    "combined": "Apache or nginx, combined",
    "common": "Apache or nginx, common",
    "vhost_combined": "Apache, with the virtual host in front",
    "jsonl": "JSON, an object per line",
    "alb": "AWS load balancer",
    "envoy": "Envoy",
    "w3c": "W3C (IIS, CloudFront)",
    LEDGER: "The ledger: a file of its archive",
    "pattern": "Another: the pattern below",
}

DAYS_MAX = 366
"""Of the ledger."""

DAY_MS = 86_400_000

BARS_MAX = 120
ROWS_SHOWN = 50
EXPORTED = 500
"""Customers read at once."""


class PastBar(msgspec.Struct):
    """A stretch of time in the chart."""

    start: int
    """Unix time in seconds."""
    allowed: int = 0
    denied: int = 0
    before: int = 0


def _form_page(ask: Ask, typed: FormFields | None = None, message: str = "") -> PageAnswer:
    snapshot = ask.context.parts.worker.snapshots.peek
    features = {} if snapshot is None else snapshot.features
    may_draft = ask.visitor.may("publish")
    return render(
        ask,
        "past.html",
        400 if message else 200,
        message=message,
        typed=typed or FormFields(),
        formats=FORMATS,
        plans={} if snapshot is None else names_in_order(snapshot),
        features={
            key: each.name or key for key, each in features.items() if each.type.name == "METERED"
        },
        drafted=may_draft and desk(ask).changed,
        trials=ask.context.trials.of(ask.visitor.person),
        days_max=DAYS_MAX,
        has_archive=ask.context.parts.ledger.archive is not None,
        log_mb=LOG_BYTES_MAX // 1024**2,
        minutes=round(SECONDS_MAX / 60),
    )


def _show_form(ask: Ask) -> PageAnswer:
    return _form_page(ask)


def _begin(ask: Ask) -> PageAnswer:
    """Begin with the log that has arrived; its folder is the trial's from here on."""
    arrived = ask.upload
    assert arrived is not None, "the page takes a file"
    trials, form = ask.context.trials, ask.form
    try:
        days = days_of(form)
        if not days and not arrived.size:
            raise InvalidRequest("log: choose a file that is not empty")
        what, new, old = _catalogs(ask)
        job = PastJob(
            str(arrived.folder.log),
            LEDGER if days else _format(form),
            *(_OWN if days else _templates(form)),
            form.get("plan_id") if form.get("who") == "plan" else "",
            new,
            old,
        )
    except QuotadError as error:
        trials.close(arrived.folder)
        return _form_page(ask, form, in_words(error))
    export = form.get("compare") != "plans" and form.get("who", "now") == "now"

    def prepare(folder: TrialFolder) -> PastJob:
        if days:
            trial.stage = "reads the ledger"
            since_ms = trial.begun_ms - days * DAY_MS
            write_ledger(ask.context.parts.ledger, folder.log, since_ms, lambda: trial.stopped)
        if not export:
            return job
        _export(ask, folder)
        return msgspec.structs.replace(job, customers=str(folder.customers))

    name = f"The ledger, {plural(days, 'day')}" if days else arrived.file_name or "log"
    trial = PastTrial("", ask.visitor.person, name, now_ms(), what)
    trials.begin(trial, arrived.folder, prepare)
    return see_other(f"/past/{trial.trial_id}")


_OWN = "", "", "", "{time}"
"""The templates of lines that need none."""


def days_of(form: FormFields) -> int:
    """How many days of the ledger are to be tried; 0: a log is.

    Raises:
        InvalidRequest: it is no number of days.
    """
    if form.get("source") != LEDGER:
        return 0
    text = form.get("days")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= DAYS_MAX):
        raise InvalidRequest(f"days: give a number from 1 to {DAYS_MAX}")
    return int(text)


def _templates(form: FormFields) -> tuple[str, str, str, str]:
    """Those for customer, feature, quantity and time; empty where the format has its own."""
    if form.get("format") == LEDGER:
        return _OWN
    customer, feature = form.get("customer"), form.get("feature_id") or form.get("feature")
    if not customer or not feature:
        raise InvalidRequest("customer and feature: say what of a line they are")
    return customer, feature, form.get("quantity", "1") or "1", form.get("time") or "{time}"


def _format(form: FormFields) -> str:
    name = form.get("format", "combined")
    if name not in FORMATS:
        raise InvalidRequest("format: is none of those offered")
    if name != "pattern":
        return name
    pattern = form.get("pattern")
    if not pattern:
        raise InvalidRequest("pattern: is missing")
    return pattern


def _catalogs(ask: Ask) -> tuple[str, PastCatalog, PastCatalog | None]:
    """What is tried, in words; the new catalog and the old one.

    Raises:
        NotFound: no catalog was published yet, or a plan is not of it.
        InvalidRequest: there is no draft that could be tried.
    """
    record = ask.context.parts.catalogs.get(None).record
    in_force = PastCatalog(f"version {record.version}", record.document)
    compare = ask.form.get("compare")
    if compare == "draft":
        state = desk(ask).state
        if state is None or state.prepared is None:
            raise InvalidRequest("draft: has problems; mend them first")
        return (
            f"Your draft beside {in_force.name}",
            PastCatalog("your draft", state.prepared.document),
            in_force,
        )
    if compare == "plans":
        new, old = (_on_plan(record.document, ask.form.get(each)) for each in ("new", "old"))
        return f"{new.name} beside {old.name}", new, old
    return f"What is in force, {in_force.name}", in_force, None


def _on_plan(document: bytes, plan_id: str) -> PastCatalog:
    """The same catalog with everyone on one plan."""
    content = json.loads(document)
    plans = content.get("plans", {})
    if plan_id not in plans:
        raise NotFound(f"plan: there is no plan {plan_id!r}")
    content["default_plan"] = plan_id
    name = plans[plan_id].get("name") or plan_id
    return PastCatalog(str(name), json.dumps(content, sort_keys=True).encode())


def _export(ask: Ask, folder: TrialFolder) -> None:
    """Write down which plans customers have now, as if they had always had them."""
    finding, token = ask.context.parts.finding, ""
    snapshot, at_ms = ask.context.parts.worker.snapshots.newest(), finding.clock.now_ms()
    with folder.customers.open("wb") as file:
        while True:
            page = finding.find(Wanted(), token, EXPORTED)
            for stored in page.customers:
                if stored.record is not None:
                    record = as_ever(stored.record, at_ms)
                    file.write(write_row(record, snapshot, at_ms) + b"\n")
            token = page.next_token
            if not token:
                return


def _trial(ask: Ask) -> PageAnswer:
    trial = ask.context.trials.get(ask.segments["trial_id"], ask.visitor.person)
    report = trial.step.report
    if report is None:
        return render(ask, "past_trial.html", trial=trial, seconds_max=int(SECONDS_MAX))
    return render(
        ask,
        "past_report.html",
        trial=trial,
        report=report,
        chart=_chart(report),
        compared=report["against"] is not None,
        reasons=_reasons(report["reasons"]),
        first=_moment(report["first"]),
        last=_moment(report["last"]),
        rows_shown=ROWS_SHOWN,
        names=_names(ask),
    )


def _part(ask: Ask) -> PageAnswer:
    """How far it is, for a page that is open; once it has ended, the page is opened again."""
    trial = ask.context.trials.get(ask.segments["trial_id"], ask.visitor.person)
    if trial.ended:
        place = f"/past/{trial.trial_id}".encode()
        return PageAnswer(status=204, headers=[(b"hx-redirect", place)])
    return render(ask, "_past.html", trial=trial)


def _stop(ask: Ask) -> PageAnswer:
    trials = ask.context.trials
    trial = trials.get(ask.segments["trial_id"], ask.visitor.person)
    trials.stop(trial)
    return see_other(f"/past/{trial.trial_id}", "It ends with what was found by now.")


def _names(ask: Ask) -> Mapping[str, str]:
    snapshot = ask.context.parts.worker.snapshots.peek
    if snapshot is None:
        return {}
    names = {key: plan.name or key for key, plan in snapshot.plans.items()}
    return names | {key: each.name or key for key, each in snapshot.features.items()}


def _reasons(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    words = {reason.name: text for reason, text in REASONS.items()}
    return [(words.get(name, name), count) for name, count in counted.items()]


def _moment(text: str | None) -> int | None:
    """A time of the report in Unix milliseconds."""
    return None if text is None else int(datetime.fromisoformat(text).timestamp() * 1000)


def _chart(report: Mapping[str, Any]) -> str:
    """The chart: what would be denied now, and before as a line."""
    timeline = report["timeline"]
    together = max(1, -(-len(timeline) // BARS_MAX))
    bars: list[PastBar] = []
    for at, each in enumerate(timeline):
        if at % together == 0:
            bars.append(PastBar((_moment(each["start"]) or 0) // 1000))
        bar, before = bars[-1], each["before"]
        bar.allowed += each["after"]["allowed"]
        bar.denied += each["after"]["denied"]
        bar.before += 0 if before is None else before["denied"]
    data: dict[str, object] = {
        "times": [each.start for each in bars],
        "used": [each.allowed for each in bars],
        "denied": [each.denied for each in bars],
        "limit": None,
        "names": ["Allowed", "Denied"],
    }
    if report["against"] is not None:
        data["line"] = {"name": "Denied before", "values": [each.before for each in bars]}
    return json.dumps(data)


PAGES = (
    SitePage(method="GET", path="/past", act=_show_form, right=Right.MANAGE),
    SitePage(method="POST", path="/past", act=_begin, right=Right.MANAGE, takes_file=True),
    SitePage(method="GET", path="/past/{trial_id}", act=_trial, right=Right.MANAGE),
    SitePage(method="GET", path="/past/{trial_id}/part", act=_part, right=Right.MANAGE),
    SitePage(method="POST", path="/past/{trial_id}/stop", act=_stop, right=Right.MANAGE),
)
