"""Write: a text is taught, and said in other words it is recognized."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import DESK, PHONE, Service, launched, photograph, teach, verdict
from playwright.sync_api import expect

Visit = Callable[..., Any]

WORDS = "please cancel my order i want to where is parcel has it been sent what does cost"


@pytest.fixture
def empty(tmp_path: Path, tiny_text_model: Callable[..., bytes]) -> Iterator[Service]:
    """A service of texts, with an empty gallery."""
    (tmp_path / "words.onnx").write_bytes(tiny_text_model(WORDS))
    with launched(tmp_path / "texts.gallery", "--encoder", tmp_path / "words.onnx") as url:
        yield Service(url)


def test_a_text_is_taught_and_known_in_other_words(empty: Service, visit: Visit) -> None:
    page = visit(empty.url)
    expect(page.get_by_role("tab")).to_have_text(["Write", "Classes", "Health"])
    box = page.get_by_label("Text to recognize")
    for label, text in (("cancel", "please cancel my order"), ("find", "where is my parcel")):
        box.fill(text)
        if empty.classes():
            page.locator(".verdict").wait_for()
            if not page.get_by_label("Name this").is_visible():
                page.get_by_role("button", name="No, it is").click()
        teach(page, label)
        assert box.input_value() == ""
    box.fill("i want to cancel my order")
    page.locator(".decided", has_text="please cancel my order").wait_for()
    candidates = page.locator(".outcome").inner_text()
    assert verdict(page) in ("cancel", "Unknown") and "cancel" in candidates
    photograph(page, "write")
    page.set_viewport_size(PHONE)
    photograph(page, "write-phone")
    page.get_by_role("tab", name="Classes").click()
    page.locator("#class-grid", has_text="where is my parcel").wait_for()
    photograph(page, "write-classes")
    assert empty.classes() == {"cancel": 1, "find": 1}


def test_a_class_is_described_before_it_has_an_example(empty: Service, visit: Visit) -> None:
    page = visit(f"{empty.url}/#classes")
    page.get_by_role("button", name="Add a class").click()
    dialog = page.locator("#new-class")
    dialog.get_by_label("Name").fill("find")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_be_visible()  # a file or words are needed
    dialog.get_by_label("Or what it means, in words").fill("where is my parcel")
    photograph(page, "write-describe")
    dialog.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("Described “find”.").wait_for()
    page.locator("#class-grid", has_text="where is my parcel").wait_for()
    assert empty.classes() == {"find": 1}
    page.get_by_role("tab", name="Write").click()
    page.get_by_label("Text to recognize").fill("where is parcel")
    page.locator(".decided", has_text="where is my parcel").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Nothing is enrolled yet").first.wait_for(state="attached")
    assert empty.classes() == {}


@pytest.mark.parametrize("text", ["cancel order " * 760, "x" * 10_000])
@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_a_long_text_leaves_the_rest_in_view(texts: Service, visit: Visit, text: str, viewport: dict[str, int]) -> None:
    page = visit(texts.url, viewport=viewport)
    page.get_by_label("Text to recognize").fill(text)
    own = page.locator(".evidence .words").first
    own.wait_for()
    assert own.bounding_box()["height"] < 300
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


@pytest.mark.parametrize(("confidence", "color"), [(0.38, "--soft"), (0.99, "--known")])
def test_only_an_answer_that_is_likely_right_is_green(
    texts: Service, visit: Visit, confidence: float, color: str
) -> None:
    page = visit(texts.url)

    def answer(route: Any) -> None:
        response = route.fetch()
        said = response.json()
        said["answers"][0].update(label="cancel", unknown=False, confidence=confidence)
        route.fulfill(response=response, json=said)

    page.route("**/v1/identify*", answer)
    page.get_by_label("Text to recognize").fill("cancel my order")
    sure = page.locator(".sure", has_text=f"{confidence:.0%} sure")
    shade = page.evaluate("(name) => getComputedStyle(document.body).getPropertyValue(name)", color)
    red, green, blue = (int(shade[i : i + 2], 16) for i in (1, 3, 5))
    expect(sure).to_have_css("color", f"rgb({red}, {green}, {blue})")
