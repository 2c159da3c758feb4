"""Plans, drafts, review, publish, features and history, as their pages are used."""

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from quotad.catalog import Source
from quotad.catalog.prepare import Request
from quotad.clock import SyncedClock
from quotad.dashboard import history
from quotad.dashboard.draft import file_patch
from quotad.operations.catalog_process import CatalogProcess
from quotad.operations.catalogs import CatalogOperations
from quotad.operations.publish import Terms
from quotad.store import Catalogs
from quotad.tokens.roles import TokenRole
from tests.dashboard.serving import DashboardRunning, Shown, Visit, dashboard_running, is_read
from tests.running import eventually

CATALOG = """version: 1
default_plan: free
# What can be limited.
features:
  calls: {type: metered, unit: call, name: API calls}
  export: {type: boolean, name: CSV export}
  upload: {type: config, name: Upload size}
plans:
  free:
    name: Free
    entitlements:
      calls: {limit: 10, per: month}   # generous
      upload: 25
  pro:
    name: Pro
    extends: free
    prices:
      - {amount: "29.00", currency: USD}
    entitlements:
      calls: {limit: 1_000, per: month}
      export: true
"""


HEAVY = "heavy user"
"""Somebody on pro who has used 900 calls."""


@pytest.fixture(scope="module")
def desk(store_url: str) -> Iterator[DashboardRunning]:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG)
        made.grpc.provision(HEAVY, "pro")
        made.grpc.consume(HEAVY, "calls", quantity=900)
        eventually(lambda: made.server.ready, bool)
        made.token(TokenRole.ADMIN, "root")
        yield made


def in_force(desk: DashboardRunning, text: str) -> None:
    """Publish as somebody else."""
    published = Catalogs(desk.grpc.store, desk.grpc.keys, SyncedClock())
    catalogs = CatalogOperations(published, CatalogProcess(60_000, 1024))
    catalogs.publish(Request(files=(Source("catalog.yaml", text),)), Terms("ops"))


@pytest.fixture(autouse=True)
def catalog(desk: DashboardRunning) -> None:
    """Every test begins with the catalog above in force."""
    in_force(desk, CATALOG)


@pytest.fixture
def anna(desk: DashboardRunning) -> Iterator[Visit]:
    """Somebody with a name of their own, and so without a draft, who may publish."""
    with desk.signed_in(TokenRole.PUBLISH, f"anna-{uuid.uuid4().hex[:8]}") as visit:
        yield visit


def fields_of(page: Shown) -> dict[str, str]:
    """The hidden fields and the values of a page's forms, as a browser sends them."""
    fields = {}
    for tag in re.findall(r"<input[^>]*>", page.html):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        radio = found.get("type") in ("radio", "checkbox")
        if "name" in found and (not radio or " checked" in tag):
            fields[found["name"]] = found.get("value", "on")
    return fields


def change(visit: Visit, path: str, **fields: str) -> Shown:
    """Open a form, change some of it and send it."""
    reply = visit.post(path, fields_of(visit.get(path)) | fields)
    assert reply.status == 303, reply.text
    return visit.get(reply.headers["location"])


def publish(visit: Visit, **fields: str) -> Shown:
    sent = {"apply_to": "", **fields_of(visit.get("/draft/review")), **fields}
    return visit.post("/draft/publish", sent)


def text_of(visit: Visit) -> str:
    return visit.get("/draft/files").html


def test_the_matrix_shows_what_each_plan_grants(anna: Visit) -> None:
    page = anna.get("/plans")

    for words in ("API calls calls", "10 / month", "1,000 / month", "$29.00 / month", "Free", "25"):
        assert words in page.text
    assert page.text.index("Usage") < page.text.index("Access") < page.text.rindex("Settings")


def test_a_change_in_the_form_is_in_the_text_at_once_and_no_other_byte_is(anna: Visit) -> None:
    change(anna, "/plans/free/features/calls", limit0="20", soft0="on")

    assert text_of(anna) == CATALOG.replace(
        "{limit: 10, per: month}   #", "{limit: 20, per: month, soft: true}   #"
    )
    page = anna.get("/plans")
    assert "1 unpublished change" in page.text or "2 unpublished changes" in page.text
    assert "10 / month 20 / month soft" in page.text


