"""A real service, and Chromium in front of it. A page may say nothing on the console, and ask nobody but its service."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs lowshot[serve]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

from browsing import DESK, RATE, Service, launched, note  # noqa: E402  # needs both

from lowshot import Gallery  # noqa: E402

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
)
_TOLD = re.compile(
    r"Failed to load resource: the server responded with a status of 4(01|03|09|22) "
)  # the page says it, too


@pytest.fixture(scope="package")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with launched(tmp_path_factory.mktemp("served") / "page.gallery") as url:
        yield Service(url)


@pytest.fixture
def service(_service: Service) -> Service:
    """A service of an empty gallery of characters."""
    _service.empty()
    return _service


@pytest.fixture(scope="package")
def sounds_described(tmp_path_factory: pytest.TempPathFactory, tiny_sound_model: Callable[..., bytes]) -> Path:
    """A gallery of notes of two pitches, three of each, one of them twice; and of a class that is described."""
    place = tmp_path_factory.mktemp("notes")
    (place / "notes.onnx").write_bytes(tiny_sound_model(RATE))
    with Gallery.open(place / "notes.gallery", place / "notes.onnx", create=True) as gallery:
        pitches = {"low": (300, 310, 320), "high": (1500, 1520, 1540)}
        for label, hertz in pitches.items():
            gallery.enroll(
                [note(each) for each in hertz], [label] * 3, [f"{each}.wav" for each in hertz], [{"pitch": label}] * 3
            )
        gallery.enroll([note(300)], ["high"], ["again.wav"])
        gallery.describe({"deep": {"pitch": "low"}})
    return place / "notes.gallery"


@pytest.fixture(scope="package")
def texts_described(tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Callable[..., bytes]) -> Path:
    """A gallery of sentences, one class of which is described in words."""
    place = tmp_path_factory.mktemp("sentences")
    (place / "words.onnx").write_bytes(tiny_text_model("please cancel my order where is parcel i lost card"))
    with Gallery.open(place / "texts.gallery", place / "words.onnx", create=True) as gallery:
        gallery.enroll(
            ["please cancel my order", "cancel order", "where is my parcel " * 20, "where is parcel"],
            ["cancel", "cancel", "find", "find"],
        )
        gallery.describe({"lost card": "i lost my card"})
    return place / "texts.gallery"


@pytest.fixture(scope="package")
def sounds(sounds_described: Path) -> Iterator[Service]:
    """A service of sounds, for tests that change nothing."""
    with launched(sounds_described) as url:
        yield Service(url)


@pytest.fixture(scope="package")
def texts(texts_described: Path) -> Iterator[Service]:
    """A service of texts, for tests that change nothing."""
    with launched(texts_described) as url:
        yield Service(url)


@pytest.fixture(scope="package")
def start() -> Iterator[Callable[..., Any]]:
    """``start("--flag")`` starts Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: `make browser` as root, or the package of your system")
    with playwright.sync_playwright() as running:
        yield lambda *flags: running.chromium.launch(executable_path=chromium, args=[*_FLAGS, *flags])


@pytest.fixture(scope="package")
def browser(start: Callable[..., Any]) -> Iterator[Any]:
    """Chromium, for all tests that want nothing special of it."""
    started = start()
    yield started
    started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """``visit(url, viewport=PHONE)`` opens a page in a context of its own, and waits until it is there.

    Afterwards the test fails if a page said something on the console, as it does where its policy is violated, or asked
    anyone but its service for anything.
    """
    contexts, said = [], []

    def open_page(
        url: str, *, viewport: dict[str, int] | None = None, wait: bool = True, by: Any = browser, **options: Any
    ) -> Any:
        context = by.new_context(viewport=viewport or DESK, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        origin = "/".join(url.split("/")[:3])
        page.on("console", lambda message: said.append(message.text) if not _TOLD.match(message.text) else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if _is_foreign(request.url, origin) else None)
        page.goto(url)
        if wait:
            page.locator("#page").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def _is_foreign(url: str, origin: str) -> bool:
    return not url.startswith((f"{origin}/", f"blob:{origin}/"))
