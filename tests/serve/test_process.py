"""A real service in processes of its own: several that agree, ends that drop nothing, kills that lose nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import drawing, files, resident

from lowshot import Client, Gallery
from lowshot.errors import LowshotError, ServiceError

Run = Callable[..., Any]


def in_threads(number: int, work: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(i,)) for i in range(number)]
    for thread in threads:
        thread.start()
    return threads


def test_workers_agree_on_a_gallery_that_was_not_there(running: Run) -> None:
    with running("--workers", 2) as service:

        def enroll_and_ask(writer: int) -> None:
            for number in range(5):
                with Client(service.url) as client:  # a connection each, so that both workers are asked
                    client.enroll(f"{writer}-{number}", [drawing(100 * writer + number)])
                with Client(service.url) as client:
                    found = client.identify([drawing(100 * writer + number)])[0]
                    right.append(found.candidates[0].label == f"{writer}-{number}")

        right: list[bool] = []
        for thread in in_threads(4, enroll_and_ask):
            thread.join()
        assert right == [True] * 20
        with Client(service.url) as client:
            assert set(client.classes().values()) == {1} and len(client.classes()) == 20
        counts = [
            line
            for line in httpx.get(f"{service.url}/metrics").text.splitlines()
            if line.startswith("lowshot_requests_total")
        ]
        assert sum(float(line.rpartition(" ")[2]) for line in counts if "201" in line) == 20  # of both workers
    assert service.process.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_dies_is_replaced(running: Run, how: signal.Signals) -> None:
    with running("--workers", 2) as service:
        with Client(service.url) as client:
            client.enroll("a", [drawing(0)])
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        workers = [
            int(pid)
            for pid in children.read_text().split()
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        for _ in range(100):
            if "another one is started" in service.log.read_text():
                break
            time.sleep(0.1)
        for _ in range(5):
            with Client(service.url) as client:
                assert client.identify([drawing(0)])[0].candidates[0].label == "a"


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_that_was_accepted_is_dropped(running: Run, workers: int) -> None:
    """Clients ask until the service is gone. What was sent on a connection that was taken is answered."""
    dropped: list[Exception] = []
    answered, enrolled = [0], list[str]()

    def ask(number: int) -> None:
        with suppress(httpx.ConnectError), httpx.Client(base_url=service.url, timeout=20) as client:
            for turn in range(10**6):
                label = f"{number}-{turn}"
                path = "/v1/identify" if turn % 4 else f"/v1/classes/{label}/examples"
                try:
                    response = client.post(path, files=files(drawing(1000 * number + turn)))
                except httpx.TransportError as error:
                    if not isinstance(error, httpx.ConnectError):
                        dropped.append(error)
                    raise httpx.ConnectError("") from None
                assert response.status_code in (200, 201), response.text
                answered[0] += 1
                if response.status_code == 201:
                    enrolled.append(label)

    with running("--workers", workers) as service:
        with Client(service.url) as client:
            client.enroll("first", [drawing(0)])
        threads = in_threads(8, ask)
        time.sleep(1)
        while answered[0] <= 20 and any(thread.is_alive() for thread in threads):  # a busy machine takes longer
            time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert service.process.wait(20) == 0
    assert not dropped and answered[0] > 20
    with Gallery.open(service.log.parent / "my.gallery", service.log.parent / "tiny.onnx") as gallery:
        assert set(gallery.classes()) == {"first", *enrolled}


def test_a_second_signal_ends_at_once(running: Run) -> None:
    with running("--drain", 60) as service:
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert httpx.get(f"{service.url}/readyz").status_code == 503
        assert httpx.get(f"{service.url}/healthz").headers["connection"] == "close"
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) != 0


def test_kills_lose_nothing_that_was_acknowledged(running: Run, tmp_path: Path, model: Path) -> None:
    acknowledged: list[int] = []
    for turn in range(3):
        with running() as service:

            def enroll(number: int, turn: int = turn, url: str = service.url) -> None:
                with suppress(LowshotError), Client(url) as client:
                    for i in range(10**6):
                        at = 10_000 * turn + 1_000 * number + i
                        acknowledged.extend(client.enroll(f"class {at}", [drawing(at), drawing(-at - 1 + 10**6)]))

            threads = in_threads(3, enroll)
            time.sleep(0.5 + 0.2 * turn)
            service.process.kill()
            for thread in threads:
                thread.join()
    assert len(acknowledged) > 20
    with Gallery.open(tmp_path / "my.gallery", model) as gallery:
        assert set(acknowledged) <= {record.id for record in gallery.examples()}
        assert set(gallery.classes().values()) == {2}


def test_memory_stays_bounded_under_hostile_uploads(running: Run) -> None:
    """Slow and large requests of many clients; then the service answers as before."""
    with running("--max-body", 200_000, "--timeout", 2, "--queue", 16) as service:
        before = resident(service.process.pid)
        head = "POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(64)]
        for number, each in enumerate(held):
            length = "Content-Length: 190000" if number % 2 else "Transfer-Encoding: chunked"
            each.sendall(f"{head}{length}\r\n\r\n".encode())
        time.sleep(0.3)
        assert httpx.post(f"{service.url}/v1/identify", files=files(drawing(0))).status_code == 429
        for each in held:
            with suppress(OSError):
                each.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        time.sleep(2.5)
        with Client(service.url) as client:
            client.enroll("a", [drawing(0)])
            assert client.identify([drawing(0)])[0].candidates[0].label == "a"
        for each in held:
            each.close()
        assert resident(service.process.pid) - before < 60 << 20


def test_a_client_that_has_gone_away_costs_no_answer(running: Run) -> None:
    with running() as service:
        with Client(service.url) as client:
            client.enroll("a", [drawing(0)])
        request = httpx.Request("POST", f"{service.url}/v1/identify", files=files(drawing(0, size=1000)))
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", service.port)) as gone:
                gone.sendall(f"POST /v1/identify HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        time.sleep(0.5)
        with Client(service.url) as client:
            assert client.identify([drawing(0)])
        assert "waiting_items 0.0" in httpx.get(f"{service.url}/metrics").text
        assert '"status": 500' not in service.log.read_text()


def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path, model: Path, fails: Callable[..., str]) -> None:
    gallery = tmp_path / "my.gallery"
    assert "LOWSHOT_KEYS" in fails("serve", gallery, "--host", "0.0.0.0")
    assert "no encoder" in fails("serve", gallery, "--encoder", "nothing")
    model.with_suffix(".txt").write_text("no gallery at all")
    for workers in (1, 2):
        assert "not a gallery" in fails("serve", model.with_suffix(".txt"), "--workers", workers)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for workers in (1, 2):
            port = taken.getsockname()[1]
            said = fails("serve", gallery, "--encoder", model, "--port", port, "--workers", workers)
            assert "--port" in said


def test_the_demo_opens_a_page_on_some_classes(tmp_path: Path, fails: Callable[..., str]) -> None:
    assert "--no-browser" in fails("demo", "--no-browser")
    assert "--out" in fails("demo", "--serve", "--out", tmp_path / "x.html")
    command = [sys.executable, "-m", "lowshot", "demo", "--serve", "--no-browser", "--data", "digits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as demo:
        assert demo.stdout is not None
        said = demo.stdout.readline()
        with Client(said.split()[5]) as client:
            assert set(client.classes().values()) == {1} and len(client.classes()) == 5
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0
    assert not list(tmp_path.iterdir())


def test_importing_lowshot_brings_no_server() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import lowshot, sys; print([name for name in ('fastapi', 'httpx', 'uvicorn') if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"


def test_a_service_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ServiceError, match="running"), Client(f"http://127.0.0.1:{port}", timeout=2) as client:
        client.classes()


def _workers(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
