"""Rolling a customer back: what would be different, which changes are undone, and doing it."""

from quotad.dashboard.activity import ROLLBACK, deed, in_sentences
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.customer_forms import epoch_of
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.dashboard.wrong import in_words
from quotad.errors import NotFound, QuotadError, StoreUnavailable
from quotad.history import CustomerChange
from quotad.http.problems import status_of
from quotad.tokens.roles import Right


def _look(ask: Ask) -> PageAnswer:
    return _page(ask)


def _page(ask: Ask, status: int = 200, message: str = "") -> PageAnswer:
    """Show what rolling back would do.

    Args:
        ask: whose `customer_id` and `epoch` it is about.
        status: of the answer.
        message: why it was not done.
    """
    parts, customer_id = ask.context.parts, ask.segments["customer_id"]
    found = parts.rollbacks.roll_back(customer_id, _epoch(ask), dry_run=True)
    names, now_ms = CatalogNames(parts.worker.snapshots.newest()), parts.finding.clock.now_ms()
    record = found.customer.record
    assert record is not None
    would = CustomerChange("", ROLLBACK, found.changes, now_ms)
    return render(
        ask,
        "rollback.html",
        status,
        customer_id=customer_id,
        name=record.name or customer_id,
        lines=in_sentences(would, names),
        undone=[deed(each, names) for each in found.undone],
        epoch=found.customer.epoch,
        message=message,
        comment=ask.form.get("comment"),
    )


def _roll_back(ask: Ask) -> PageAnswer:
    form, customer_id = ask.form, ask.segments["customer_id"]
    try:
        ask.context.parts.rollbacks.roll_back(
            customer_id,
            _epoch(ask),
            epoch_of(form),
            actor=ask.visitor.name,
            comment=form.get("comment"),
        )
    except StoreUnavailable:
        raise
    except QuotadError as error:
        return _page(ask, status_of(error), in_words(error))
    return see_other(f"/customers/{segment(customer_id)}#activity", "The customer was rolled back.")


def _epoch(ask: Ask) -> int:
    text = ask.segments["epoch"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound(f"{text[:20]!r} is no change of a customer")
    return int(text)


_PATH = "/customers/{customer_id}/rollback/{epoch}"

PAGES = (
    SitePage(method="GET", path=_PATH, act=_look, right=Right.MANAGE),
    SitePage(method="POST", path=_PATH, act=_roll_back, right=Right.MANAGE),
)
