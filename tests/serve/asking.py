"""What tests ask a service, and how they read what it says."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def drawing(number: int, size: int = 8) -> bytes:
    """A PNG that differs from those of other numbers."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """Files of a form, named 0.png, 1.png, …"""
    return [("files", (f"{number}.png", content)) for number, content in enumerate(contents)]


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """The problem details of a response, which must be of this status and kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == f"/problems/{kind}" and found["status"] == status and found["title"] and found["detail"]
    return found


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