def test_a_change_in_the_text_is_in_the_form_at_once(anna: Visit) -> None:
    page = anna.get("/draft")
    text = CATALOG.replace("upload: 25", "upload: 50  # MB")
    anna.post("/draft", fields_of(page) | {"text": text.replace("\n", "\r\n")})

    assert text_of(anna) == text
    assert fields_of(anna.get("/plans/free/features/upload"))["value"] == "50"


def test_problems_stand_at_their_lines_and_nothing_is_published(anna: Visit) -> None:
    page = anna.get("/draft")
    anna.post("/draft", fields_of(page) | {"text": CATALOG.replace("1_000", "many")})
    page = anna.get("/draft")

    assert "line 20" in page.text
    assert re.search(r'(<li></li>){19}<li class="wrong"></li>', page.html)
    assert "cannot be published" in anna.get("/draft/review").text
    sent = fields_of(page) | {"apply_to": ""}
    assert anna.post("/draft/publish", sent).status == 400
    assert text_of(anna) == CATALOG.replace("1_000", "many")


def test_a_draft_is_reviewed_published_with_a_comment_and_undone(
    anna: Visit, desk: DashboardRunning
) -> None:
    change(anna, "/plans/pro/features/calls", limit0="5,000")
    review = anna.get("/draft/review")
    assert "Pro \u203a API calls : 1,000 / month → 5,000 / month" in review.text

    assert publish(anna, comment="Twice the calls <b>").status == 303
    history = anna.get("/history")
    assert "Twice the calls <b>" in history.text
    assert "<b>" not in history.html.replace("<b>", "", 0).split("Twice the calls")[1][:6]
    version = re.findall(r"/history/(\d+)/roll-back", history.html)[0]
    assert "1,000 / month → 5,000 / month" in anna.get(f"/history/{int(version) + 1}").text

    reply = anna.post(f"/history/{version}/roll-back", {"form_key": history.form_key})
    assert reply.status == 303
    assert "1,000 / month" in anna.get("/plans").text
    assert "unpublished" not in anna.get("/plans").text


def test_a_draft_that_changes_nothing_is_not_offered_to_be_published(anna: Visit) -> None:
    for page in (anna.get("/draft/review"), anna.get("/draft/review?apply_to=new")):
        assert "Nothing is changed" in page.text
        assert not re.search("/draft/publish|Changed plans are for", page.html)


def test_a_new_plan_that_cannot_be_stays_in_its_form(anna: Visit) -> None:
    page = anna.get("/plans")
    sent = {"plan_id": "pro", "name": "Another", "extends": "free"}
    refused = anna.post("/plans", fields_of(page) | sent)

    assert (400, True) == (refused.status, "There is a plan 'pro' already." in refused.text)
    assert 'value="Another"' in refused.html
    assert '<option value="free" selected>Free' in refused.html
    assert CATALOG == text_of(anna)


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/plans/pro/features/calls", {"limit0": "50"}),
        ("/plans/pro/features/calls", {"unlimited": "on"}),
        ("/plans/pro/features/upload", {"value": "50"}),
        ("/plans/pro/features/export", {"until": "2027-01-01"}),
    ],
)
def test_a_value_beside_an_inherited_one_is_not_dropped(
    anna: Visit, path: str, typed: dict[str, str]
) -> None:
    change(anna, path, state="")
    before = text_of(anna)
    refused = anna.post(path, fields_of(anna.get(path)) | typed)

    assert (400, True) == (refused.status, "A value was typed" in refused.text)
    assert all(value in refused.html for name, value in typed.items() if name != "unlimited")
    assert before == text_of(anna)


