"""Uploads that mean harm: refused with what is wrong, in little memory, and without harm to others."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import drawing, files, problem
from PIL import Image
from starlette.testclient import TestClient


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, pixels: bytes) -> bytes:
    """A gray PNG that says to be of a size, whatever is in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50 << 20))
    return file.getvalue()


def saved(kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, kind, **how)
    return file.getvalue()


def animation() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("L", (64, 64), shade) for shade in range(0, 200, 5)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


HOSTILE = {
    "100 megapixels": png(10_000, 10_000, b""),
    "4 gigapixels": png(2**31 - 1, 2**31 - 1, b""),
    "a bomb of pixels": png(9_000, 9_000, bytes(9_001 * 9_000)),
    "no pixels": png(0, 0, b""),
    "a zip": zipped(),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<html><script>alert(1)</script>",
    "xml bomb": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
    "a cut photo": saved("JPEG")[:300],
    "a cut drawing": drawing(0, 64)[:200],
    "an animation": animation(),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage",
    "pdf": b"%PDF-1.4\n",
    "empty": b"",
    "zeros": bytes(1 << 20),
    "a long comment": png(8, 8, b"")[:33] + chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(200 << 20), 9)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files(client: TestClient, what: str) -> None:
    for path in ("/v1/identify", "/v1/classes/a/examples"):
        tracemalloc.start()
        found = problem(
            client.post(path, files=[("files", (what, HOSTILE[what])), *files(drawing(0))]), 422, "bad-files"
        )
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
        tracemalloc.stop()
        assert [each["name"] for each in found["files"]] == [what]
    assert client.get("/v1/classes").json()["examples"] == 0


@pytest.mark.parametrize(
    "content",
    [
        saved("PNG") + b"<script>alert(1)</script>" + zipped(),
        saved("GIF", comment=b"*/=1;alert(1)//"),
        saved("JPEG", comment=b"<html><script>alert(1)</script>"),
    ],
    ids=["png and zip", "gif and script", "jpeg and html"],
)
def test_what_is_a_picture_and_something_else_is_only_ever_a_picture(client: TestClient, content: bytes) -> None:
    response = client.post("/v1/classes/a/examples", files=[("files", ("x.html", content, "text/html"))])
    assert response.status_code == 201
    shown = client.get("/v1/examples/1/image")
    assert shown.headers["content-type"] in ("image/png", "image/gif", "image/jpeg")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert b"alert" not in client.get("/v1/examples/1/image?size=32").content


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\..\\x", "a/b/c.png", "con", "<img src=x onerror=alert(1)>"]
)
def test_names_are_text_and_never_paths(client: TestClient, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert client.post("/v1/classes/a/examples", files=[("files", (name, drawing(0)))]).status_code == 201
    body = {"items": [{"data": "AA==", "name": name}]}
    assert problem(client.post("/v1/classes/a/examples", json=body), 422, "bad-files")["files"][0]["name"] == name
    (record,) = client.get("/v1/classes/a").json()["examples"]
    assert record["name"] in (name, name.rpartition("\\")[2])
    assert {file.name.partition("-")[0] for file in set(tmp_path.rglob("*")) - set(before)} <= {"my.gallery"}


def test_scripts_in_labels_stay_text(client: TestClient) -> None:
    label = '"><script>alert(1)</script>'
    assert (
        client.post("/v1/classes/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E/examples", files=files(drawing(0))).json()[
            "label"
        ]
        == label
    )
    response = client.get("/v1/classes")
    assert response.json()["classes"][0]["label"] == label
    assert response.headers["content-type"] == "application/json"


def test_a_hostile_file_harms_no_other_request(served: Callable[..., Any]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with served() as client:
        client.post("/v1/classes/a/examples", files=files(drawing(0)))
        with ThreadPoolExecutor(16) as pool:
            contents = [drawing(0) if number % 2 else HOSTILE["a bomb of pixels"] for number in range(40)]
            found = list(
                pool.map(lambda content: client.post("/v1/identify", files=files(content)).status_code, contents)
            )
        assert found == [422, 200] * 20
