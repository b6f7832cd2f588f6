"""Draw it once, and it is recognized."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import BOX, CROSS, PHONE, ZIGZAG, Line, Service, draw, photograph, png, teach, verdict
from playwright.sync_api import expect
from strokes import strokes

from lowshot import load

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def drawn(data_folder: Path) -> Callable[[str, int], list[Line]]:
    """The strokes of a character of Omniglot, as its n-th drawer drew it."""
    examples = load("omniglot:evaluation?alphabet=Tibetan,Malayalam,Angelic")

    def lines(label: str, drawer: int) -> list[Line]:
        places = np.flatnonzero(examples.labels == examples.classes.index(label))
        return [list(line) for line in strokes(examples.items[places[drawer]].squeeze() < 128)]

    return lines


def test_a_character_is_recognized_after_one_drawing_and_others_are_unknown(
    service: Service, visit: Visit, drawn: Callable[[str, int], list[Line]]
) -> None:
    page = visit(service.url)
    assert page.get_by_role("tab", name="Draw").get_attribute("aria-selected") == "true"
    photograph(page, "draw-empty")
    known = ["Tibetan/character26", "Malayalam/character10", "Angelic/character11", "Tibetan/character05"]
    for label in known:
        draw(page, drawn(label, 0))
        teach(page, label)
    assert service.classes() == dict.fromkeys(known, 1)
    right = []
    for label in known[::-1]:
        draw(page, drawn(label, 7))
        right.append(verdict(page) == label)
        if label != known[0]:
            page.get_by_role("button", name="Clear", exact=True).click()
    assert sum(right) >= 3, right
    assert verdict(page) == known[0]
    expect(page.get_by_role("img", name=f"Enrolled example of {known[0]}")).to_be_visible()
    expect(page.get_by_role("img", name="Your drawing")).to_be_visible()
    assert re.fullmatch(r"\d+% sure", page.locator(".sure").inner_text())
    assert re.fullmatch(r"Answered in \d+ ms", page.locator("#took").inner_text())
    assert page.locator("#spoken").inner_text().startswith(f"{known[0]}, ")
    photograph(page, "draw-known", full_page=True)
    page.get_by_role("button", name="Clear", exact=True).click()
    draw(page, drawn("Malayalam/character30", 3))
    assert verdict(page) == "Unknown"
    expect(page.get_by_label("Name this drawing")).to_be_visible()
    expect(page.locator(".runners li")).to_have_count(4)
    photograph(page, "draw-unknown", full_page=True)


def test_right_adds_an_example_and_wrong_names_another_class(service: Service, visit: Visit) -> None:
    page = visit(service.url)
    draw(page, BOX)
    teach(page, "box")
    draw(page, [[(0.2, 0.22), (0.8, 0.2), (0.78, 0.8), (0.22, 0.77), (0.2, 0.22)]])
    assert verdict(page) == "box"
    page.get_by_role("button", name="add as example").click()
    page.get_by_text("Added 1 example to “box”").wait_for()
    assert service.classes() == {"box": 2}
    draw(page, BOX)
    page.get_by_role("button", name="No, it is").click()
    assert page.get_by_label("Name this drawing").evaluate("field => field === document.activeElement")
    teach(page, "window")
    assert service.classes() == {"box": 2, "window": 1}
    page.get_by_role("button", name="Undo", exact=True).click()
    page.locator("#enrolled", has_text="1 class ·").wait_for()
    assert service.classes() == {"box": 2}


def test_the_very_same_drawing_is_not_enrolled_twice_nor_undone(service: Service, visit: Visit) -> None:
    page = visit(service.url)
    for _ in range(2):
        draw(page, ZIGZAG)
        page.get_by_role("button", name="No, it is").or_(page.get_by_role("button", name="Teach")).first.click()
        page.get_by_label("Name this").fill("zigzag")
        page.get_by_role("button", name="Teach").click()
        page.locator("#took", has_text="ms").wait_for(state="detached")
    page.get_by_text("“zigzag” has this very picture already").wait_for()
    expect(page.get_by_role("button", name="Undo", exact=True)).to_have_count(0)
    assert service.classes() == {"zigzag": 1}


def test_a_drawing_is_kept_black_on_white_in_the_middle_of_the_sheet(service: Service, visit: Visit) -> None:
    page = visit(service.url)
    draw(page, [[(0.05 + x / 8, 0.06 + y / 8) for x, y in line] for line in CROSS])  # small, in a corner
    teach(page, "plus")
    (example,) = service.examples("plus")
    pixels = np.asarray(service.picture(example["id"]).convert("L"))
    assert pixels.shape == (210, 210)
    assert pixels[:30].min() == 255
    ys, xs = np.nonzero(pixels < 128)
    assert abs(xs.mean() - 105) < 2 and abs((ys.min() + ys.max()) / 2 - 105) < 2
    assert 130 < ys.max() - ys.min() < 160
    assert pixels[105, 105] == 0


def test_the_last_stroke_can_be_taken_back_and_all_be_cleared(service: Service, visit: Visit) -> None:
    page = visit(service.url)
    undo, clear = page.get_by_role("button", name="Undo stroke"), page.get_by_role("button", name="Clear", exact=True)
    assert undo.is_disabled() and clear.is_disabled()
    draw(page, CROSS[:1])
    teach(page, "line")
    draw(page, CROSS)
    assert verdict(page) == "Unknown"
    undo.click()
    page.locator(".verdict", has_text="line").wait_for()
    clear.click()
    expect(page.get_by_text("Draw something")).to_be_visible()
    assert undo.is_disabled()


def test_an_answer_that_is_late_is_dropped(service: Service, visit: Visit) -> None:
    service.enroll("dash", png(np.pad(np.zeros((6, 60)), 30, constant_values=255)))
    page = visit(service.url)
    late: list[Any] = []
    page.route("**/v1/identify", lambda route: late.append(route) if not late else route.continue_())
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 50)
    with page.expect_event("requestfailed"):
        page.mouse.up()
        page.wait_for_timeout(50)
        page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 250)
    page.mouse.up()
    page.locator("#took", has_text="ms").wait_for()
    assert len(late) == 1
    expect(page.locator(".outcome")).to_have_count(1)


def test_a_finger_draws_and_does_not_scroll(service: Service, visit: Visit) -> None:
    page = visit(service.url, viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    box = page.locator("#pad").bounding_box()
    touch = page.context.new_cdp_session(page)
    for i in range(12):
        at = [{"x": box["x"] + 60 + 12 * i, "y": box["y"] + 60 + 15 * i}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove" if i else "touchStart", "touchPoints": at})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.locator("#took", has_text="ms").wait_for()
    assert page.evaluate("scrollY") == 0
    assert verdict(page) == "What is it?"
    photograph(page, "phone-draw-first", full_page=True)


def test_one_more_example_of_a_class_is_drawn(service: Service, visit: Visit) -> None:
    service.enroll("dash", png(np.pad(np.zeros((6, 60)), 30, constant_values=255)))
    page = visit(f"{service.url}/#classes/dash")
    page.get_by_role("link", name="Draw one").click()
    page.get_by_text("Draw “dash”").wait_for()
    draw(page, ZIGZAG)
    assert page.get_by_label("Name this drawing").input_value() == "dash"
    page.get_by_role("button", name="Teach").click()
    page.get_by_text("Added 1 example to “dash”").wait_for()
    assert service.classes() == {"dash": 2}


def test_keys_alone_draw_teach_and_recognize(service: Service, visit: Visit) -> None:
    page = visit(service.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "draw-tab"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pad"

    def corner() -> None:
        page.keyboard.press(" ")
        for key in ["Shift+ArrowRight"] * 3 + ["Shift+ArrowDown"] * 3:
            page.keyboard.press(key)
        page.keyboard.press(" ")
        page.locator("#took", has_text="ms").wait_for()

    corner()
    photograph(page, "draw-keys")
    page.get_by_label("Name this drawing").focus()
    page.keyboard.type("corner")
    page.keyboard.press("Enter")
    page.get_by_text("Learned “corner”").wait_for()
    page.wait_for_timeout(100)
    assert page.evaluate("document.activeElement.id") == "pad"
    corner()
    assert verdict(page) == "corner"
    page.keyboard.press("Backspace")
    page.get_by_text("Draw something").wait_for()