def test_a_review_counts_customers_and_names_those_past_a_new_limit(
    anna: Visit, desk: DashboardRunning
) -> None:
    change(anna, "/plans/pro/features/calls", limit0="500")
    review = anna.get("/draft/review").text

    assert "1 customer on Pro gets it as soon as it is published." in review
    assert "1 customer would be over a limit at once" in review
    assert f"{HEAVY} Pro · API calls 900 of 500" in review
    new = anna.get("/draft/review?apply_to=new").text
    assert "No customer gets it at once." in new
    assert "who has one now keeps it as it is, 1 customer." in new
    assert HEAVY not in new


def test_two_windows_do_not_lose_each_others_edits(anna: Visit) -> None:
    first = fields_of(anna.get("/draft"))
    change(anna, "/plans/free/features/upload", value="75")
    mine = CATALOG.replace("name: Pro", "name: Professional")
    reply = anna.post("/draft", first | {"text": mine})

    assert reply.status == 409
    assert "Not saved" in reply.text
    assert "name: Professional" in reply.html
    assert "upload: 75" in text_of(anna)
    # What the page offers: my text over it, knowingly.
    assert anna.post("/draft", fields_of(reply) | {"text": mine}).status == 303
    assert text_of(anna) == mine


def test_a_publish_while_the_page_is_open_is_shown_and_brought_together(
    anna: Visit, desk: DashboardRunning
) -> None:
    page = fields_of(anna.get("/plans/free/features/calls"))
    in_force(desk, CATALOG.replace("upload: 25", "upload: 99").replace("10,", "11,"))
    assert anna.post("/plans/free/features/calls", page | {"limit0": "12"}).status == 303

    assert "was published since you began" in anna.get("/plans").text
    late = publish(anna, comment="Twelve or more")
    assert (409, True) == (late.status, "Not published. Catalog version" in late.text)
    assert "Your comment is kept." in late.text
    (link,) = re.findall(r'class="btn" href="(/draft/merge[^"]*)"', late.html)
    merge = anna.get(link)
    assert "1 value changed by both" in merge.text
    assert "Free \u203a API calls \u203a Limit 10 12 11" in merge.text
    assert "Upload size : 25 → 99" in merge.text.split("Published since you began")[1]
    done = anna.post("/draft/merge", fields_of(merge) | {"keep0": "mine"})
    assert "Twelve or more</textarea>" in anna.get(done.headers["location"]).html
    assert "upload: 99" in text_of(anna)
    assert publish(anna).status == 303
    assert "12 / month" in anna.get("/plans").text


def test_a_feature_is_on_for_everyone_until_a_day(anna: Visit) -> None:
    page = fields_of(anna.get("/features"))
    wanted = page | {"feature_id": "export", "until": "2027-01-01"}
    assert anna.post("/features/everyone", wanted).status == 303

    assert text_of(anna) == CATALOG.replace(
        "      upload: 25\n", "      upload: 25\n      export: {until: 2027-01-01}\n"
    )
    assert "✓ until 1 Jan 2027" in anna.get("/plans").text


def test_a_plan_and_a_feature_are_made(anna: Visit) -> None:
    page = {"revision": "0", "base": fields_of(anna.get("/features"))["base"]}
    sent = page | {"form_key": anna.get("/features").form_key, "unit": "ignored"}
    sent |= {"feature_id": "sso", "kind": "boolean", "name": "Single sign-on"}
    assert anna.post("/features", sent).status == 303
    sent = fields_of(anna.get("/plans"))
    sent |= {"plan_id": "team", "name": "Team", "extends": "pro"}
    assert anna.post("/plans", sent).status == 303
    change(anna, "/plans/team/features/sso", state="on")
    change(anna, "/plans/team", amount0="99.00", currency0="EUR", billing0="year")

    assert text_of(anna).endswith(
        "  team:\n    name: Team\n    extends: pro\n    entitlements:\n      sso: true\n"
        '    prices: [{amount: "99.00", currency: EUR, billing: year}]\n'
    )
    assert "€99.00 / year" in anna.get("/plans").text
    assert publish(anna).status == 303
    assert "Team" in anna.get("/features").text


