"""Around the application: who may come in, what every response says, and what is noted of each request."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lowshot.errors import LowshotError
from lowshot.serve.problems import kind_of, problem
from lowshot.serve.security import Guard
from lowshot.serve.service import Service
from lowshot.text import printable

PROBLEM = "lowshot.problem"  # in a scope: the kind of problem that was answered, and its reason
_GONE = 499  # the status noted where the client went away, as nginx does

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_UNKEPT = (b"cache-control", b"no-store")

_access, faults = logging.getLogger("lowshot.access"), logging.getLogger("lowshot.serve")


class Edge:
    """The outermost application: plain ASGI, since every request pays for it."""

    def __init__(self, app: ASGIApp, service: Service, direct: Mapping[tuple[str, str], ASGIApp]) -> None:
        self.app = app
        self._direct = direct  # applications of their own, by method and path
        self.service = service
        self._guard = Guard(service.settings.keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(send, self.service.is_draining)
        began = time.perf_counter()
        try:
            self._guard.check(scope["method"], scope["path"], dict(scope["headers"]))
            app = self._direct.get((scope["method"], scope["path"]), self.app)
            await app(scope, receive, exchange.send)
        except LowshotError as error:
            scope[PROBLEM] = note(self.service, error)
            await problem(error)(scope, receive, exchange.send)
        except Exception:  # which the framework raises again when it is noted and answered
            pass
        self._note(scope, exchange, time.perf_counter() - began)

    def _note(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = route_of(scope)
        self.service.metrics.answered(_method(scope), route, exchange.status, seconds)
        if not self.service.settings.log:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": _method(scope),
            "route": route,
            "status": exchange.status,
            "ms": round(1000 * seconds, 2),
            "bytes": exchange.size,
        }
        if PROBLEM in scope:
            line["problem"], line["reason"] = scope[PROBLEM]
        _access.info(json.dumps(line))


def note(service: Service, error: LowshotError) -> tuple[str, str]:
    """Count a problem; its kind and its reason, for the log."""
    kind = kind_of(error)
    service.metrics.refused(kind)
    return kind, printable(error)[:500]


class _Exchange:
    """Sends a response on, with the headers that every one has, and remembers what it was."""

    def __init__(self, send: Send, last: bool) -> None:
        self._send = send
        self._last = last
        self.status = _GONE
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            headers.extend(_HEADERS)
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(_UNKEPT)
            if self._last:
                headers.append((b"connection", b"close"))
        else:
            self.size += len(message.get("body", b""))
        await self._send(message)


def route_of(scope: Scope) -> str:
    """The template of the path; what matches none has no name, lest a client fill the metrics with names."""
    return getattr(scope.get("route"), "path", "-")


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS") else "-"


def log_to_stderr() -> None:
    """Requests as one line of JSON each, and faults with where they arose, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for logger in (_access, faults):
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
