"""Classes: found, opened, named, filled and deleted, with a way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import PHONE, Service, launched, photograph, png
from playwright.sync_api import expect

from lowshot import Gallery

Visit = Callable[..., Any]


def bars(seed: int) -> bytes:
    """A picture unlike others: some black bars."""
    return png(np.kron(np.random.default_rng(seed).integers(0, 2, (7, 7)) * 255, np.ones((12, 12))))


def test_classes_are_found_by_their_names(service: Service, visit: Visit) -> None:
    for i, label in enumerate(["oak", "Oat", "pine/needle"]):
        service.enroll(label, bars(i))
    page = visit(f"{service.url}/#classes")
    expect(page.locator("#class-count")).to_have_text("3 classes, 3 examples")
    page.get_by_role("searchbox", name="Search classes").fill("OA")
    expect(page.locator(".class b")).to_have_text(["Oat", "oak"])
    expect(page.locator("#class-count")).to_have_text("2 classes of 3")
    page.get_by_role("searchbox").fill("beech")
    expect(page.locator("#class-count")).to_have_text("No class has a name like that.")
    page.get_by_role("searchbox").fill("needle")
    page.locator(".class").click()
    page.get_by_role("dialog", name="pine/needle").wait_for()
    assert page.url.endswith("#classes/pine%2Fneedle")


def test_a_name_is_not_broken_to_make_room_for_a_count(
    visit: Visit, tiny_text_model: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "words.onnx").write_bytes(tiny_text_model("will it rain today"))
    with Gallery.open(tmp_path / "texts.gallery", tmp_path / "words.onnx", create=True) as gallery:
        gallery.enroll(["will it rain"], ["weather"])
        for said in ("rain", "rain today"):
            gallery.describe({"weather": said})
    with launched(tmp_path / "texts.gallery") as url:
        page = visit(f"{url}/#classes/weather", viewport=PHONE)
        title, count = page.locator("#one-class-title"), page.locator("#one-class-count")
        expect(count).to_have_text("1 example, 2 descriptions")
        height = title.evaluate("each => parseFloat(getComputedStyle(each).lineHeight)")
        assert title.bounding_box()["height"] < 1.5 * height
        assert count.bounding_box()["y"] >= title.bounding_box()["y"] + height
        photograph(page, "phone-class")


def test_a_class_is_added_from_one_picture(service: Service, visit: Visit) -> None:
    page = visit(f"{service.url}/#classes")
    expect(page.locator("#class-count")).to_contain_text("Nothing is enrolled yet")
    page.get_by_role("button", name="Add a class").click()
    page.get_by_role("dialog", name="Add a class").get_by_label("Name").fill("oak")
    page.get_by_label("Pictures – one is enough").set_input_files(
        {"name": "leaf.png", "mimeType": "image/png", "buffer": bars(1)}
    )
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".class", has_text="oak").wait_for()
    expect(page.locator("#new-class")).to_be_hidden()
    assert [each["name"] for each in service.examples("oak")] == ["leaf.png"]
    page.locator(".class").click()
    page.locator("#one-class-count", has_text="1 example").wait_for()
    page.locator("#example-files").set_input_files({"name": "2.png", "mimeType": "image/png", "buffer": bars(2)})
    page.locator("#one-class-count", has_text="2 examples").wait_for()
    expect(page.locator("#notice").get_by_text("Added 1 example to “oak”")).to_be_visible()
    page.locator("#notice").get_by_role("button", name="Undo").click()  # in reach, although a dialog is open
    page.locator("#one-class-count", has_text="1 example").wait_for()


def test_a_class_is_renamed_and_joined_only_when_that_is_meant(service: Service, visit: Visit) -> None:
    service.enroll("oak", bars(1))
    service.enroll("pine", bars(2))
    page = visit(f"{service.url}/#classes/oak")
    field, rename = page.locator("#one-class").get_by_label("Name"), page.get_by_role("button", name="Rename")
    field.fill("beech")
    rename.click()
    page.get_by_role("dialog", name="beech").wait_for()
    assert service.classes() == {"beech": 1, "pine": 1}
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("dialog", name="oak").wait_for()
    assert service.classes() == {"oak": 1, "pine": 1}
    field.fill("pine")
    rename.click()
    page.get_by_role("button", name="Cancel").click()
    assert service.classes() == {"oak": 1, "pine": 1}
    rename.click()
    page.get_by_role("button", name="Join").click()
    page.get_by_role("dialog", name="pine").wait_for()
    assert service.classes() == {"pine": 2}


def test_a_name_that_cannot_be_one_is_told(service: Service, visit: Visit) -> None:
    service.enroll("oak", bars(1))
    page = visit(f"{service.url}/#classes/oak")
    page.locator("#one-class").get_by_label("Name").fill("a\u2028b")
    page.get_by_role("button", name="Rename").click()
    page.locator("#notice").get_by_text("control characters").wait_for()
    assert service.classes() == {"oak": 1}


def test_a_deleted_class_comes_back_as_it_was(service: Service, visit: Visit) -> None:
    service.enroll("oak", bars(1), bars(2), name="leaf.png", season="fall")
    before = service.examples("oak")
    pictures = [np.asarray(service.picture(each["id"])) for each in before]
    page = visit(f"{service.url}/#classes/oak")
    photograph(page, "class")
    page.get_by_role("button", name="Delete class").click()
    page.get_by_text("Deleted “oak” and its 2 examples.").wait_for()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert service.classes() == {}
    page.get_by_role("button", name="Undo", exact=True).click()
    page.locator(".class", has_text="oak").wait_for()
    after = service.examples("oak")
    facts = ("label", "name", "attributes")
    assert [[each[fact] for fact in facts] for each in after] == [[each[fact] for fact in facts] for each in before]
    for each, picture in zip(after, pictures, strict=True):
        np.testing.assert_array_equal(np.asarray(service.picture(each["id"])), picture)


def test_a_deleted_example_comes_back(service: Service, visit: Visit) -> None:
    service.enroll("oak", bars(1), name="1.png")
    service.enroll("oak", bars(2), name="2.png")
    page = visit(f"{service.url}/#classes/oak")
    page.get_by_role("button", name="Delete 1.png of oak").click()
    page.locator("#one-class-count", has_text="1 example").wait_for()
    assert [each["name"] for each in service.examples("oak")] == ["2.png"]
    page.get_by_role("button", name="Undo", exact=True).click()
    page.locator("#one-class-count", has_text="2 examples").wait_for()
    assert sorted(each["name"] for each in service.examples("oak")) == ["1.png", "2.png"]


def test_hundreds_of_classes_come_in_parts(visit: Visit, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "many.gallery", create=True) as gallery:
        gallery.enroll([bars(i) for i in range(250)], [f"class {i:03d}" for i in range(250)])
    with launched(tmp_path / "many.gallery") as url:
        page = visit(f"{url}/#classes")
        expect(page.locator(".class")).to_have_count(240)
        photograph(page, "classes-many")
        loaded = page.locator(".class img[src]").count()
        assert 0 < loaded < 120  # only what is near the window is fetched
        page.get_by_role("button", name="Show more (10 classes are left)").click()
        expect(page.locator(".class")).to_have_count(250)
        page.close()


@pytest.fixture(scope="module")
def without_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery that keeps features only."""
    place = tmp_path_factory.mktemp("features") / "only.gallery"
    with Gallery.open(place, create=True, images=False) as gallery:
        gallery.enroll([bars(1), bars(2)], ["oak", "pine"])
    return place


def test_without_pictures_deleting_asks_first(visit: Visit, without_pictures: Path) -> None:
    with launched(without_pictures) as url:
        page = visit(f"{url}/#classes/oak")
        expect(page.get_by_role("dialog", name="oak").get_by_text("no picture kept")).to_be_visible()
        page.get_by_role("button", name="Delete class").click()
        page.get_by_role("alertdialog", name="Delete “oak” and its 1 example?").wait_for()
        page.get_by_role("button", name="Cancel").click()
        assert Service(url).classes() == {"oak": 1, "pine": 1}
        page.get_by_role("button", name="Delete class").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        page.get_by_text("Deleted “oak” and its 1 example.").wait_for()
        expect(page.get_by_role("button", name="Undo", exact=True)).to_have_count(0)
        assert Service(url).classes() == {"pine": 1}
        page.close()
