"""The report page in a real browser: it asks for nothing, sorts, filters, fits and is quiet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Error

from tests.support.browser import Visit, chromium
from tests.support.report_pages import full_page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_page(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    visited = Visit(browser, report, viewport={"width": 1280, "height": 900})
    yield visited
    assert visited.complaints == []
    visited.page.close()


def test_the_page_asks_for_nothing_but_itself(visit: Visit, report: Path) -> None:
    visit.page.wait_for_load_state("networkidle")
    assert visit.requests[0] == report.as_uri()
    assert [u for u in visit.requests[1:] if not u.startswith("data:")] == []


def test_the_policy_stops_a_request(browser: Browser, report: Path) -> None:
    visited = Visit(browser, report)
    for source in ("https://example.org/x.png", report.with_name("small.png").as_uri()):
        with pytest.raises(Error):
            visited.page.evaluate(
                "s => { const i = new Image(); i.src = s; return i.decode(); }", source
            )
    assert all("Content Security Policy" in text for text in visited.complaints)
    assert len(visited.complaints) == 2
    visited.page.close()


def test_all_pictures_are_there(visit: Visit) -> None:
    images = "[...document.images].map(i => i.complete && i.naturalWidth > 0)"
    assert visit.page.evaluate(images) == [True, True]


def test_a_click_sorts_numbers_as_numbers_and_missing_ones_last(visit: Visit) -> None:
    heading = visit.page.locator("#table-1 thead th").nth(3)
    button = heading.get_by_role("button")
    before = visit.column(1, 1)
    assert before == ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]
    assert heading.get_attribute("aria-sort") == "none"
    button.click()
    assert visit.column(1, 1) == ["t1", "t6", "t0", "t4", "t3", "t5", "t2"]
    assert heading.get_attribute("aria-sort") == "ascending"
    button.click()
    assert visit.column(1, 1) == ["t5", "t3", "t4", "t0", "t1", "t6", "t2"]
    assert heading.get_attribute("aria-sort") == "descending"


def test_sorting_is_stable_and_only_one_column_is_sorted(visit: Visit) -> None:
    buttons = visit.page.locator("#table-1 thead button")
    buttons.nth(2).click()  # epochs: 46 for t6, 100 for t0
    assert visit.column(1, 1) == ["t6", "t5", "t4", "t3", "t2", "t1", "t0"]
    buttons.nth(1).click()
    assert visit.column(1, 2) == ["cnn_0"] * 3 + ["cnn_1"] * 2 + ["cnn_2"] * 2
    assert visit.column(1, 1) == ["t6", "t3", "t0", "t4", "t1", "t5", "t2"]
    assert visit.page.locator("#table-1 th[aria-sort=none]").count() == 3


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_sorts(visit: Visit, key: str) -> None:
    button = visit.page.get_by_role("button", name="Epochs").first
    button.focus()
    visit.page.keyboard.press(key)
    assert visit.column(1, 3) == ["46", "55", "64", "73", "82", "91", "100"]


@pytest.mark.slow
def test_the_filter_keeps_rows_that_hold_all_words(visit: Visit) -> None:
    box = visit.page.get_by_label("Filter rows")
    box.fill("0000 PARALLEL")
    assert visit.column(2, 1) == ["00000", "00002", "00004", "00006", "00008"]
    assert visit.page.locator("output").inner_text() == "5 of 16 rows"
    for _ in range(2):
        visit.page.locator("#table-2 thead button").nth(3).click()
    assert visit.column(2, 1) == ["00008", "00006", "00004", "00002", "00000"]
    box.fill("")
    assert len(visit.column(2, 1)) == 16


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_the_page_never_scrolls_sideways(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    visited = Visit(browser, report, viewport={"width": width, "height": 740}, color_scheme=scheme)
    assert visited.overflow() == 0
    assert visited.complaints == []
    visited.page.close()


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)" (WCAG 2.2)."""
    channels = [int(c) / 255 for c in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.2)."""
    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_figures_are_on_white(
    browser: Browser, report: Path, scheme: str
) -> None:
    visited = Visit(browser, report, color_scheme=scheme)

    def colour(selector: str, which: str) -> str:
        code = f"e => getComputedStyle(e)[{which!r}]"
        return str(visited.page.locator(selector).first.evaluate(code))

    page = colour("body", "backgroundColor")
    assert (luminance(page) < 0.05) == (scheme == "dark")
    for selector in ("p", "nav a", "dt", "td.none", "output"):
        assert contrast(page, colour(selector, "color")) >= 4.5, selector
    assert contrast(colour("tr.marked", "backgroundColor"), colour("mark", "color")) >= 4.5
    assert contrast(page, colour("input", "borderTopColor")) >= 3
    assert colour(".card", "backgroundColor") == "rgb(255, 255, 255)"
    visited.page.close()


@pytest.mark.slow
def test_without_script_all_is_readable(browser: Browser, report: Path) -> None:
    visited = Visit(browser, report, java_script_enabled=False)
    assert visited.column(1, 1) == [f"t{i}" for i in range(7)]
    assert visited.page.locator("thead button").count() == 0
    assert not visited.page.locator(".filter").is_visible()
    visited.page.close()


def test_headings_and_landmarks_are_in_order(visit: Visit) -> None:
    levels = visit.page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")
    assert levels == ["H1", "H2", "H2", "H2", "H2"]
    for role in ("banner", "navigation", "main"):
        assert visit.page.get_by_role(role).count() == 1
    assert visit.page.get_by_role("table", name="Table 1. Leaders").count() == 1
    assert visit.page.locator("thead th:not([scope=col])").count() == 0