def test_a_draft_outlives_the_dashboard(
    anna: Visit, desk: DashboardRunning, store_url: str
) -> None:
    change(anna, "/plans/free/features/calls", limit0="21")
    prefix = desk.grpc.config.prefix
    with dashboard_running(store_url, prefix) as again:
        eventually(lambda: again.server.ready, bool)
        with again.visit() as visit:
            visit.cookies = dict(anna.cookies)
            assert "limit: 21" in text_of(visit)


def test_two_people_of_one_name_have_two_drafts_and_a_rotated_token_keeps_its_own(
    anna: Visit, desk: DashboardRunning
) -> None:
    name = f"sam-{uuid.uuid4().hex[:8]}"
    token = desk.token(TokenRole.PUBLISH, name)
    with desk.signed_in(TokenRole.PUBLISH, name) as other, desk.visit() as sam:
        assert sam.sign_in(token.token).status == 303
        change(sam, "/plans/free/features/calls", limit0="31")
        assert "limit: 31" not in text_of(other)
        change(other, "/plans/free/features/calls", limit0="32")
        assert "limit: 31" in text_of(sam)
    first = desk.tokens.rotate(token.record.token_id)
    again = desk.tokens.rotate(first.record.token_id)
    eventually(lambda: is_read(desk.server.tokens, again.record.token_id), bool)
    with desk.visit() as later:
        assert later.sign_in(again.token).status == 303
        assert "limit: 31" in text_of(later)
        assert publish(later).status == 303
        assert f"{name}" in later.get("/history").text


def test_who_may_not_publish_sees_plans_and_is_offered_no_edit(desk: DashboardRunning) -> None:
    with desk.signed_in(TokenRole.READ) as visit:
        page = visit.get("/plans")
        assert "1,000 / month" in page.text
        assert not re.search(r'href="/(draft|plans/)', page.html)
        assert "Roll back" not in visit.get("/history").text
        for path in ("/draft", "/draft/review", "/draft/files", "/plans/pro"):
            assert visit.get(path).status == 403
        key = {"form_key": page.form_key}
        for path in ("/draft/publish", "/plans", "/features/everyone", "/history/1/roll-back"):
            assert visit.post(path, key).status == 403


def test_files_that_own_the_catalog_are_downloaded_not_published(
    desk: DashboardRunning, store_url: str
) -> None:
    with dashboard_running(store_url, desk.grpc.config.prefix, catalog_owner="files") as made:
        eventually(lambda: made.server.ready, bool)
        with made.signed_in(TokenRole.PUBLISH, f"ben-{uuid.uuid4().hex[:8]}") as visit:
            change(visit, "/plans/free/features/calls", limit0="22")
            page = visit.get("/draft/review")
            assert "Download the edit" in page.text
            assert "The catalog is published from files" in visit.get("/plans").text
            assert (
                "+      calls: {limit: 22, per: month}   # generous"
                in visit.get("/draft/patch").html
            )
            assert "/draft/publish" not in page.html
            assert publish(visit).status == 400
            assert "Roll back" not in visit.get("/history").text
            assert "commit the earlier files" in visit.get("/history/1").text
            refused = visit.submit("/history/1", "/history/1/roll-back")
            assert (400, True) == (refused.status, "published from files" in refused.text)
            reply = visit.get("/draft/files")
            assert "attachment" in reply.headers["content-disposition"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    "after",
    [
        CATALOG.replace("limit: 10,", "limit: 23,").replace("upload: 25", "upload: 26"),
        CATALOG.rstrip(),
        CATALOG.replace("\n", "\r\n"),
        CATALOG.replace("# What", "# A line\u2028 and\x0c What"),
    ],
)
def test_a_patch_of_the_edit_applies_where_the_files_are_kept(tmp_path: Path, after: str) -> None:
    kept = tmp_path / "billing" / "plans.yaml"
    kept.parent.mkdir()
    kept.write_bytes(CATALOG.encode())
    patch = file_patch("plans.yaml", CATALOG, after).encode()
    command = ["git", "apply", "--directory=billing", "-"]
    subprocess.run(command, cwd=tmp_path, input=patch, check=True)

    assert after.encode() == kept.read_bytes()


