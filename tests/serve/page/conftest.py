"""A real service, and Chromium in front of it. A page may say nothing on the console, and ask nobody but its service."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs lowshot[serve]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

from browsing import DESK, Service, launched  # noqa: E402  # needs both

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
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: `make browser` as root, or the package of your system")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """``visit(url, viewport=PHONE)`` opens a page in a context of its own, and waits until it is there.

    Afterwards the test fails if a page said something on the console, as it does where its policy is violated, or asked
    anyone but its service for anything.
    """
    contexts, said = [], []

    def open_page(url: str, *, viewport: dict[str, int] | None = None, wait: bool = True, **options: Any) -> Any:
        context = browser.new_context(viewport=viewport or DESK, **options)
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
