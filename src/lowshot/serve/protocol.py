"""HTTP/1.1 with bounds on what comes before and between the bytes of a body: uvicorn's parser has none."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LARGEST_HEAD = 1 << 18  # bytes of a request that are not of its body: its head, sizes of chunks, trailers
_SLOWEST_HEAD = 30.0  # seconds


class BoundedProtocol(HttpToolsProtocol):
    """One connection, closed where a head is too large or too slow to come."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the first head."""
        super().connection_made(transport)
        self._other = 0
        self._late = self.loop.call_later(_SLOWEST_HEAD, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is not of a body."""
        self._other += len(data)
        super().data_received(data)
        if self._other > _LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("Request head too large.")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._other = 0
        self._late.cancel()
        self._late = self.loop.call_later(_SLOWEST_HEAD, self.transport.close)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._late.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """The service has bounds of its own for these."""
        self._other -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes next is of another request."""
        self._other = 0
        super().on_message_complete()
