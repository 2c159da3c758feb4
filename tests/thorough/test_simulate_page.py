"""The page of a simulation: complete in itself, and safe whatever the names in it."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotad.decision import ConsumeRequest, Decision, Reason
from quotad.replay.report import SkippedLine
from quotad.simulate import plots, report
from quotad.simulate.page import page, write_page
from quotad.simulate.report import CatalogName, Simulation
from quotad.simulate.tally import Tally

YES = Decision(True, Reason.WITHIN_LIMIT, granted=1)
NO = Decision(False, Reason.LIMIT_EXCEEDED)
SHADOW = Decision(True, Reason.WITHIN_LIMIT, granted=1, would_deny=True)
OVER = Decision(True, Reason.OVER_SOFT_LIMIT, granted=1, overage=1)

EVIL = "<script>alert(1)</script>&\"'$x_1^2$"


def simulation(compared: bool = True, calls: int = 400) -> Simulation:
    tally = Tally()
    for number in range(calls):
        new = (YES, NO, SHADOW, OVER)[number % 4]
        request = ConsumeRequest(f"{EVIL}{number % 3}", ("f", EVIL)[number % 2])
        old = YES if compared else None
        tally.add(number * 3_600_000, ("free", EVIL)[number % 2], request, new, old)
    tally.close()
    top = report.most_denied(tally, compared).top()
    return Simulation(
        catalog=CatalogName("new.yaml", "a" * 64, "free"),
        against=CatalogName(EVIL, "b" * 64, None) if compared else None,
        lines=calls + 1,
        decided=calls,
        skipped=1,
        skipped_lines=[SkippedLine(7, EVIL)],
        late=0,
        first=report.moment(0) if calls else None,
        last=report.moment(calls * 3_600_000) if calls else None,
        total=report.total_row(tally, compared),
        plans=report.plan_rows(tally, compared),
        features=report.feature_rows(tally, compared, {}),
        cells=report.cell_rows(tally, compared, {}),
        step_seconds=tally.timeline.step_ms // 1000,
        timeline=report.stretches(tally.timeline.all(), compared),
        reasons=report.reasons(tally.reasons),
        reasons_before={} if compared else None,
        customers=report.customers(tally, compared),
        top_denied=report.top_customers(tally, {e.customer_id: EVIL for e in top}, compared),
        notes=[EVIL],
        seconds=0.1,
        lines_per_second=1,
        stopped="",
    )


class Reader(HTMLParser):
    """Collects what stands on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("src", "href", "xlink:href"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


@pytest.mark.parametrize("compared", [True, False])
def test_the_page_has_every_plot_and_needs_nothing_else(compared: bool) -> None:
    text = page(simulation(compared))
    found = read(text)

    assert 5 == found.tags.count("svg")
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert {each[:1] for each in found.addresses} <= {"#"}
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert len(found.ids) == len(set(found.ids))
    assert {each.removeprefix("#") for each in found.addresses} <= set(found.ids)


def test_plots_take_their_colours_from_the_page() -> None:
    text = page(simulation())

    assert not re.search(r"#0[0-9]0[0-9]0[0-9]\b", text.split("</style>")[1])
    assert {
        "currentColor",
        "var(--grid)",
        "var(--denied)",
        "var(--before)",
        "var(--shadow)",
    } <= set(re.findall(r"(?:fill|stroke): ([\w()-]+)", text))


def test_axes_are_labelled_with_their_units() -> None:
    text = read(page(simulation())).text

    for label in ("time, UTC", "calls per", "share of calls, %", "denied calls"):
        assert label in text


def test_names_of_the_log_stay_text() -> None:
    found = read(page(simulation()))

    assert "script" not in found.tags
    assert "<script>alert(1)" in found.text
    made = simulation()
    for plot in (
        plots.over_time(made),
        plots.by_row(made, made.plans, "plan"),
        plots.by_row(made, made.features, "feature"),
        plots.by_customer(made),
    ):
        assert EVIL in unescape(plot)


@pytest.mark.parametrize("name", ["#030303", "font: 'x' #010101", "顧客"])
def test_a_name_that_looks_like_a_colour_or_that_the_font_lacks_stays_as_it_is(name: str) -> None:
    made = replace(
        simulation(), top_denied=report.top_customers(denied_by(name), {name: "free"}, False)
    )

    assert f">{name}  (" in unescape(plots.by_customer(made))


def denied_by(name: str) -> Tally:
    tally = Tally()
    tally.add(0, "free", ConsumeRequest(name, "f"), NO, None)
    tally.close()
    return tally


def test_the_same_simulation_makes_the_same_page() -> None:
    assert page(simulation()) == page(simulation())


def test_a_log_without_a_call_makes_a_page_without_plots() -> None:
    assert "svg" not in read(page(simulation(compared=False, calls=0))).tags


def test_a_page_is_replaced_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    def broken(*_: object, **__: object) -> str:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("quotad.files.os.replace", broken)
        with pytest.raises(OSError, match="disk full"):
            write_page(simulation(), path)
    assert "old" == path.read_text()

    write_page(simulation(), path)

    assert path.read_text().endswith("</html>\n")
    assert [path] == list(tmp_path.iterdir())


def test_every_feature_past_the_first_dozen_is_in_the_table_only() -> None:
    made = simulation()
    rows = [row for row in made.features for _ in range(10)]

    assert plots.TOP == plots.by_row(made, rows, "feature").count(" calls)")
