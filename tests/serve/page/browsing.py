"""A real service in its own process, and a hand at the page in front of it."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image

from lowshot.data.sounds import wav

Line = Sequence[tuple[float, float]]

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
RATE = 4000  # samples of a note in a second
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 760}


@dataclass(frozen=True)
class Service:
    """A service that runs, and what a test wants to know of it, asked without the page."""

    url: str
    key: str = ""

    def call(self, method: str, path: str, **sent: Any) -> Any:
        """A call, and the JSON of its answer."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        answer = httpx.request(method, f"{self.url}/v1/{path}", headers=headers, timeout=60, **sent)
        answer.raise_for_status()
        return answer.json()

    def classes(self) -> dict[str, int]:
        """Each class, and how many examples it has."""
        return {each["label"]: each["examples"] for each in self.call("GET", "classes")["classes"]}

    def examples(self, label: str) -> list[dict[str, Any]]:
        """The records of a class."""
        return list(self.call("GET", f"classes/{quote(label, safe='')}")["examples"])

    def picture(self, id: int) -> Image.Image:
        """What an example was enrolled from."""
        return Image.open(io.BytesIO(httpx.get(f"{self.url}/v1/examples/{id}/image").content))

    def enroll(self, label: str, *pictures: bytes, name: str = "", **attributes: str) -> None:
        """Enroll PNG files."""
        data = [base64.b64encode(each).decode() for each in pictures]
        items = [{"data": each, "name": name, "attributes": attributes} for each in data]
        self.call("POST", f"classes/{quote(label, safe='')}/examples", json={"items": items})

    def empty(self) -> None:
        """Remove all classes."""
        for label in self.classes():
            self.call("DELETE", f"classes/{quote(label, safe='')}")


@contextmanager
def launched(*arguments: object) -> Iterator[str]:
    """``lowshot serve`` with these arguments; gives its address."""
    command = [sys.executable, "-m", "lowshot", "serve", *map(str, arguments), "--port", "0", "--drain", "0", "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LOWSHOT_KEYS": ""}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"http://[\d.:]+", said)
        assert found, f"no address: {said!r}"
        yield found[0]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def draw(page: Any, lines: Sequence[Line]) -> None:
    """Move the mouse along lines of points from 0 to 1, and wait for the answer."""
    box = page.locator("#pad").bounding_box()
    for line in lines:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1::4] + places[-1:]:
            page.mouse.move(*place)
        page.mouse.up()
    page.locator("#took", has_text="ms").wait_for()


def teach(page: Any, label: str) -> None:
    """Give what is asked about a name, and wait until it is enrolled."""
    page.get_by_label("Name this").fill(label)
    page.get_by_role("button", name="Teach").click()
    page.locator("#notice").get_by_text(label).wait_for()


def verdict(page: Any) -> str:
    """The label that an answer shows."""
    return str(page.locator(".verdict strong").first.inner_text())


def photograph(page: Any, name: str, full_page: bool = False) -> None:
    """Keep a screenshot, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    if full_page:  # pictures come in where one looks
        for top in range(0, page.evaluate("document.documentElement.scrollHeight"), 600):
            page.evaluate("(top) => scrollTo(0, top)", top)
            page.wait_for_timeout(50)
        page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(250)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


def png(pixels: Any) -> bytes:
    """A PNG file of gray pixels."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


def note(hertz: float, seconds: float = 3) -> bytes:
    """A WAV file of a tone."""
    return wav((8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.int16), RATE)


ZIGZAG: list[Line] = [[(0.2, 0.3), (0.4, 0.7), (0.5, 0.35), (0.65, 0.7), (0.8, 0.3)]]
BOX: list[Line] = [[(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75), (0.25, 0.25)]]
CROSS: list[Line] = [[(0.2, 0.5), (0.8, 0.5)], [(0.5, 0.15), (0.5, 0.85)]]