REFUSED = [
    ("/plans/pro", {"amount0": "1.200,50"}, "'1.200,50' is not an amount such as 1,200.50."),
    ("/plans/pro", {"amount0": "1.200"}, "'1.200' may mean 1,200 or 1.2; write it as"),
    ("/plans/pro", {"currency0": "EURO"}, "'EURO' is no currency; write three letters: USD."),
    ("/plans/pro", {"amount1": "9"}, "Is a second price in this currency for the same thing."),
    ("/plans/pro", {"billing1": "fortnight", "amount1": "9"}, "Unknown unit 'fortnight'"),
    ("/plans/pro/features/calls", {"limit0": "1.000"}, "may mean 1,000 or 1;"),
    ("/plans/pro/features/calls", {"limit0": "9" * 17}, "for no limit, choose unlimited."),
    ("/plans/pro/features/calls", {"limit0": ""}, "Is missing; write a number, or choose"),
    ("/plans/pro/features/calls", {"per0": "dya"}, "Unknown unit 'dya', did you mean 'day'?"),
    ("/plans/pro/features/calls", {"per0": "never"}, "leave it empty for a limit that never"),
    ("/plans/pro/features/calls", {"limit1": "5", "per1": "month"}, "There are two per month."),
    ("/plans/pro/features/calls", {"percent": "150"}, "'150' is more than 100."),
    ("/plans/pro/features/calls", {"from": "2027-02-31"}, "'2027-02-31' is not a day;"),
    ("/plans/pro/features/calls", {"until": "31.12.2027"}, "'31.12.2027' is not a day;"),
    (
        "/plans/pro/features/calls",
        {"until": "2027-01-01", "from": "2027-02-01"},
        "Must be later than the first day.",
    ),
    ("/plans/pro/features/upload", {"value": "1.000", "state": "on"}, "may mean 1,000 or 1;"),
    ("/features/calls", {"usage_history": "1 yaer"}, "Unknown unit 'yaer', did you mean 'year'?"),
]


@pytest.mark.parametrize(("path", "typed", "words"), REFUSED)
def test_a_field_that_cannot_be_is_refused_at_the_field_and_nothing_is_saved(
    anna: Visit, path: str, typed: dict[str, str], words: str
) -> None:
    page = anna.post(path, fields_of(anna.get(path)) | typed)

    assert 400 == page.status
    assert "Not saved. Look at the field marked below. What you typed is still" in page.text
    field = next(iter(typed))
    (note,) = re.findall(r'<p class="wrong" id="wrong-(\w+)">(.*?)</p>', page.html)
    assert (field, True) == (note[0], words in unescape(note[1])), note
    assert re.search(rf'name="{field}"[^>]* aria-invalid="true"', page.html)
    values = [value for name, value in typed.items() if not name.startswith("billing")]
    assert all(f'value="{value}"' in page.html for value in values)
    assert "Saved in your draft" not in page.text
    assert CATALOG == text_of(anna)


def test_styles_of_the_editor_are_let_in_by_a_nonce_and_on_its_page_alone(anna: Visit) -> None:
    seen = set()
    for _ in range(2):
        page = anna.get("/draft")
        (nonce,) = re.findall(r'nonce="([^"]+)"', page.html)
        assert f"style-src 'self' 'nonce-{nonce}';" in page.headers["content-security-policy"]
        seen.add(nonce)
    assert len(seen) == 2
    for path in ("/draft", "/plans", "/draft/review"):
        policy = anna.get(path).headers["content-security-policy"]
        assert "unsafe" not in policy
        assert ("nonce" in policy) == (path == "/draft")


def test_a_text_that_cannot_be_read_is_mended_in_the_text_and_forms_say_so(anna: Visit) -> None:
    page = anna.get("/draft")
    anna.post("/draft", fields_of(page) | {"text": f"{CATALOG}x: {{"})

    for path in ("/plans/pro", "/plans/pro/features/calls", "/addons/x", "/draft/merge"):
        refused = anna.get(path)
        assert (400, True) == (refused.status, "The catalog has problems" in refused.text)
        assert '<a class="btn primary" href="/draft">Show in the text</a>' in refused.html
    assert "Nothing is changed" not in anna.get("/draft/review").text


