"""The service with texts and with sounds; with pictures: the other files here."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import drawing, files, problem
from PIL import Image
from starlette.testclient import TestClient

from lowshot import Client, Gallery
from lowshot.data.sounds import wav
from lowshot.errors import BadDescriptions, BadFiles

WORDS = "please cancel my order where is parcel"
RATE = 4000


@pytest.fixture
def texts(served: Callable[..., Any], tmp_path: Path, tiny_text_model: Callable[..., bytes]) -> Iterator[TestClient]:
    """A service of texts."""
    (tmp_path / "words.onnx").write_bytes(tiny_text_model(WORDS))
    with served(encoder=str(tmp_path / "words.onnx")) as client:
        yield client


@pytest.fixture
def sounds(served: Callable[..., Any], tmp_path: Path, tiny_sound_model: Callable[..., bytes]) -> Iterator[TestClient]:
    """A service of sounds."""
    (tmp_path / "sounds.onnx").write_bytes(tiny_sound_model(RATE))
    with served(gallery=str(tmp_path / "sounds.gallery"), encoder=str(tmp_path / "sounds.onnx")) as client:
        yield client


def enroll(client: TestClient, label: str, *items: dict[str, Any]) -> list[int]:
    response = client.post(f"/v1/classes/{label}/examples", json={"items": list(items)})
    assert response.status_code == 201, response.text
    ids: list[int] = response.json()["ids"]
    return ids


def note(hertz: float) -> bytes:
    return wav((8000 * np.sin(2 * np.pi * hertz * np.arange(400) / RATE)).astype(np.int16), RATE)


def encoded(content: bytes) -> dict[str, str]:
    return {"data": base64.b64encode(content).decode()}


def told(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [answer["candidates"][0]["label"] for answer in response.json()["answers"]]


def test_texts_in_json_and_in_forms(texts: TestClient) -> None:
    assert enroll(texts, "cancel", {"text": "please cancel my order"}) == [1]
    assert enroll(texts, "find", encoded(b"where is my parcel")) == [2]
    asked = ["cancel order", "where is parcel"]
    assert told(texts.post("/v1/identify", json={"items": [{"text": text} for text in asked]})) == ["cancel", "find"]
    assert told(texts.post("/v1/identify", files=files(*(text.encode() for text in asked)))) == ["cancel", "find"]
    assert enroll(texts, "find", {"text": "where is my parcel"}) == [2]  # the same, however it is sent
    problem(texts.post("/v1/identify", files=files(b"\xff\xfe")), 422, "bad-files")


def test_the_file_of_a_text(texts: TestClient) -> None:
    said = "<script>alert('order')</script> ça"
    enroll(texts, "odd", {"text": said})
    shown = texts.get("/v1/examples/1/file")
    assert shown.content.decode() == said
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    again = texts.get("/v1/examples/1/file", headers={"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("image", "image?size=32"):
        assert "/file" in problem(texts.get(f"/v1/examples/1/{path}"), 404, "not-found")["detail"]


def test_sounds(sounds: TestClient) -> None:
    assert enroll(sounds, "low", encoded(note(300))) == [1]
    posted = sounds.post("/v1/classes/high/examples", files={"files": ("high.wav", note(1500))})
    assert posted.json() == {"label": "high", "ids": [2]}
    assert told(sounds.post("/v1/identify", files=files(note(1500), note(300)))) == ["high", "low"]
    problem(sounds.post("/v1/identify", files=files(drawing(0))), 422, "bad-files")
    problem(sounds.get("/v1/examples/1/image"), 404, "not-found")


@pytest.mark.parametrize(
    ("format", "kind"), [("WAV", "audio/wav"), ("FLAC", "audio/flac"), ("OGG", "audio/ogg"), ("MP3", "audio/mpeg")]
)
def test_the_file_of_a_sound(sounds: TestClient, format: str, kind: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    soundfile.write(file, wave, 16_000, format=format)
    enroll(sounds, "tone", encoded(file.getvalue()))
    shown = sounds.get("/v1/examples/1/file")
    assert (shown.headers["content-type"], shown.content) == (kind, file.getvalue())


def test_the_file_of_a_picture(client: TestClient) -> None:
    enroll(client, "a", encoded(drawing(0)))
    shown = client.get("/v1/examples/1/file")
    assert (shown.headers["content-type"], shown.content) == ("image/png", drawing(0))
    problem(client.get("/v1/examples/2/file"), 404, "not-found")


def test_texts_where_none_are_recognized(client: TestClient, sounds: TestClient) -> None:
    for asked, noun in ((client, "picture"), (sounds, "sound")):
        for path in ("/v1/identify", "/v1/classes/a/examples"):
            found = problem(asked.post(path, json={"items": [{"text": "an order", "name": "x"}]}), 422, "bad-files")
            assert found["files"] == [{"name": "x", "reason": f"it is a text: send the file of a {noun} as `data`"}]
        assert asked.get("/v1/classes").json()["examples"] == 0


@pytest.mark.parametrize("item", [{}, {"text": "order", "data": "b3JkZXI="}, {"text": 7}, {"text": None}])
def test_items_that_are_no_single_thing(texts: TestClient, item: dict[str, Any]) -> None:
    problem(texts.post("/v1/identify", json={"items": [item]}), 422, "bad-parameters")


def test_the_client_sends_them(texts: TestClient, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text("where is my parcel")
    with Client("http://localhost") as client:
        http, client._http = client._http, texts
        assert client.enroll("cancel", ["please cancel my order"]) == [1]
        assert client.enroll("find", [tmp_path / "said.txt"]) == [2]
        assert client.original(1) == b"please cancel my order"
        with Gallery.open(tmp_path / "my.gallery", tmp_path / "words.onnx") as gallery:
            asked = ["cancel order", "where is parcel"]
            assert client.identify(asked) == gallery.identify(asked)
        client._http = http


def test_the_client_refuses_arrays_as_a_gallery_does(sounds: TestClient, client: TestClient) -> None:
    """An array becomes a file on its way; floats would arrive as silence."""
    waves = np.sin(np.arange(800) / 3)
    cases = ((sounds, [waves, np.zeros((9, 2), np.int16)], "give int16"), (client, [np.ones((9, 9))], "give uint8"))
    with Client("http://localhost") as asking:
        http = asking._http
        for service, arrays, why in cases:
            asking._http = service
            asking.__dict__.pop("card", None)  # of the other service
            for array in arrays:
                for ask in (asking.identify, lambda items: asking.enroll("x", items)):
                    with pytest.raises(BadFiles, match=why):
                        ask([array])
            assert asking.identify([]) == [] and asking.enroll("x", []) == []
        asking._http = http


def test_what_a_description_says_is_its_file(served: Callable[..., Any], tmp_path: Path, model: Path) -> None:
    with Gallery.open(tmp_path / "my.gallery", model, create=True, images=False) as gallery:
        gallery.enroll([drawing(0), drawing(1)], ["a", "b"], attributes=[{"ink": "much"}, {"ink": "little"}])
        gallery.describe({"c": {"ink": "much"}})
        assert gallery.original(3) == b"ink=much"
    with served() as client:
        for path in ("file", "file?size=32"):
            shown = client.get(f"/v1/examples/3/{path}")
            assert (shown.text, shown.headers["content-type"]) == ("ink=much", "text/plain; charset=utf-8")
            assert shown.headers["lowshot-described"] == "1"
        problem(client.get("/v1/examples/3/image"), 404, "not-found")
        problem(client.get("/v1/examples/1/file"), 404, "not-found")


def test_classes_are_described_in_words(texts: TestClient) -> None:
    said = {"cancel": "please cancel my order", "find": "where is my parcel"}
    described = texts.post("/v1/descriptions", json={"descriptions": said})
    assert (described.status_code, described.json()) == (201, {"ids": [1, 2]})
    assert texts.post("/v1/descriptions", json={"descriptions": said}).json() == {"ids": [1, 2]}  # the very same
    answer = texts.post("/v1/identify", json={"items": [{"text": "where is parcel"}]}).json()["answers"][0]
    assert answer["examples"][0]["label"] == "find" and answer["examples"][0]["described"] == said["find"]
    for bad, status, kind in (
        ({}, 422, "bad-parameters"),
        ({"descriptions": {}}, 422, "bad-parameters"),
        ({"descriptions": {"a": 7}}, 422, "bad-parameters"),
        ({"descriptions": {f"class {i}": "order" for i in range(500)}}, 413, "too-large"),
        ({"descriptions": {" a": "order"}}, 422, "bad-labels"),
        ({"descriptions": {"..": "order"}}, 422, "bad-labels"),
        ({"descriptions": {"a": " "}}, 422, "bad-descriptions"),
        ({"descriptions": {"a": {"color": "red"}}}, 422, "bad-descriptions"),
    ):
        problem(texts.post("/v1/descriptions", json=bad), status, kind)
    assert texts.get("/v1/classes").json()["examples"] == 2


def test_classes_are_described_by_attributes(client: TestClient) -> None:
    for label, seed, ink in (("a", 0, "much"), ("b", 1, "little")):
        client.post(
            f"/v1/classes/{label}/examples", files={"files": drawing(seed)}, data={"attributes": [f"ink={ink}"]}
        )
    with Client("http://localhost") as asking:
        http, asking._http = asking._http, client
        assert asking.describe({"c": {"ink": "much"}}) == [3]
        (record,) = asking.examples("c")
        assert record.described == "ink=much"
        with pytest.raises(BadDescriptions, match="described in words, which only an encoder of texts reads"):
            asking.describe({"d": "much ink"})
        with pytest.raises(BadDescriptions, match="says ink=none"):
            asking.describe({"d": {"ink": "none"}})
        with pytest.raises(BadDescriptions, match="no enrolled example has an attribute 'inc'"):
            asking.describe({"d": {"ink": "much", "inc": "much"}})
        asking._http = http


def test_small_pictures_of_files(client: TestClient) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(file, "PNG")
    enroll(client, "a", encoded(file.getvalue()))
    small, whole = client.get("/v1/examples/1/file?size=30"), client.get("/v1/examples/1/file")
    assert Image.open(io.BytesIO(small.content)).size == (30, 20)
    assert whole.content == file.getvalue() and "lowshot-described" not in whole.headers
