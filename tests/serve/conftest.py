from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from lowshot.serve.app import make_app
from lowshot.serve.edge import Edge
from lowshot.serve.settings import Settings

HERE = "http://localhost"  # the only name without keys


@pytest.fixture
def model(tmp_path: Path, tiny_model: Callable[..., bytes]) -> Path:
    """The file of a tiny encoder."""
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_model())
    return file


@pytest.fixture
def make(tmp_path: Path, model: Path) -> Callable[..., Edge]:
    """Makes an application over a gallery in a temporary folder; settings can be given."""

    def make(**settings: Any) -> Edge:
        given: dict[str, Any] = {"gallery": str(tmp_path / "my.gallery"), "encoder": str(model), "drain": 0.1}
        return make_app(Settings.of(**(given | settings)))

    return make


@pytest.fixture
def served(make: Callable[..., Edge]) -> Callable[..., Any]:
    """Gives a client of an application in this process, as a context; settings can be given."""

    @contextmanager
    def serve(**settings: Any) -> Iterator[TestClient]:
        app = make(**settings)
        with TestClient(app, HERE, raise_server_exceptions=False) as client:
            client.app = app
            yield client

    return serve


@pytest.fixture
def client(served: Callable[..., Any]) -> Iterator[TestClient]:
    """A client of a service with default settings and an empty gallery."""
    with served() as client:
        yield client


@dataclass
class Running:
    """A service in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def running(tmp_path: Path, model: Path) -> Callable[..., Any]:
    """Starts ``lowshot serve`` with options, as a context, and waits until it is ready."""

    @contextmanager
    def run(*options: object, gallery: object = tmp_path / "my.gallery") -> Iterator[Running]:
        given = ["--encoder", model, "--port", 0, "--drain", 0.3, *options]
        command = [sys.executable, "-m", "lowshot", "serve", str(gallery), *map(str, given)]
        log = tmp_path / "log"
        with log.open("a") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "LOWSHOT_KEYS": ""}
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"at http://127\.0\.0\.1:(\d+) to this machine only", line)
            assert found, (line, log.read_text())
            yield Running(process, int(found[1]), log)
        finally:
            process.terminate()
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()

    return run
