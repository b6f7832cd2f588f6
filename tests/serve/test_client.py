"""The client gives what a gallery in process gives: answers, records, findings and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from asking import drawing
from PIL import Image

import lowshot
from lowshot import Client, Gallery
from lowshot.errors import (
    BadFiles,
    BadLabels,
    ConfigError,
    EmptyGallery,
    GalleryError,
    NoMatch,
    NotEnrolled,
    ServiceError,
)
from lowshot.gallery.check import check


@pytest.fixture
def both(served: Callable[..., Any], tmp_path: Path, model: Path) -> Iterator[tuple[Client, Gallery]]:
    """A client of a service, and its gallery in this process."""
    with served() as http, Gallery.open(tmp_path / "my.gallery", model, create=True) as gallery:
        client = Client("http://localhost")
        client._http.close()
        client._http = http
        yield client, gallery


def test_the_same_answers(both: tuple[Client, Gallery], tmp_path: Path) -> None:
    client, gallery = both
    file = tmp_path / "first.png"
    file.write_bytes(drawing(0))
    pixels = np.random.default_rng(5).integers(0, 256, (9, 7), np.uint8)
    assert client.enroll("a/b", [file, drawing(1)], {"color": "red"}) == [1, 2]
    assert client.enroll("c", [pixels, Image.fromarray(pixels.T)]) == [3, 4]
    assert gallery.enroll([pixels], ["c"]) == [3]  # the very same picture
    assert client.classes() == gallery.classes()
    assert client.examples("a/b") == gallery.examples("a/b")
    assert client.original(1) == file.read_bytes()
    questions = [drawing(1), file, pixels, drawing(77)]
    assert client.identify(questions) == gallery.identify(questions)
    assert client.identify([file], 1, {"color": ["red", "blue"]}) == gallery.identify([file], 1, {"color": "red"})
    assert client.check() == check(gallery)
    assert client.rename_class("a/b", "c") == 2 and client.remove([1, 2, 1]) == 2 and client.remove_class("c") == 2
    assert client.classes() == {}


def test_the_same_errors(both: tuple[Client, Gallery], tmp_path: Path) -> None:
    client, gallery = both
    for asked in (client, gallery):
        with pytest.raises(EmptyGallery):
            asked.identify([drawing(0)])
    gallery.enroll([drawing(0)], ["a"], attributes=[{"color": "red"}])
    calls: list[tuple[type[Exception], Callable[[Any], object]]] = [
        (BadFiles, lambda asked: asked.identify([drawing(0), b"x"])),
        (BadFiles, lambda asked: asked.identify([tmp_path / "nothing.png"])),
        (NotEnrolled, lambda asked: asked.examples("nothing")),
        (NotEnrolled, lambda asked: asked.remove([9])),
        (NotEnrolled, lambda asked: asked.remove_class("nothing")),
        (NotEnrolled, lambda asked: asked.original(9)),
        (BadLabels, lambda asked: asked.rename_class("a", " b")),
        (ConfigError, lambda asked: asked.identify([drawing(0)], top=0)),
        (NoMatch, lambda asked: asked.identify([drawing(0)], where={"color": "blue"})),
        (GalleryError, lambda asked: asked.identify(drawing(0))),
    ]
    for kind, call in calls:
        messages = []
        for asked in (client, gallery):
            with pytest.raises(kind) as raised:
                call(asked)
            messages.append(getattr(raised.value, "problems", ((), ()))[-1][1:])
        assert messages[0] == messages[1]  # the reason of the last bad file
    for label in ("", ".", ".."):
        with pytest.raises(BadLabels):
            client.enroll(label, [drawing(0)])


def answering(*responses: httpx.Response) -> tuple[Client, list[httpx.Request]]:
    """A client of a server that gives these responses in turn."""
    asked: list[httpx.Request] = []
    left = iter(responses)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return next(left)

    client = Client("http://localhost", key="k" * 16)
    client._http.close()
    client._http = httpx.Client(
        transport=httpx.MockTransport(answer), base_url="http://x", headers=client._http.headers
    )
    return client, asked


def test_a_busy_service_is_asked_again_and_only_to_identify(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    busy = httpx.Response(429, json={"type": "/problems/busy", "detail": "later"}, headers={"Retry-After": "3"})
    late = httpx.Response(503, json={"type": "/problems/timed-out", "detail": "late"}, headers={"Retry-After": "999"})
    client, asked = answering(busy, late, httpx.Response(200, json={"answers": []}))
    assert client.identify([drawing(0)]) == []
    assert waits == [3, 10] and len(asked) == 3
    assert asked[0].headers["authorization"] == "Bearer " + "k" * 16
    client, asked = answering(*[busy] * 20)
    with pytest.raises(ServiceError, match="later"):
        client.identify([drawing(0)])
    assert len(asked) == 6
    client, asked = answering(busy)
    with pytest.raises(ServiceError, match="later"):
        client.enroll("a", [drawing(0)])
    assert len(asked) == 1


@pytest.mark.parametrize(
    "response", [httpx.Response(404, text="<html>"), httpx.Response(500, json=[]), httpx.Response(502)]
)
def test_what_is_no_lowshot_service(response: httpx.Response) -> None:
    with pytest.raises(ServiceError, match="address"):
        answering(response)[0].classes()


def test_a_key_that_is_not_known(served: Callable[..., Any]) -> None:
    from lowshot.serve.settings import Key

    with served(keys=(Key(scope="read", secret="r" * 20),)) as http:
        client = Client("http://localhost")
        client._http.close()
        client._http = http
        with pytest.raises(ServiceError, match="key"):
            client.classes()


def test_addresses_that_cannot_be() -> None:
    for url in ("http://[", "http://x:port", "ftp://x", "x"):
        with pytest.raises(ServiceError), lowshot.Client(url) as client:
            client.classes()