def test_the_history_is_paged_to_its_first_version(
    anna: Visit, desk: DashboardRunning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "VERSIONS_SHOWN", 2)
    for limit in (101, 102, 103):
        in_force(desk, CATALOG.replace("10,", f"{limit},"))
    path, pages = "/history", 0
    seen: list[int] = []
    while path:
        page = anna.get(path)
        seen += map(int, re.findall(r'<th scope="row"><a href="/history/(\d+)"', page.html))
        (path,) = re.findall(r'href="(/history\?before=\d+)">Earlier', page.html) or [""]
        pages += 1

    assert seen == list(range(max(seen), 0, -1))
    assert pages == (len(seen) + 1) // 2
    assert "Nothing earlier is kept" in anna.get("/history?before=1").text


def test_a_plan_that_extends_nothing_grants_a_feature_or_does_not(anna: Visit) -> None:
    states = {"free": ["on", ""], "pro": ["on", "off", ""]}
    for plan, values in states.items():
        page = anna.get(f"/plans/{plan}/features/export")
        assert values == re.findall(r'name="state" value="(\w*)"', page.html)
    change(anna, "/plans/free/features/calls", state="", limit0="", per0="")
    assert "calls: {limit: 10" not in text_of(anna)


def test_what_only_the_text_can_change_leads_to_the_text(
    anna: Visit, desk: DashboardRunning
) -> None:
    shared = CATALOG.replace("upload: 25", "upload: &most 25").replace(
        "export: true", "export: true\n      upload: *most"
    )
    in_force(desk, shared)
    path = "/plans/pro/features/upload"
    page = anna.post(path, fields_of(anna.get(path)) | {"value": "30"})

    assert 400 == page.status
    assert "Pro \u203a Upload size: a form cannot change this as it is written" in page.text
    assert '<a class="btn" href="/draft">Open the text</a>' in page.html
    assert 'value="30"' in page.html


def test_a_form_that_lost_a_race_leads_back_to_its_page(anna: Visit) -> None:
    change(anna, "/plans/free/features/calls", limit0="21")
    early = fields_of(anna.get("/draft/review"))
    change(anna, "/plans/free/features/calls", limit0="22")
    for referer, leads in ((f"http://{anna.address}/draft/review?a=b", True), ("//x/", False)):
        refused = anna.post("/draft/discard", early, referer=referer)
        assert refused.status == 409
        assert leads == ('href="/draft/review?a=b">Load the page again' in refused.html)


def test_names_with_markup_are_shown_as_text(anna: Visit) -> None:
    evil = CATALOG.replace("name: Pro", 'name: "<script>alert(1)</script>"')
    anna.post("/draft", fields_of(anna.get("/draft")) | {"text": evil})

    for path in ("/plans", "/draft", "/draft/review", "/features", "/plans/pro"):
        page = anna.get(path)
        assert page.status == 200
        assert "<script>alert" not in page.html


def test_a_large_catalog_is_shown_in_part_and_searched(anna: Visit, desk: DashboardRunning) -> None:
    plans = [f"  p{i}: {{entitlements: {{f{i}: true}}}}\n" for i in range(300)]
    features = [f"  f{i}: {{type: boolean, name: Thing {i}}}\n" for i in range(300)]
    in_force(desk, f"version: 1\nfeatures:\n{''.join(features)}plans:\n{''.join(plans)}")
    page = anna.get("/plans")

    assert "100 more are not shown" in page.text
    assert 13 == page.html.count('<tr><th scope="row"') + 1
    opened = anna.get("/plans?group=access").text
    assert "380 more are not shown" in opened
    assert page.html.count("<td") <= 4_000
    found = anna.get("/features?q=thing+299").text
    assert "f299" in found
    assert "f298 " not in found
