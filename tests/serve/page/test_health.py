"""Health: findings as pictures that something can be done about, and the map."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import PHONE, Service, launched, photograph, png
from playwright.sync_api import expect

from lowshot import Gallery, load

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, of which one has a wrong label and one stands under two."""
    digits = load("digits")
    shown = [png(np.kron(each.squeeze(), np.ones((12, 12)))) for each in digits.items[:300]]
    of = [np.flatnonzero(digits.labels[:300] == what) for what in range(10)]
    places = [place for each in of for place in each[:8]]
    place = tmp_path_factory.mktemp("spoiled") / "digits.gallery"
    with Gallery.open(place, create=True) as made:
        made.enroll([shown[i] for i in places], [str(digits.labels[i]) for i in places])
        made.enroll([shown[of[3][20]], shown[of[0][0]]], ["8", "6"], ["a three", "a zero"])
    return place


@pytest.fixture(scope="module")
def spoiled(gallery: Path) -> Iterator[Service]:
    """A service of it, for tests that change nothing."""
    with launched(gallery) as url:
        yield Service(url)


def settled(page: Any) -> None:
    """Wait until the findings are there."""
    page.locator(".figures").wait_for()
    page.locator("#findings:not([aria-busy])").wait_for()


@pytest.fixture
def changing(gallery: Path, tmp_path: Path) -> Iterator[Service]:
    """A service of a copy."""
    with launched(shutil.copy(gallery, tmp_path)) as url:
        yield Service(url)


def test_findings_can_be_acted_on(changing: Service, visit: Visit) -> None:
    page = visit(f"{changing.url}/#health", viewport={"width": 1280, "height": 2600})
    settled(page)
    photograph(page, "health", full_page=True)
    finding = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="“8” looks like “3”"))
    finding.get_by_role("button", name="Move to “3”").click()
    finding.get_by_text("Moved to “3”.").wait_for()
    assert (changing.classes()["8"], changing.classes()["3"]) == (8, 9)
    assert "a three" in [each["name"] for each in changing.examples("3")]
    page.get_by_role("button", name="Undo", exact=True).click()
    page.locator("#enrolled", has_text="82 examples").wait_for()
    page.locator("#notice button").wait_for(state="detached")
    assert "a three" in [each["name"] for each in changing.examples("8")]
    twice = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="The same file, 2 times"))
    twice.get_by_role("button", name="of 6").click()
    twice.get_by_text("Deleted.").wait_for()
    assert changing.classes()["6"] == 8
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("heading", name="The same file, 2 times").wait_for(state="detached")
    expect(page.get_by_role("button", name="Check again")).to_be_hidden()


def test_the_chart_says_its_numbers_and_more_can_be_added(spoiled: Service, visit: Visit) -> None:
    page = visit(f"{spoiled.url}/#health", viewport=PHONE)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    photograph(page, "phone-health", full_page=True)
    page.get_by_text("As a table").click()
    shown = page.locator("tbody tr").all_inner_texts()
    expected = spoiled.call("GET", "check")["accuracy"]
    assert len(shown) == len(expected)
    assert f"{round(100 * expected[0]['accuracy'])}%" in shown[0]
    expect(page.get_by_role("img", name="Expected accuracy by examples")).to_be_visible()
    page.get_by_role("link", name="Add an example: 9").click()
    page.get_by_role("dialog", name="9").wait_for()


def test_the_map_is_walked_by_keys_and_by_mouse(spoiled: Service, visit: Visit) -> None:
    page = visit(f"{spoiled.url}/#health")
    settled(page)
    gallery_map = page.get_by_role("application", name="Map of 82 examples")
    gallery_map.scroll_into_view_if_needed()
    spot = page.locator(".mark").nth(5).bounding_box()
    page.mouse.move(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    page.locator(".map-card img[src]").wait_for()
    photograph(page, "map")
    page.mouse.move(5, 5)
    expect(page.locator(".map-card")).to_be_hidden()
    page.keyboard.press("Tab")  # keys were used last
    gallery_map.focus()
    page.locator(".map-card").wait_for()
    for key in ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"] * 2:
        page.keyboard.press(key)
    label = page.locator(".map-card b").inner_text()
    expect(page.locator("#spoken")).to_have_text(label)
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=label).wait_for()


def test_what_is_not_measured_is_said_to_be_estimated(spoiled: Service, service: Service, visit: Visit) -> None:
    for seed, label in enumerate("abcd"):
        service.enroll(label, png(np.random.default_rng(seed).integers(0, 255, (28, 28))))
    for each, how, times in ((service, "stand-in", 1), (spoiled, "held out", 0)):
        assert each.call("GET", "check")["unknowns"]["how"] == how
        page = visit(f"{each.url}/#health")
        settled(page)
        refused = page.locator(".figures dt", has_text="of unknown things refused")
        expect(refused).to_have_count(1)
        expect(refused.filter(has_text="estimated, not measured")).to_have_count(times)


def test_an_empty_gallery_has_nothing_to_check(service: Service, visit: Visit) -> None:
    page = visit(f"{service.url}/#health")
    page.get_by_text("Nothing is enrolled yet, so there is nothing to check.").wait_for()
