"""Heads and trailers without end, and clients that say nothing: none of it is kept in memory, or for long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import uvicorn
from asking import drawing, files, resident

from lowshot import Client
from lowshot.serve import protocol

LINES = b"a: b\r\n" * (1 << 16)
HEAD = (
    b"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
)


def test_heads_and_trailers_without_end(running: Callable[..., Any]) -> None:
    kinds = {
        "a long path": (b"GET /", b"x" * len(LINES)),
        "a long header": (HEAD + b"a: ", b"x" * len(LINES)),
        "many headers": (HEAD, LINES),
        "many trailers": (HEAD + b"\r\n2\r\n{}\r\n0\r\n", LINES),
        "chunks of one byte": (HEAD + b"\r\n", b"1\r\n \r\n" * (1 << 16)),
    }
    with running() as service:
        before = resident(service.process.pid)
        for kind, (begin, more) in kinds.items():
            with socket.create_connection(("127.0.0.1", service.port), timeout=20) as endless:
                endless.sendall(begin)
                with pytest.raises(ConnectionError):
                    for _ in range(200):
                        endless.sendall(more)
                    pytest.fail(kind)
        assert resident(service.process.pid) - before < 30 << 20
        with Client(service.url) as client:
            client.enroll("a", [drawing(0)])


def test_large_bodies_in_ordinary_chunks_are_no_heads(running: Callable[..., Any]) -> None:
    with running() as service:
        form = httpx.Request("POST", service.url, files=files(drawing(0, 1500)))  # 2 MB
        body, kind = form.read(), form.headers["content-type"]
        parts = (body[start : start + 1000] for start in range(0, len(body), 1000))
        url = f"{service.url}/v1/classes/a/examples"
        assert httpx.post(url, content=parts, headers={"Content-Type": kind}, timeout=20).status_code == 201


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_SLOWEST_HEAD", 0.3)
    server = uvicorn.Server(
        uvicorn.Config(_answer, http=protocol.BoundedProtocol, ws="none", lifespan="off", log_config=None)
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    for said in (b"", b"GET / HTTP/1.1\r\nHost: lo", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /h"):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(said)
            heard = b""
            while more := slow.recv(1 << 16):
                heard += more
            assert heard.count(b"HTTP/1.1 200") == said.count(b"\r\n\r\n")
    server.should_exit = True
    thread.join()
