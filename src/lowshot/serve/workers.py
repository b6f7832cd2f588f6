"""Several processes that serve one gallery at one socket."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from lowshot.errors import ConfigError
from lowshot.gallery import Gallery
from lowshot.serve.app import make_app
from lowshot.serve.listener import address, let_in, listen
from lowshot.serve.metrics import DIRECTORY as METRICS
from lowshot.serve.run import run_server, serve
from lowshot.serve.settings import Settings

_SPAWN = multiprocessing.get_context("spawn")  # a forked process would inherit locks of the encoder's threads


def serve_by_many(settings: Settings, ready: Callable[[str], None]) -> None:
    """:func:`~lowshot.serve.run.serve` with as many processes as the settings say."""
    if settings.workers == 1:
        serve(settings, ready)
        return
    with Gallery.open(settings.gallery, settings.encoder, create=True) as gallery:
        gallery.encoder  # noqa: B018  # what cannot be loaded is refused here, and what must be made is made once
    listener = listen(settings)
    where = address(listener)
    Workers(settings, listener).run(lambda: ready(where))


class Workers:
    """Processes that serve at one socket: started, started again when one dies, and ended together."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._running: list[SpawnProcess] = []
        self._signals = 0

    def run(self, ready: Callable[[], None]) -> None:
        """Until a signal ends it. Raises ConfigError where they cannot start."""
        before = {sig: signal.signal(sig, self._pass_on) for sig in (signal.SIGINT, signal.SIGTERM)}
        with tempfile.TemporaryDirectory(prefix="lowshot-metrics-") as folder:
            os.environ[METRICS] = folder
            try:
                self._start_all()
                ready()
                self._keep_up()
            finally:
                self._end_all()
                del os.environ[METRICS]
                for sig, handler in before.items():
                    signal.signal(sig, handler)

    def _start(self) -> Connection:
        """One more; the connection tells when it is ready, or that it has ended."""
        let_in(self._listener)  # one that was asked to end alone has turned clients away, for all
        told, tells = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_work, args=(self._settings, self._listener, tells))
        process.start()
        tells.close()
        self._running.append(process)
        return told

    def _start_all(self) -> None:
        for told in [self._start() for _ in range(self._settings.workers)]:
            try:
                told.recv()
            except EOFError:
                if not self._signals:
                    raise ConfigError("a worker could not start: what it said is above") from None

    def _keep_up(self) -> None:
        while not self._signals:
            wait([process.sentinel for process in self._running], timeout=1)
            for process in [each for each in self._running if not each.is_alive()]:
                self._running.remove(process)
                mark_process_dead(process.pid)  # type: ignore[no-untyped-call]
                if not self._signals:
                    print(f"lowshot: worker {process.pid} has died: another one is started", file=sys.stderr)
                    self._start()

    def _pass_on(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks the workers to end, another one orders it."""
        self._signals += 1
        self._listener.close()
        for process in self._running:
            process.terminate()

    def _end_all(self) -> None:
        self._listener.close()
        for process in self._running:
            if not self._signals:
                process.terminate()
            process.join()


def _work(settings: Settings, listener: socket.socket, tells: Connection) -> None:
    """A worker; it ends with the process that started it, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run_server(make_app(settings), listener, lambda: tells.send(True), obeys_keyboard=False)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
