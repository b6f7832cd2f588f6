"""Photos: several at once, from everywhere, each with its answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import PHONE, Service, photograph, png, teach
from playwright.sync_api import expect

from lowshot import load

Visit = Callable[..., Any]

_DROP = """([target, files]) => {
  const data = new DataTransfer();
  for (const [name, content] of files) {
    data.items.add(new File([Uint8Array.from(atob(content), (byte) => byte.charCodeAt())], name, {type: "image/png"}));
  }
  const event = target === "paste"
    ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
    : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def digit() -> Callable[[int, int], bytes]:
    """The n-th picture of a digit, as a PNG file large enough to be looked at."""
    digits = load("digits")

    def file(what: int, n: int) -> bytes:
        return png(np.kron(digits.items[np.flatnonzero(digits.labels == what)[n]].squeeze(), np.ones((16, 16))))

    return file


def upload(name: str, content: bytes) -> dict[str, Any]:
    """A file for a field of the page."""
    return {"name": name, "mimeType": "image/png", "buffer": content}


def test_several_at_once_and_a_bad_one_harms_none(
    service: Service, visit: Visit, digit: Callable[[int, int], bytes]
) -> None:
    for what in (0, 1, 4, 6, 7):
        service.enroll(str(what), digit(what, 0), name=f"digit {what}.png")
    page = visit(f"{service.url}/#photos")
    photograph(page, "photos-empty")
    files = [upload(f"{what}.png", digit(what, 0) if what != 7 else digit(7, 5)) for what in (0, 1, 7)]
    page.locator("#pick").set_input_files([*files, upload("broken.png", b"no picture")])
    for what in (0, 1, 7):
        card = page.get_by_role("article", name=f"{what}.png")
        card.locator(".verdict strong").get_by_text(str(what), exact=True).wait_for()
        expect(card.get_by_role("img", name=f"Enrolled example of {what}: digit {what}.png")).to_be_visible()
    expect(page.get_by_role("article", name="broken.png")).to_contain_text("no picture of a format")
    expect(page.locator("#spoken")).to_have_text("4 photos looked at.")
    photograph(page, "photos-several", full_page=True)
    page.set_viewport_size(PHONE)
    photograph(page, "phone-photos", full_page=True)
    page.get_by_role("button", name="Take broken.png off the page").click()
    expect(page.get_by_role("article")).to_have_count(3)
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("article")).to_have_count(0)


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_file_may_be_dropped_or_pasted_on_any_view(
    service: Service, visit: Visit, digit: Callable[[int, int], bytes], how: str
) -> None:
    service.enroll("three", digit(3, 0))
    page = visit(f"{service.url}/#classes")
    page.evaluate(_DROP, [how, [["a.png", base64.b64encode(digit(3, 0)).decode()]]])
    page.get_by_role("article", name="a.png").locator(".verdict", has_text="three").wait_for()
    assert page.get_by_role("tab", name="Photos").get_attribute("aria-selected") == "true"
    assert page.url.endswith("#photos")


def test_what_one_photo_teaches_answers_the_others(
    service: Service, visit: Visit, digit: Callable[[int, int], bytes]
) -> None:
    page = visit(f"{service.url}/#photos")
    page.locator("#pick").set_input_files([upload("first.png", digit(0, 0)), upload("second.png", digit(0, 1))])
    page.locator(".verdict", has_text="What is it?").nth(1).wait_for()
    first, second = (page.get_by_role("article", name=name) for name in ("first.png", "second.png"))
    first.get_by_label("Name this photo").fill("zero")
    first.get_by_role("button", name="Teach").click()
    first.get_by_text("enrolled as an example").wait_for()
    second.locator(".runners, .feedback").first.wait_for()
    assert "zero" in second.inner_text()
    assert [each["name"] for each in service.examples("zero")] == ["first.png"]


def test_the_camera_takes_a_picture(service: Service, visit: Visit) -> None:
    page = visit(f"{service.url}/#photos", permissions=["camera"])
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take a picture").wait_for()
    page.locator("#viewfinder").evaluate(
        "video => new Promise((done) => video.videoWidth ? done() : video.onloadeddata = done)"
    )
    page.get_by_role("button", name="Take a picture").click()
    page.get_by_role("article").first.wait_for(state="attached")
    page.locator("#camera").get_by_role("button", name="Close").click()
    page.locator(".verdict", has_text="What is it?").wait_for()
    assert page.locator("#viewfinder").evaluate("video => video.srcObject === null")


def test_a_camera_that_is_refused_is_told(service: Service, visit: Visit) -> None:
    page = visit(f"{service.url}/#photos")
    page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError")); }"""
    )
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#notice").get_by_text("The camera may not be used").wait_for()


def test_without_a_viewfinder_the_phone_s_camera_is_asked(service: Service, visit: Visit) -> None:
    page = visit(f"{service.url}/#photos")
    page.evaluate("() => Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name="Use the camera").click()
    assert asked.value.element.get_attribute("capture") == "environment"


def test_names_from_outside_stay_text(service: Service, visit: Visit, digit: Callable[[int, int], bytes]) -> None:
    evil = "<img src=x onerror=alert(1)>"
    page = visit(f"{service.url}/#photos")
    page.locator("#pick").set_input_files(upload(f"{evil}.png", digit(2, 0)))
    page.locator(".photo .verdict").wait_for()
    teach(page, f"{evil}<script>alert(2)</script>/a")
    page.get_by_role("tab", name="Classes").click()
    page.locator(".class").click()
    page.locator("#one-class-title", has_text=evil).wait_for()
    page.locator("#examples", has_text=f"{evil}.png").wait_for()
    expect(page.locator("img[src=x], #page script")).to_have_count(0)
