"""Every route, and every way in which it refuses."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asking import drawing, files, problem
from PIL import Image
from starlette.testclient import TestClient

from lowshot import Encoder, Gallery

Served = Callable[..., Any]


def as_json(*contents: bytes, **more: Any) -> dict[str, Any]:
    return {"items": [{"data": base64.b64encode(content).decode(), **more} for content in contents]}


def enroll(client: TestClient, label: str, *contents: bytes, **data: Any) -> list[int]:
    response = client.post(f"/v1/classes/{quote(label, safe='')}/examples", files=files(*contents), data=data)
    assert response.status_code == 201, response.text
    ids: list[int] = response.json()["ids"]
    return ids


def test_nothing_is_enrolled_at_first(client: TestClient) -> None:
    assert client.get("/v1/classes").json() == {"examples": 0, "keeps_items": True, "classes": []}
    problem(client.post("/v1/identify", files=files(drawing(0))), 409, "empty-gallery")
    problem(client.get("/v1/check"), 409, "empty-gallery")
    problem(client.get("/v1/map"), 409, "empty-gallery")


@pytest.mark.parametrize("form", [True, False])
def test_what_is_enrolled_is_found_with_the_next_question(client: TestClient, form: bool) -> None:
    for number in range(8):
        label = f"class {number}"
        if form:
            enroll(client, label, drawing(number), attributes=["color=red", f"shape={number}=round"])
        else:
            body = as_json(drawing(number), name="0.png", attributes={"color": "red", "shape": f"{number}=round"})
            response = client.post(f"/v1/classes/{label}/examples", json=body)
            assert (response.status_code, response.json()) == (201, {"label": label, "ids": [number + 1]})
        asked = {"files": files(drawing(number))} if form else {"json": as_json(drawing(number), name="0.png")}
        (answer,) = client.post("/v1/identify", **asked).json()["answers"]
        assert answer["candidates"][0]["label"] == label
        nearest = answer["examples"][0]
        assert nearest["distance"] == pytest.approx(0, abs=1e-5)
        assert {**nearest, "distance": 0} == {"id": number + 1, "label": label, "name": "0.png", "distance": 0}
        assert answer["name"] == "0.png" and answer["compared"] == number + 1
    record = client.get("/v1/examples/3").json()
    assert record.pop("added") and record == {
        "id": 3,
        "label": "class 2",
        "name": "0.png",
        "attributes": {"color": "red", "shape": "2=round"},
    }


def test_answers_are_those_of_the_gallery_in_process(client: TestClient, tmp_path: Path, model: Path) -> None:
    for number in range(6):
        enroll(client, f"class {number % 3}", drawing(number), attributes=[f"even={number % 2 == 0}"])
    questions = [drawing(number) for number in (0, 4, 99)]
    with Gallery.open(tmp_path / "my.gallery", Encoder.load(model)) as gallery:
        plain = gallery.identify(questions, 2)
        filtered = gallery.identify(questions, where={"even": ["True"]})
        gated = gallery.identify(questions, gate=["even"], gate_recall=0.9)
    for data, expected in (
        ({"top": "2"}, plain),
        ({"where": ["even=True"]}, filtered),
        ({"gate": ["even"], "gate_recall": "0.9"}, gated),
    ):
        answers = client.post("/v1/identify", files=files(*questions), data=data).json()["answers"]
        for found, answer in zip(answers, expected, strict=True):
            assert found["label"] == answer.label and found["unknown"] is answer.unknown
            assert found["confidence"] == pytest.approx(answer.confidence, abs=1e-6)
            assert [each["label"] for each in found["candidates"]] == [each.label for each in answer.candidates]
            assert found["gate"] == {key: list(values) for key, values in answer.gate.items()}
    body = as_json(*questions) | {"top": 2, "where": {"even": ["True", "no"]}, "gate": [], "gate_recall": 0.5}
    found = client.post("/v1/identify", json=body).json()["answers"]
    assert [each["label"] for each in found] == [each.label for each in filtered]


@pytest.mark.parametrize(
    "label", ["a/b", "x/examples", "..", "50 %", "?q#f", "é ü 字", "a&b=c;d", "<script>alert(1)</script>"]
)
def test_labels_of_any_kind(client: TestClient, label: str) -> None:
    path = f"/v1/classes/{quote(label, safe='')}"
    if label == "..":  # browsers and clients take it out of a path
        response = client.request("POST", "/v1/classes/%2E%2E/examples", files=files(drawing(0)))
        assert response.status_code in (404, 405, 422)
        return
    (id,) = enroll(client, label, drawing(0))
    assert client.get(path).json()["examples"][0]["label"] == label
    assert client.get("/v1/classes").json()["classes"] == [{"label": label, "examples": 1, "first": id}]
    assert client.patch(path, json={"label": f"{label}/examples"}).json() == {
        "label": f"{label}/examples",
        "renamed": 1,
    }
    problem(client.get(path), 404, "not-found")
    assert client.delete(path + "%2Fexamples").json() == {"removed": 1}
    problem(client.delete(path), 404, "not-found")


@pytest.mark.parametrize("label", [" x", "x ", "x" * 201, "a\tb", "%00", "a\u2028b"])
def test_labels_that_cannot_be_one(client: TestClient, label: str) -> None:
    path = f"/v1/classes/{label if '%' in label else quote(label, safe='')}/examples"
    problem(client.post(path, files=files(drawing(0))), 422, "bad-labels")
    enroll(client, "good", drawing(0))
    name = "\0" if label == "%00" else label
    problem(client.patch("/v1/classes/good", json={"label": name}), 422, "bad-labels")
    problem(client.patch("/v1/classes/good", json={"label": ".."}), 422, "bad-labels")
    assert client.get("/v1/classes").json()["examples"] == 1


def test_the_same_picture_is_enrolled_once(client: TestClient) -> None:
    first = enroll(client, "a", drawing(0), drawing(1))
    assert enroll(client, "a", drawing(1), drawing(0)) == first[::-1]
    assert client.get("/v1/classes").json()["classes"] == [{"label": "a", "examples": 2, "first": first[0]}]


def test_renaming_joins_and_removing_removes(client: TestClient) -> None:
    enroll(client, "a", drawing(0))
    enroll(client, "b", drawing(1), drawing(2))
    assert client.patch("/v1/classes/b", json={"label": "a"}).json() == {"label": "a", "renamed": 2}
    assert [each["id"] for each in client.get("/v1/classes/a").json()["examples"]] == [1, 2, 3]
    assert client.delete("/v1/examples/1").json() == {"removed": 1}
    problem(client.delete("/v1/examples/1"), 404, "not-found")
    problem(client.get("/v1/examples/1"), 404, "not-found")
    assert client.get("/v1/classes").json()["classes"] == [{"label": "a", "examples": 2, "first": 2}]
    assert client.delete("/v1/classes/a").json() == {"removed": 2}
    assert client.get("/v1/classes").json()["examples"] == 0


@pytest.mark.parametrize("id", ["0", "-1", "999", str(2**63), "9" * 400])
def test_ids_of_no_example(client: TestClient, id: str) -> None:
    enroll(client, "a", drawing(0))
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/image")):
        problem(client.request(method, f"/v1/examples/{id}{path}"), 404, "not-found")


@pytest.mark.parametrize("id", ["x", "1.5", "9" * 5000, "%20"])
def test_ids_that_are_none(client: TestClient, id: str) -> None:
    problem(client.get(f"/v1/examples/{id}"), 422, "bad-parameters")


def test_a_picture_comes_back_as_it_was_enrolled(client: TestClient) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(photo, "JPEG")
    enroll(client, "a", drawing(0), photo.getvalue())
    for id, content, kind in ((1, drawing(0), "image/png"), (2, photo.getvalue(), "image/jpeg")):
        response = client.get(f"/v1/examples/{id}/image")
        assert (response.content, response.headers["content-type"]) == (content, kind)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]
        assert response.headers["content-disposition"] == "inline"
    small = client.get("/v1/examples/2/image", params={"size": 30})
    shown = Image.open(io.BytesIO(small.content))
    assert (shown.format, shown.size) == ("PNG", (30, 20))
    known = client.get("/v1/examples/2/image?size=30", headers={"If-None-Match": small.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert client.get("/v1/examples/2/image", headers={"If-None-Match": small.headers["etag"]}).status_code == 200
    for size in ("15", "1025", "x", "-1"):
        problem(client.get("/v1/examples/2/image", params={"size": size}), 422, "bad-parameters")


def test_a_gallery_that_keeps_no_pictures(served: Served, tmp_path: Path, model: Path) -> None:
    with Gallery.open(tmp_path / "my.gallery", model, create=True, images=False) as gallery:
        gallery.enroll([drawing(0)], ["a"])
    with served() as client:
        assert client.get("/v1/classes").json()["keeps_items"] is False
        assert client.get("/v1/encoder").json()["keeps_items"] is False
        assert "--no-images" in problem(client.get("/v1/examples/1/image"), 404, "not-found")["detail"]
        assert client.post("/v1/identify", files=files(drawing(0))).json()["answers"][0]["candidates"]


def test_the_check_and_the_map_are_kept_until_something_changes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lowshot.gallery import check, map

    asked: list[str] = []
    monkeypatch.setattr(check, "check", lambda gallery, real=check.check: asked.append("check") or real(gallery))
    monkeypatch.setattr(map, "layout", lambda gallery, real=map.layout: asked.append("map") or real(gallery))
    enroll(client, "a", drawing(0), drawing(1))
    enroll(client, "b", drawing(2), drawing(3))
    for _ in range(3):
        found, shown = client.get("/v1/check"), client.get("/v1/map")
        assert (found.json()["examples"], found.json()["classes"]) == (4, 2)
        assert shown.json()["shown"] == shown.json()["of"] == 4
        assert {(point["id"], point["label"]) for point in shown.json()["points"]} == {
            (1, "a"),
            (2, "a"),
            (3, "b"),
            (4, "b"),
        }
    assert asked == ["check", "map"]
    client.delete("/v1/examples/4")
    assert client.get("/v1/check").json()["examples"] == 3
    assert asked == ["check", "map", "check"]


def test_the_encoder(client: TestClient, model: Path) -> None:
    encoder = Encoder.load(model)
    found = client.get("/v1/encoder").json()
    assert (found["fingerprint"], found["modality"], found["features"]) == (encoder.fingerprint, "image", 16)
    assert found["form"] == encoder.card.form.model_dump()


def test_the_page_and_the_documentation(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304 and not again.content
    assert client.get("/page/index.html").content == page.content
    for name in ("nothing.js", "..%2Fapp.py", "%2e%2e%2fapp.py", "%2Fetc%2Fpasswd"):
        problem(client.get(f"/page/{name}"), 404, "not-found")
    shown = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in shown
    assert "<script" not in shown and "http://" not in shown.replace("http-equiv", "")


def test_health_and_metrics(client: TestClient) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    enroll(client, "a", drawing(0))
    client.post("/v1/identify", files=files(drawing(0), drawing(1)))
    client.get("/v1/nothing")
    text = client.get("/metrics").text
    assert 'lowshot_requests_total{method="POST",route="/v1/identify",status="200"} 1.0' in text
    assert "lowshot_batch_items_sum 2.0" in text
    assert 'lowshot_refused_total{kind="not-found"} 1.0' in text and "nothing" not in text


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1", 404, "not-found"),
        ("PUT", "/v1/classes/a", 405, "method"),
        ("GET", "/v1/identify", 405, "method"),
        ("BREW", "/", 405, "method"),
    ],
)
def test_what_is_not_there(client: TestClient, method: str, path: str, status: int, kind: str) -> None:
    problem(client.request(method, path), status, kind)


@pytest.mark.parametrize(
    ("body", "type", "status", "kind"),
    [
        (b"", "", 415, "media-type"),
        (b"x", "text/plain", 415, "media-type"),
        (b"<x/>", "application/xml\x1b[31m", 415, "media-type"),
        (b"", "application/json", 400, "malformed"),
        (b"{", "application/json", 400, "malformed"),
        (b"[" * 100_000, "application/json", 400, "malformed"),
        (b"\xff\xfe", "application/json", 400, "malformed"),
        (b"[]", "application/json; charset=utf-8", 422, "bad-parameters"),
        (b'{"items": []}', "application/json", 422, "bad-parameters"),
        (b'{"items": [{"data": "!"}]}', "application/json", 422, "bad-files"),
        (b'{"items": [{"data": ""}]}', "application/json", 422, "bad-files"),
        (b'{"items": [{"data": "AAAA", "text": "x"}]}', "application/json", 422, "bad-parameters"),
        (b"x", "multipart/form-data", 400, "malformed"),
        (b"", "multipart/form-data; boundary=b", 400, "malformed"),
        (b"nothing", "multipart/form-data; boundary=b", 400, "malformed"),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b", 400, "malformed"),
        (b"--b\r\n" + b"x: y\r\n" * 5000, "multipart/form-data; boundary=b", 400, "malformed"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422, "bad-parameters"),
    ],
)
def test_bodies_that_cannot_be_read(client: TestClient, body: bytes, type: str, status: int, kind: str) -> None:
    for path in ("/v1/identify", "/v1/classes/a/examples"):
        found = problem(client.post(path, content=body, headers={"Content-Type": type}), status, kind)
        assert "\x1b" not in found["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"top": "0"},
        {"top": "x"},
        {"top": "1001"},
        {"top": ["1", "2"]},
        {"where": "color"},
        {"where": "=red"},
        {"gate_recall": "0"},
        {"gate_recall": "nan"},
        {"gate_recall": "2"},
        {"limit": "3"},
        {"top": "1" * 20_000},
    ],
)
def test_parameters_that_cannot_be(client: TestClient, fields: dict[str, Any]) -> None:
    enroll(client, "a", drawing(0), attributes=["color=blue"])
    problem(client.post("/v1/identify", files=files(drawing(0)), data=fields), 422, "bad-parameters")


def test_attributes_that_no_example_has(client: TestClient) -> None:
    enroll(client, "a", drawing(0), attributes=["color=blue"])
    for fields in ({"where": "color=red"}, {"where": "size=1"}, {"gate": "size"}):
        problem(client.post("/v1/identify", files=files(drawing(0)), data=fields), 422, "no-match")
    problem(client.post("/v1/identify", files=files(drawing(0)), data={"gate": "color"}), 422, "bad-parameters")


def test_a_bad_file_is_named_and_nothing_is_enrolled(client: TestClient) -> None:
    sent = files(drawing(0), b"no picture", drawing(1)[:60])
    found = problem(client.post("/v1/classes/a/examples", files=sent), 422, "bad-files")
    assert [each["name"] for each in found["files"]] == ["1.png"]
    found = problem(client.post("/v1/identify", files=sent), 422, "bad-files")
    assert [each["name"] for each in found["files"]] == ["1.png", "2.png"] and found["of"] == 3
    found = problem(client.post("/v1/classes/a/examples", files=[sent[0], sent[2]]), 422, "bad-files")
    assert [each["name"] for each in found["files"]] == ["2.png"]
    assert client.get("/v1/classes").json()["examples"] == 0


def test_limits(served: Served) -> None:
    big = drawing(0, size=200)  # 40 kB
    with served(max_body=20_000, max_files=3, max_pixels=100) as client:
        for path in ("/v1/identify", "/v1/classes/a/examples"):
            problem(client.post(path, files=files(big)), 413, "too-large")
            chunks = (b"x" * 1000 for _ in range(100))
            head = {"Content-Type": "application/json"}
            problem(client.post(path, content=chunks, headers=head), 413, "too-large")
            problem(client.post(path, files=files(*map(drawing, range(4)))), 413, "too-large")
            problem(client.post(path, json=as_json(*map(drawing, range(4)))), 413, "too-large")
            found = problem(client.post(path, files=files(drawing(0, size=11))), 422, "bad-files")
            assert "100" in found["files"][0]["reason"]
        problem(client.patch("/v1/classes/a", content=b" " * 30_000), 413, "too-large")
        enroll(client, "a", drawing(0), drawing(1), drawing(2))


def test_a_queue_that_is_full(served: Served) -> None:
    with served(queue=2) as client:
        enroll(client, "a", drawing(0), drawing(1))
        response = client.post("/v1/identify", files=files(*map(drawing, range(3))))
        problem(response, 429, "busy")
        assert int(response.headers["retry-after"]) > 0
        assert client.post("/v1/identify", files=files(drawing(0))).status_code == 200
        assert client.app.service.places.taken == 0


def test_a_request_that_takes_too_long(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    held = threading.Event()
    with served(timeout=0.3) as client:
        enroll(client, "a", drawing(0))
        real = Encoder.embed
        monkeypatch.setattr(Encoder, "embed", lambda *given: held.wait(10) and real(*given))
        response = client.post("/v1/identify", files=files(drawing(0)))
        problem(response, 503, "timed-out")
        assert int(response.headers["retry-after"]) > 0
        held.set()
        assert client.post("/v1/identify", files=files(drawing(0))).status_code == 200


def test_a_fault_of_ours_says_nothing_to_the_client(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enroll(client, "a", drawing(0))
    monkeypatch.setattr(Encoder, "embed", lambda *_: 1 / 0)
    monkeypatch.setattr(Gallery, "classes", lambda *_: 1 / 0)
    for response in (client.post("/v1/identify", files=files(drawing(0))), client.get("/v1/classes")):
        assert "ZeroDivision" not in problem(response, 500, "internal")["detail"]
        assert "Traceback" not in response.text
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert client.post("/v1/identify", files=files(drawing(0))).status_code == 200


def test_a_gallery_that_is_gone(client: TestClient, tmp_path: Path) -> None:
    enroll(client, "a", drawing(0))
    (tmp_path / "my.gallery").unlink()
    found = problem(client.get("/v1/classes"), 503, "gallery")
    assert str(tmp_path) not in found["detail"]
    problem(client.get("/readyz"), 503, "gallery")
    assert client.get("/healthz").status_code == 200


def test_the_end_is_near(client: TestClient) -> None:
    enroll(client, "a", drawing(0))
    client.app.service.drain()
    response = client.get("/readyz")
    problem(response, 503, "draining")
    assert response.headers["connection"] == "close"
    assert client.post("/v1/identify", files=files(drawing(0))).status_code == 200
