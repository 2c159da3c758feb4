"""Every page by keyboard, screen reader and on a phone, also with odd names in it."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.store.webhooks import SendingAttempt
from quotad.webhooks.endpoint import WantedEndpoint
from tests.dashboard.serving import DashboardRunning

STRANGE = "<script>alert('x')</script>/% \xe9"
LONG = "x" * 128
ARABIC = "\u0634\u0631\u0643\u0629 \u0627\u0644\u0623\u0645\u062b\u0644\u0629"

AUDIT = """() => {
  const wrong = [];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true });
  const named = (e) => (e.getAttribute('aria-label') || e.textContent || e.title || '').trim()
    || [...e.querySelectorAll('[aria-label]')].some((each) => each.ariaLabel);
  if (document.querySelectorAll('h1').length !== 1) wrong.push('h1: not one');
  if (!document.title.trim() || !document.documentElement.lang) wrong.push('no title or language');
  let level = 0;
  for (const each of document.querySelectorAll('main :is(h1, h2, h3, h4)')) {
    const its = Number(each.tagName[1]);
    if (its > level + 1) wrong.push(`${each.tagName} after h${level}: ${each.textContent}`);
    level = its;
  }
  for (const each of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
    const label = each.labels?.length && [...each.labels].some((one) => one.textContent.trim());
    const by = each.getAttribute('aria-label') || each.getAttribute('aria-labelledby');
    if (!label && !by) wrong.push(`no label: ${each.outerHTML.slice(0, 90)}`);
  }
  for (const each of document.querySelectorAll('a[href], button'))
    if (!named(each)) wrong.push(`no text: ${each.outerHTML.slice(0, 90)}`);
  for (const each of document.querySelectorAll('svg[role=img], img, [role=img]'))
    if (!each.getAttribute('aria-label') && !each.alt) wrong.push('a picture without words');
  for (const each of document.querySelectorAll('th'))
    if (!each.scope && !each.closest('.u-legend'))
      wrong.push(`th without scope: ${each.textContent}`);
  const ids = [...document.querySelectorAll('[id]')].map((each) => each.id);
  for (const each of new Set(ids))
    if (ids.filter((one) => one === each).length > 1) wrong.push(`id twice: ${each}`);
  for (const each of document.querySelectorAll('[aria-labelledby]'))
    if (!document.getElementById(each.getAttribute('aria-labelledby')))
      wrong.push(`labelled by nothing: ${each.getAttribute('aria-labelledby')}`);
  for (const each of document.querySelectorAll('.card table')) {
    const card = each.closest('.card').getBoundingClientRect();
    if (each.getBoundingClientRect().right > card.right + 1 && !each.closest('.scroll'))
      wrong.push(`a table is cut off: ${each.innerText.slice(0, 60)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll('main *')].filter(
      (each) => shown(each) && each.getBoundingClientRect().right > innerWidth + 1
        && !each.closest('.scroll, .matrix, pre'));
    wrong.push(`wider than the screen: ${wide[0]?.outerHTML.slice(0, 90)}`);
  }
  return wrong;
}"""

PATHS = [
    "/",
    "/plans",
    "/plans/pro",
    "/plans/pro/features/calls",
    "/plans/pro/features/export",
    "/draft",
    "/draft/review",
    "/features",
    "/features/calls",
    "/features/export",
    "/addons",
    "/addons/more-calls",
    "/promotions",
    "/history",
    "/history/1",
    "/history/customers",
    "/customers",
    "/customers?view=near",
    "/customers?view=seen",
    "/customers?q=nobody",
    f"/customers/{quote(STRANGE, safe='')}",
    f"/customers/{LONG}",
    "/customers/arabic",
    "/customers/arabic/try?feature_id=calls&quantity=5",
    f"/customers/{LONG}/activity",
    "/bulk?do=latest",
    "/bulk?do=promote",
    "/bulk?do=promote&feature_id=calls&kind=limit&amount=5000&per=month",
    "/insights",
    "/insights/top",
    "/live",
    "/past",
    "/webhooks",
    "/settings",
]


@pytest.fixture
def filled(page: Page, served: DashboardRunning) -> Page:
    """A page on a phone, of a dashboard with odd customers."""
    customers = served.parts.customers
    customers.provision("arabic", Provision("pro", profile=Profile(ARABIC, "a@example.com")))
    customers.provision(LONG, Provision("pro", profile=Profile("N" * 60)))
    served.grpc.consume(STRANGE, "calls", quantity=9)
    served.grpc.consume(LONG, "calls", quantity=990)
    served.see()
    customers.update(LONG, Profile("N" * 61))
    webhooks = served.parts.webhooks
    receiver = webhooks.add(WantedEndpoint(f"https://example.com/{LONG}", (), STRANGE)).endpoint
    webhooks.add(WantedEndpoint("https://example.org"))
    for about in (STRANGE, LONG, "arabic", "", "", ""):
        tried = SendingAttempt(1, LONG, "customer.changed", 0, "no answer in time", 9, about=about)
        webhooks.store.note(receiver.webhook_id, tried)
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def test_every_page_is_whole_for_keyboards_readers_and_phones(
    filled: Page, served: DashboardRunning
) -> None:
    epoch = served.parts.customers.get(LONG).epoch
    filled.on("dialog", lambda dialog: pytest.fail(f"{dialog.message} was run"))
    found = {}
    receiver = served.parts.webhooks.list()[0].webhook_id
    for path in (*PATHS, f"/customers/{LONG}/rollback/{epoch}", f"/webhooks/{receiver}"):
        answer = filled.goto(path)
        assert answer is not None
        assert answer.ok, path
        filled.evaluate("document.querySelectorAll('details').forEach((e) => (e.open = true))")
        wrong = filled.evaluate(AUDIT)
        filled.set_viewport_size({"width": 1280, "height": 900})
        wrong += filled.evaluate(AUDIT)
        filled.set_viewport_size({"width": 390, "height": 844})
        if wrong:
            found[path] = wrong

    assert [] == [f"{path}: {each}" for path, wrong in found.items() for each in wrong]


def test_what_has_the_focus_shows_it(page: Page, served: DashboardRunning) -> None:
    served.parts.customers.provision("arabic", Provision("pro", profile=Profile(ARABIC)))
    for path in ("/customers/arabic", "/plans/pro/features/calls", "/customers"):
        page.goto(path)
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            drawn, name = page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [parseFloat(s.outlineWidth), e.tagName + (e.name || e.textContent)]; })()"
            )
            assert drawn >= 1, name
            reached.add(name)
        assert len(reached) > 15


def test_a_name_from_right_to_left_leaves_its_neighbours_in_order(filled: Page) -> None:
    filled.goto("/customers?q=arabic")
    row = filled.get_by_role("row", name=ARABIC)

    expect(row.get_by_role("link", name=ARABIC)).to_be_visible()
    expect(row).to_contain_text("a@example.com")
