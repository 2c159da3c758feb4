"""Webhooks: where events are sent, what became of the latest, and an event to try it."""

from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.insights import customer_names
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.tokens.roles import Right

LATEST_SHOWN = 5
"""Attempts of each receiver where all of them are listed."""

ATTEMPTS_SHOWN = 200
"""Attempts where one receiver is shown."""


def _all(ask: Ask) -> PageAnswer:
    return _page(ask, LATEST_SHOWN)


def _one(ask: Ask, problem: str = "") -> PageAnswer:
    return _page(ask, ATTEMPTS_SHOWN, ask.segments["webhook_id"], problem)


def _page(ask: Ask, most: int, webhook_id: str = "", problem: str = "") -> PageAnswer:
    # One more is read, to know whether there are more.
    logs = ask.context.parts.webhooks.logs(most + 1, webhook_id)
    about = [each.about for log in logs for each in log.attempts[:most] if each.about]
    return render(
        ask,
        "webhooks.html",
        logs=logs,
        most=most,
        one=webhook_id,
        names=customer_names(ask, about),
        problem=problem,
    )


def _test(ask: Ask) -> PageAnswer:
    webhook_id = ask.segments["webhook_id"]
    tried = ask.context.parts.webhooks.test(webhook_id)
    here, took = f"/webhooks/{segment(webhook_id)}", f"{tried.took_ms:,} ms"
    if not tried.problem:
        return see_other(here, f"The test event was taken: answered {tried.status} in {took}.")
    return _one(ask, f"The test event was not taken: {tried.problem} (after {took}).")


PAGES = (
    SitePage(method="GET", path="/webhooks", act=_all, right=Right.ADMIN),
    SitePage(method="GET", path="/webhooks/{webhook_id}", act=_one, right=Right.ADMIN),
    SitePage(method="POST", path="/webhooks/{webhook_id}/test", act=_test, right=Right.ADMIN),
)
