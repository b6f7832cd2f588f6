"""Health: findings as pictures that something can be done about, and the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import PHONE, Service, photograph, png

from lowshot import load

Visit = Callable[..., Any]


@pytest.fixture
def spoiled(service: Service) -> Service:
    """Digits, of which one has a wrong label and one stands under two."""
    digits = load("digits")

    def files(what: int, start: int, stop: int) -> list[bytes]:
        places = np.flatnonzero(digits.labels == what)[start:stop]
        return [png(np.kron(digits.items[place].squeeze(), np.ones((12, 12)))) for place in places]

    for what in range(10):
        service.enroll(str(what), *files(what, 0, 8))
    service.enroll("8", *files(3, 20, 21), name="a three")
    service.enroll("6", *files(0, 0, 1), name="a zero")
    return service


def settled(page: Any) -> None:
    """Wait until the findings are there."""
    page.locator(".figures").wait_for()
    page.locator("#findings:not([aria-busy])").wait_for()


def test_findings_can_be_acted_on(spoiled: Service, visit: Visit) -> None:
    page = visit(f"{spoiled.url}/#health", viewport={"width": 1280, "height": 2600})
    settled(page)
    photograph(page, "health", full_page=True)
    finding = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="“8” looks like “3”"))
    finding.get_by_role("button", name="Move to “3”").click()
    finding.get_by_text("Moved to “3”.").wait_for()
    assert (spoiled.classes()["8"], spoiled.classes()["3"]) == (8, 9)
    assert "a three" in [each["name"] for each in spoiled.examples("3")]
    page.get_by_role("button", name="Undo", exact=True).click()
    page.locator("#enrolled", has_text="82 examples").wait_for()
    page.wait_for_timeout(200)
    assert (spoiled.classes()["8"], spoiled.classes()["3"]) == (9, 8)
    twice = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="The same file, 2 times"))
    twice.get_by_role("button", name="of 6").click()
    twice.get_by_text("Deleted.").wait_for()
    assert spoiled.classes()["6"] == 8
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("heading", name="The same file, 2 times").wait_for(state="detached")
    assert not page.get_by_role("button", name="Check again").is_visible()


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
    assert page.get_by_role("img", name="Expected accuracy by examples").is_visible()
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
    assert not page.locator(".map-card").is_visible()
    page.keyboard.press("Tab")  # keys were used last
    gallery_map.focus()
    page.locator(".map-card").wait_for()
    for key in ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"] * 2:
        page.keyboard.press(key)
    label = page.locator(".map-card b").inner_text()
    assert page.locator("#spoken").inner_text() == label
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=label).wait_for()


def test_an_empty_gallery_has_nothing_to_check(service: Service, visit: Visit) -> None:
    page = visit(f"{service.url}/#health")
    page.get_by_text("Nothing is enrolled yet, so there is nothing to check.").wait_for()
