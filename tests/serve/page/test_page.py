"""What holds for every view: who may look, how it looks, and that everybody can use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import BOX, DESK, PHONE, Service, draw, launched, note, photograph, png, verdict
from playwright.sync_api import expect

Visit = Callable[..., Any]
VIEWS = {
    "draw": "filled",
    "photos": "filled",
    "classes": "filled",
    "health": "filled",
    "say": "sounds",
    "write": "texts",
}
OTHERS = [("sounds", "say"), ("texts", "write")]
READ, WRITE = "read-key-of-many-letters", "write-key-of-many-letters"


@pytest.fixture
def filled(service: Service) -> Service:
    """A service of a few classes, one with a long name."""
    rng = np.random.default_rng(3)
    for label in ["oak", "pine", "A very long name of a class that must break somewhere/" + "x" * 90]:
        service.enroll(label, *(png(np.kron(rng.integers(0, 2, (7, 7)) * 255, np.ones((12, 12)))) for _ in range(3)))
    return service


def ask(page: Any, view: str) -> None:
    """Ask what a sound or a text is."""
    if view == "say":
        sound = {"name": "a.wav", "mimeType": "audio/wav", "buffer": note(301)}
        page.get_by_label("Sound", exact=True).set_input_files(sound)
    else:
        page.get_by_label("Text to recognize").fill("my lost card")
    page.locator(".verdict").wait_for()


def faults(page: Any) -> list[str]:
    """What axe-core calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {[node['html'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(filled: Service, visit: Visit, scheme: str) -> None:
    page = visit(filled.url, color_scheme=scheme, reduced_motion="reduce")
    draw(page, BOX)
    assert faults(page) == []
    photograph(page, f"{scheme}-draw", full_page=True)
    page.locator("#photos-tab").click()
    page.locator("#pick").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(np.zeros((30, 30)))})
    page.locator(".photo .verdict").wait_for()
    assert faults(page) == []
    photograph(page, f"{scheme}-photos", full_page=True)
    page.locator("#classes-tab").click()
    assert faults(page) == []
    photograph(page, f"{scheme}-classes")
    page.locator(".class").first.click()
    page.locator("#examples li").first.wait_for()
    assert faults(page) == []
    photograph(page, f"{scheme}-class")
    page.keyboard.press("Escape")
    page.locator("#health-tab").click()
    page.locator(".figures").wait_for()
    assert faults(page) == []
    photograph(page, f"{scheme}-health", full_page=True)


def test_light_and_dark_follow_the_system(filled: Service, visit: Visit) -> None:
    shades = [
        visit(filled.url, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert shades == ["rgb(245, 246, 248)", "rgb(17, 20, 26)"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("kind", "view"), OTHERS)
def test_axe_finds_no_serious_fault_with_sounds_and_texts(
    request: pytest.FixtureRequest, visit: Visit, kind: str, view: str, scheme: str
) -> None:
    service: Service = request.getfixturevalue(kind)
    page = visit(service.url, color_scheme=scheme, reduced_motion="reduce")
    assert faults(page) == []
    ask(page, view)
    assert faults(page) == []
    photograph(page, f"{scheme}-{view}", full_page=True)
    for label in service.classes():
        page.goto(f"{service.url}/#classes/{label}")
        page.locator("#examples li > :not(:empty)").first.wait_for()
        assert faults(page) == []
        photograph(page, f"{scheme}-{kind}-{label}")
        page.keyboard.press("Escape")
    assert faults(page) == []
    photograph(page, f"{scheme}-{kind}-classes")
    page.locator("#health-tab").click()
    page.locator(".figures").wait_for()
    photograph(page, f"{scheme}-{kind}-health", full_page=True)
    assert faults(page) == []


@pytest.mark.parametrize(("view", "kind"), VIEWS.items())
def test_a_phone_needs_no_scrolling_sideways(
    request: pytest.FixtureRequest, visit: Visit, view: str, kind: str
) -> None:
    page = visit(f"{request.getfixturevalue(kind).url}/#{view}", viewport=PHONE, device_scale_factor=2)
    if view == "draw":
        draw(page, BOX)
    if view == "health":
        page.locator(".figures").wait_for()
    if view in ("say", "write"):
        ask(page, view)
    photograph(page, f"phone-{view}")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect(page.locator("[role=tab]:visible")).to_have_count(4 if kind == "filled" else 3)


@pytest.mark.parametrize(("kind", "view"), OTHERS)
def test_pictures_are_spoken_of_only_where_there_are_any(
    request: pytest.FixtureRequest, visit: Visit, kind: str, view: str
) -> None:
    page = visit(request.getfixturevalue(kind).url)
    ask(page, view)
    words = [page.locator("#page").inner_text()]
    page.locator("#classes-tab").click()
    page.get_by_role("button", name="Add a class").click()
    words.append(page.locator("#new-class").inner_text())
    page.keyboard.press("Escape")
    page.locator("#health-tab").click()
    page.locator(".figures").wait_for()
    words.append(page.locator("#findings").inner_text())
    for photo in ("picture", "drawing", "looks like", "look alike"):
        assert photo not in " ".join(words).lower()


def test_tabs_follow_the_keys_and_the_address(filled: Service, visit: Visit) -> None:
    page = visit(filled.url)
    page.get_by_role("tab", name="Draw").focus()
    for key, view in [("ArrowRight", "photos"), ("End", "health"), ("ArrowRight", "draw"), ("ArrowLeft", "health")]:
        page.keyboard.press(key)
        page.locator(f"#{view}-view").wait_for()
        expect(page.locator("[role=tabpanel]:visible")).to_have_count(1)
        assert page.evaluate("document.activeElement.id") == f"{view}-tab"
        assert page.url.endswith(f"#{view}")
    page.go_back()
    page.locator("#draw-view").wait_for()
    page.goto(f"{filled.url}/#classes/%E0%A4%A")
    page.locator("#classes-view").wait_for()


def test_the_skip_link_leads_to_the_content(filled: Service, visit: Visit) -> None:
    page = visit(f"{filled.url}/#classes")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    expect(page.locator("#classes-view")).to_be_visible()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with keys."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = folder / "keys"
    keys.write_text(f"read {READ}\nwrite {WRITE}\n")
    with launched(folder / "guarded.gallery", "--keys", keys) as url:
        service = Service(url, WRITE)
        service.enroll("oak", png(np.kron(np.eye(7) * 255, np.ones((12, 12)))))
        yield service


def test_a_key_is_asked_for_and_kept_for_the_tab(guarded: Service, visit: Visit) -> None:
    page = visit(f"{guarded.url}/#classes", wait=False)
    dialog = page.get_by_role("dialog", name="A key is needed")
    dialog.get_by_role("textbox", name="Key").fill("not-the-key-at-all-no")
    dialog.get_by_role("button", name="Go on").click()
    page.get_by_text("The service does not know this key.").wait_for()
    photograph(page, "key")
    assert faults(page) == []
    dialog.get_by_role("textbox", name="Key").fill(WRITE)
    dialog.get_by_role("button", name="Go on").click()
    page.locator(".class img[src]").wait_for()
    page.reload()
    page.locator(".class img[src]").wait_for()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_who_has_no_key_is_told(guarded: Service, visit: Visit) -> None:
    page = visit(guarded.url, wait=False)
    page.get_by_role("dialog", name="A key is needed").get_by_role("button", name="Cancel").click()
    page.locator("#failed").get_by_role("button", name="Try again").click()
    page.get_by_role("dialog", name="A key is needed").wait_for()


def test_a_key_that_only_reads_cannot_teach(guarded: Service, visit: Visit) -> None:
    page = visit(guarded.url, wait=False)
    page.get_by_role("textbox", name="Key").fill(READ)
    page.get_by_role("button", name="Go on").click()
    page.locator("#page").wait_for()
    draw(page, BOX)
    assert verdict(page) == "Unknown"
    page.get_by_label("Name this drawing").fill("box")
    page.get_by_role("button", name="Teach").click()
    page.locator("#notice .failed").wait_for()
    assert guarded.classes() == {"oak": 1}
    page.locator("#notice").get_by_role("button", name="Use another key").click()
    page.get_by_role("textbox", name="Key").fill(WRITE)


def test_an_encoder_of_photos_opens_on_photos(visit: Visit, tiny_model: Callable[..., bytes], tmp_path: Path) -> None:
    encoder = tmp_path / "tiny.onnx"
    encoder.write_bytes(tiny_model())
    with launched(tmp_path / "tiny.gallery", "--encoder", encoder) as url:
        page = visit(url)
        assert page.get_by_role("tab", name="Photos").get_attribute("aria-selected") == "true"
        expect(page.get_by_role("tab")).to_have_text(["Photos", "Classes", "Health"])
        page.close()


def test_a_service_that_is_gone_is_told(visit: Visit, tmp_path: Path, browser: Any) -> None:
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    with launched(tmp_path / "gone.gallery") as url:
        page.goto(url)
        page.locator("#page").wait_for()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.up()
    page.locator("#notice").get_by_text("The service does not answer.").wait_for()
    context.close()
