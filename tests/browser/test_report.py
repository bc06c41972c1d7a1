"""The report in a real browser: it opens offline, says nothing to the console, and everybody can read it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.operators import Operator
from tests.reported import in_order, in_trouble

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
WIDE: ViewportSize = {"width": 1180, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 800}
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="there is no Chromium: install Debian's package, or name one by CHROMIUM"
    ),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all; without a sandbox, since tests may run as root in a container. It opens our own file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a good, a bad and a first day."""
    folder = tmp_path_factory.mktemp("reports")
    for name, operator in (("good", in_order()), ("bad", in_trouble(150)), ("new", Operator())):
        operator.types("report", "--html", folder / f"{name}.html")
    return folder


def opened(browser: Browser, path: Path, size: ViewportSize = WIDE, **context: Any) -> Page:
    """A page, opened offline. What goes wrong in it fails the test."""
    troubles: list[str] = []
    page = browser.new_context(viewport=size, offline=True, **context).new_page()
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    assert troubles == []
    return page


@pytest.mark.parametrize(
    ("name", "how"),
    [("good", "light"), ("bad", "light"), ("bad", "dark"), ("good", "print"), ("new", "dark")],
)
def test_everybody_can_read_it(
    browser: Browser, folder: Path, name: str, how: Literal["light", "dark", "print"]
) -> None:
    """Contrast, landmarks, names, tables, focus: axe-core finds nothing, with all tables open."""
    scheme = "dark" if how == "dark" else "light"
    page = opened(browser, folder / f"{name}.html", color_scheme=scheme)
    page.emulate_media(media="print" if how == "print" else "screen")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.context.close()


def test_the_figures_are_on_the_page(browser: Browser, folder: Path) -> None:
    """The verdict, the tiles, the rows, as a reader sees them."""
    page = opened(browser, folder / "bad.html")
    assert page.get_by_role("heading", level=1).inner_text() == "150 erasures are overdue, the oldest by 5 h."
    tiles = dict(each.inner_text().split("\n")[:2] for each in page.locator(".tile").all())
    assert (tiles["Overdue"], tiles["Dead letters"], tiles["Open requests"]) == ("150", "5", "2")
    table = page.get_by_role("table", name="Overdue, the oldest first")
    assert table.get_by_role("row").count() == 1 + 100
    assert page.locator("#overdue .more").inner_text() == "… and 50 more, in the CSV."
    assert page.get_by_role("img", name="Due in the next 30 days").is_visible()
    page.context.close()


def test_nothing_is_cut_off(browser: Browser, folder: Path) -> None:
    """On a telephone the page is as wide as the screen; what is wider scrolls in itself, by keyboard too."""
    page = opened(browser, folder / "bad.html", NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    for region in page.locator(".scroll").all():
        assert region.get_attribute("tabindex") == "0"
    page.context.close()


def test_the_keyboard_comes_to_the_verdict_first(browser: Browser, folder: Path) -> None:
    """By the link that skips what stands above."""
    page = opened(browser, folder / "good.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.context.close()


def test_it_prints_on_paper(browser: Browser, folder: Path) -> None:
    """On white, also where the screen is dark; without what can only be clicked; no wider than the paper."""
    page = opened(browser, folder / "bad.html", {"width": 680, "height": 960}, color_scheme="dark")
    page.emulate_media(media="print")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    assert not page.get_by_role("navigation").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 680
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.context.close()
