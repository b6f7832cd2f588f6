"""A service in one process: its start, and its end without dropping what was accepted."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from lowshot.serve.app import make_app
from lowshot.serve.edge import Edge, log_to_stderr
from lowshot.serve.listener import address, listen, turn_away
from lowshot.serve.protocol import BoundedProtocol
from lowshot.serve.settings import Settings

_LAST_MOMENT = 0.1  # seconds for a client to be let in, or to say what it wants


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it: the first one lets what was accepted finish, a second one ends at once.

    Args:
        settings: see :class:`~lowshot.serve.settings.Settings`.
        ready: is told the address when requests are answered.

    Raises:
        ConfigError: the address is taken, or not one of this machine.
        GalleryError, EncoderError: see :meth:`lowshot.Gallery.open`.
    """
    app = make_app(settings)
    listener = listen(settings)
    run_server(app, listener, lambda: ready(address(listener)))


def run_server(app: Edge, listener: socket.socket, ready: Callable[[], None], *, obeys_keyboard: bool = True) -> None:
    """Serve in this process."""
    log_to_stderr()
    server = _Server(app, ready, obeys_keyboard)
    server.run(sockets=[listener])
    if server.force_exit:
        os._exit(1)  # threads that still work are not waited for


class _Server(uvicorn.Server):
    """Says when it is ready; and, asked to end, lets clients go elsewhere before it stops to listen."""

    def __init__(self, app: Edge, ready: Callable[[], None], obeys_keyboard: bool) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                lifespan="on",
                backlog=2048,
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        self._service = app.service
        self._ready = ready
        self._obeys_keyboard = obeys_keyboard
        self._end: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks, the second one orders."""
        if sig == signal.SIGINT and not self._obeys_keyboard:
            return
        if self._end is not None:
            self.should_exit = self.force_exit = True
        self._service.drain()
        self._end = time.monotonic() + self._service.settings.drain

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter == 0:
            self._ready()
        if self._end is not None and time.monotonic() >= self._end:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Those who come at the last moment are let in, and may still ask."""
        listeners = sockets or []
        for each in listeners:
            turn_away(each)
        await self._last_moment()
        for server in self.servers:
            server.close()
        for each in listeners:
            each.close()
        await self._last_moment()
        await super().shutdown(sockets)

    async def _last_moment(self) -> None:
        if not self.force_exit:
            await asyncio.sleep(_LAST_MOMENT)
