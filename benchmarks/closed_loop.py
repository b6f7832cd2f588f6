"""A closed-loop HTTP client that costs little: so many connections, each of which asks again as soon as it is answered."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import perf_counter

BOUNDARY = "lowshot-benchmark"


@dataclass
class Seen:
    """What came of it.

    Attributes:
        seconds: that each answer took, in the order in which they came.
        statuses: how many answers had each status.
        lost: requests that were sent and never answered.
        refused: connections that were not taken.
        elapsed: seconds in all.
        bodies: of answers, if they were to be kept.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    lost: int = 0
    refused: int = 0
    elapsed: float = 0.0
    bodies: list[bytes] = field(default_factory=list)


def request(path: str, file: bytes, name: str = "q.png", method: str = "POST") -> bytes:
    """A request with one file in a form, as it goes over the wire."""
    form = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        f"Content-Type: image/png\r\n\r\n"
    ).encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()  # fmt: skip
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    return head.encode() + form


class _Client:
    """One connection and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._found = b""

    def ask(self, content: bytes) -> None:
        self.began = perf_counter()
        self.socket.sendall(content)

    def read(self) -> tuple[int, bytes, bool] | None:
        """Status, body and whether the connection goes on; None where more is to come. Raises EOFError where it ended."""
        part = self.socket.recv(1 << 16)
        if not part:
            raise EOFError
        self._found += part
        head, end, body = self._found.partition(b"\r\n\r\n")
        if not end:
            return None
        lower = head.lower()
        length = int(lower.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return None
        self._found = b""
        return int(head[9:12]), body, b"connection: close" not in lower


def run(
    port: int,
    requests: Sequence[bytes],
    clients: int,
    *,
    seconds: float = 10**9,
    most: int = 10**9,
    keep: bool = False,
) -> Seen:
    """Ask until the time is over, so many requests were answered, or the service takes no more connections.

    Args:
        port: on this machine.
        requests: asked in turn, again and again.
        clients: connections.
        seconds, most: when to end.
        keep: whether to keep the bodies of the answers.
    """
    seen, selector, asked = Seen(), selectors.DefaultSelector(), islice(cycle(requests), most)
    began = perf_counter()
    for content in islice(asked, clients):
        client = _Client(port)
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.ask(content)
    while selector.get_map():
        for key, _ in selector.select(timeout=60):
            client = key.data
            try:
                answer = client.read()
            except (EOFError, ConnectionError):
                seen.lost += 1
                selector.unregister(key.fileobj)
                continue
            if answer is not None:
                _note(seen, client, *answer[:2], keep)
                over = perf_counter() - began > seconds
                _go_on(seen, selector, client, asked, stays=answer[2], over=over)
    seen.elapsed = perf_counter() - began
    return seen


def _note(seen: Seen, client: _Client, status: int, body: bytes, keep: bool) -> None:
    seen.seconds.append(perf_counter() - client.began)
    seen.statuses[status] = seen.statuses.get(status, 0) + 1
    if keep:
        seen.bodies.append(body)


def _go_on(
    seen: Seen, selector: selectors.BaseSelector, client: _Client, asked: Iterator[bytes], *, stays: bool, over: bool
) -> None:
    """The next request of a client, on a new connection where the service wants that."""
    content = None if over else next(asked, None)
    if content is None or not stays:
        selector.unregister(client.socket)
        client.socket.close()
    if content is None:
        return
    try:
        if not stays:
            client.connect()
            selector.register(client.socket, selectors.EVENT_READ, client)
        client.ask(content)
    except ConnectionError:  # nobody has taken this request
        seen.refused += 1
        if stays:
            selector.unregister(client.socket)
