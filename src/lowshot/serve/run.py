"""Starting a service, and ending it without dropping what was accepted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from lowshot.errors import ConfigError
from lowshot.serve.app import make_app
from lowshot.serve.edge import Edge, log_to_stderr
from lowshot.serve.settings import Settings


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it: the first one lets what was accepted finish, a second one ends at once.

    Args:
        settings: see :class:`~lowshot.serve.settings.Settings`.
        ready: is told the address when requests are answered.

    Raises:
        ConfigError: the address is taken, or not one of this machine.
        GalleryError, EncoderError: see :meth:`lowshot.Gallery.open`.
    """
    if settings.workers > 1:
        with Gallery.open(settings.gallery, settings.encoder, create=True) as gallery:
            gallery.encoder  # noqa: B018  # what cannot be loaded is refused here, and what must be made is made once
        listener = listen(settings)
        Workers(settings, listener).run(lambda: ready(address(listener)))
    else:
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


def listen(settings: Settings) -> socket.socket:
    """A socket at the address. Raises ConfigError where it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{settings.host} port {settings.port} cannot be used ({error.strerror or error}): choose others with --host "
            "and --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Says when it is ready; and, asked to end, lets clients go elsewhere before it stops to listen."""

    def __init__(self, app: Edge, ready: Callable[[], None], obeys_keyboard: bool) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="on", backlog=2048)
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
        """Those who were let in at the last moment may still ask."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        if not self.force_exit:
            await asyncio.sleep(_LAST_MOMENT)
        await super().shutdown(sockets)


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
                mark_process_dead(process.pid)
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
