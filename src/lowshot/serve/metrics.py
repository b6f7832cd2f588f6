"""What a service tells Prometheus about itself, in one process or several."""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # the environment variable: where several processes add up their numbers
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counts of one process.

    Args:
        waiting: tells how many items wait or are worked on.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        route = ("method", "route", "status")
        self._requests = Counter("lowshot_requests", "Requests answered.", route, registry=registry)
        self._seconds = Histogram(
            "lowshot_request_seconds",
            "From a request's head to the end of its response.",
            ("route",),
            registry=registry,
            buckets=_SECONDS,
        )
        self._refused = Counter(
            "lowshot_refused", "Requests refused, by kind of problem.", ("kind",), registry=registry
        )
        self._batches = Histogram(
            "lowshot_batch_items", "Items embedded in one call of the encoder.", registry=registry, buckets=_ITEMS
        )
        self._waiting = waiting
        self._items = Gauge(
            "lowshot_waiting_items", "Items that wait or are worked on.", registry=registry, multiprocess_mode="livesum"
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def refused(self, kind: str) -> None:
        """Count a problem."""
        self._refused.labels(kind).inc()

    def batch(self, items: int) -> None:
        """Count a call of the encoder."""
        self._batches.observe(items)

    def text(self) -> bytes:
        """All counts, of all processes of the service, as Prometheus reads them."""
        self._items.set(self._waiting())
        if DIRECTORY not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)
