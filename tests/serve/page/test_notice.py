"""Messages: what went wrong is forgiven by what goes well, and nothing stays for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from browsing import BOX, Service, draw, note, teach
from playwright.sync_api import expect

Visit = Callable[..., Any]

_DROP_TWO = """() => {
  const given = new DataTransfer();
  for (const name of ["a.wav", "b.wav"]) given.items.add(new File(["sound"], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
}"""


def give(page: Any, content: bytes) -> None:
    """Choose a file to be heard."""
    sound = {"name": "a.wav", "mimeType": "audio/wav", "buffer": content}
    page.get_by_label("Sound", exact=True).set_input_files(sound)


def test_an_error_goes_with_the_next_answer_or_view(sounds: Service, visit: Visit) -> None:
    page = visit(sounds.url)
    failed = page.locator("#notice .failed")
    give(page, b"no sound")
    failed.wait_for()
    give(page, note(301))
    page.locator(".verdict").wait_for()
    expect(failed).to_have_count(0)
    give(page, b"no sound")
    failed.wait_for()
    page.get_by_role("tab", name="Classes").click()
    expect(failed).to_have_count(0)


def test_what_is_wrong_with_dropped_files_is_told_on_their_view(sounds: Service, visit: Visit) -> None:
    page = visit(f"{sounds.url}/#classes")
    page.evaluate(_DROP_TWO)
    page.locator("#notice .failed", has_text="One sound at a time").wait_for()
    assert page.url.endswith("#say")


def test_what_can_be_undone_stays_for_ten_seconds_and_while_it_is_in_use(service: Service, visit: Visit) -> None:
    page = visit(service.url)
    page.clock.install()
    draw(page, BOX)
    teach(page, "box")
    undo = page.get_by_role("button", name="Undo", exact=True)
    page.clock.run_for(9_000)
    expect(undo).to_be_visible()
    undo.hover()
    page.clock.run_for(30_000)
    expect(undo).to_be_visible()
    page.mouse.move(0, 0)
    undo.focus()
    page.clock.run_for(30_000)
    expect(undo).to_be_visible()
    page.locator("#pad").focus()
    page.clock.run_for(3_000)
    expect(undo).to_have_count(0)
