"""Time the service over loopback, with clients that ask again as soon as they are answered, beside the same work in process.

    python benchmarks/serve.py [latency] [characters] [photos] [enrolling] [memory] [kills] [ends]

Prints one JSON object, times in milliseconds, rates per second. The service runs as ``lowshot serve`` in a process of its
own, the clients (``closed_loop.py``) in another, both on the cores of this machine. Drawings are those of Omniglot's
evaluation set, one example each of 600 classes enrolled; photos are faces of LFW as JPEG, one each of 100 people.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import closed_loop
import numpy as np
from closed_loop import Seen
from PIL import Image

from lowshot import Encoder, Gallery, load
from lowshot.data import read_pictures

CLIENTS, SECONDS, WARM_UP = 32, 15.0, 400
CLASSES = {"characters": 600, "photos": 100}
DATA = {"characters": "omniglot:evaluation", "photos": "lfw?least=2"}


@dataclass(frozen=True)
class Case:
    """A gallery, and files to ask about; ``others`` are of no enrolled class."""

    place: Path
    encoder: str
    queries: Sequence[bytes]
    others: Sequence[bytes]

    def requests(self) -> list[bytes]:
        """To identify each file."""
        return [closed_loop.request("/v1/identify", file) for file in self.queries]


@dataclass(frozen=True)
class Service:
    """A service that runs."""

    process: subprocess.Popen[str]
    port: int

    def memory(self) -> int:
        """Bytes that it holds."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def case(encoder: str, folder: Path) -> Case:
    """Enroll the first example of each class; the second ones are queries, and files of the other classes are left."""
    examples = load(DATA[encoder])
    order = np.argsort(examples.labels, kind="stable")
    starts = np.searchsorted(examples.labels[order], np.arange(len(examples.classes)))
    chosen = CLASSES[encoder]
    first, second, others = order[starts[:chosen]], order[starts[:chosen] + 1], order[starts[chosen] :]
    place = folder / f"{encoder}.gallery"
    with Gallery.open(place, encoder, create=True) as gallery:
        gallery.enroll_examples(examples.take(np.sort(first)))
    return Case(place, encoder, [_file(examples.items[i]) for i in second], [_file(examples.items[i]) for i in others])


def _file(item: Any) -> bytes:
    file = io.BytesIO()
    gray = item.shape[-1] == 1
    Image.fromarray(item[..., 0] if gray else item).save(file, "PNG" if gray else "JPEG", quality=90)
    return file.getvalue()


@contextmanager
def serving(place: Path, *options: str) -> Iterator[Service]:
    """``lowshot serve`` with the log that it writes by default."""
    command = [sys.executable, "-m", "lowshot", "serve", str(place), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield Service(process, int(process.stdout.readline().partition("127.0.0.1:")[2].split()[0]))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def clients() -> Iterator[Callable[..., Future[Seen]]]:
    """Starts :func:`closed_loop.run` in another process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda *given, **more: pool.submit(closed_loop.run, *given, **more)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Quantiles in milliseconds."""
    p50, p95, p99 = (1000 * np.quantile(seconds, [0.5, 0.95, 0.99])).round(2).tolist()
    return {"p50": p50, "p95": p95, "p99": p99}


def errors(seen: Seen) -> int:
    """Requests that were not answered as they should be."""
    return seen.lost + sum(number for status, number in seen.statuses.items() if status not in (200, 201))


def latency(folder: Path) -> dict[str, Any]:
    """One client, and the same questions in process, in turn."""
    asked = case("characters", folder)
    requests = asked.requests()
    served, alone = [], []
    with serving(asked.place) as service, Gallery.open(asked.place) as gallery, clients() as run:
        for start in range(0, 600, 60):
            seen = run(service.port, requests[start : start + 60], 1, most=60).result()
            here = [_seconds(gallery, file) for file in asked.queries[start : start + 60]]
            if start:  # after the warm-up
                served += seen.seconds
                alone += here
    over, within = spread(served), spread(alone)
    return {**over, "in process": within["p50"], "overhead": round(over["p50"] - within["p50"], 2)}


def _seconds(gallery: Gallery, file: bytes) -> float:
    began = time.perf_counter()
    gallery.identify([file])
    return time.perf_counter() - began


def throughput(encoder: str, folder: Path) -> dict[str, Any]:
    """Many clients, and before and after them the encoder alone with full batches."""
    asked = case(encoder, folder)
    loaded = Encoder.load(encoder)
    pixels = read_pictures(asked.queries[:64], loaded.card.form)
    alone = [_rate(loaded, pixels)]
    with serving(asked.place) as service, clients() as run:
        requests = asked.requests()
        run(service.port, requests, CLIENTS, most=WARM_UP).result()
        seen = run(service.port, requests, CLIENTS, seconds=SECONDS).result()
    alone.append(_rate(loaded, pixels))
    rate, most = len(seen.seconds) / seen.elapsed, float(np.mean(alone))
    times = spread(seen.seconds)
    return {
        "rate": round(rate),
        "encoder alone": round(most),
        "share": round(rate / most, 3),
        **times,
        "p99/p50": round(times["p99"] / times["p50"], 2),
        "errors": errors(seen),
    }


def _rate(encoder: Encoder, pixels: Any) -> float:
    """Items a second in full batches: the median of some seconds."""
    encoder.embed(pixels)
    taken = []
    while sum(taken) < 4:
        began = time.perf_counter()
        encoder.embed(pixels)
        taken.append(time.perf_counter() - began)
    return len(pixels) / float(np.median(taken))


def characters(folder: Path) -> dict[str, Any]:
    """32 clients, drawings."""
    return throughput("characters", folder)


def photos(folder: Path) -> dict[str, Any]:
    """32 clients, photos."""
    return throughput("photos", folder)


def enrolling(folder: Path) -> dict[str, Any]:
    """Eight clients identify while one enrolls, each example durable when it is answered.

    The gallery grows by enough to learn anew some times; ``longest`` is how long a question waited for that.
    """
    asked = case("characters", folder)
    new = [closed_loop.request(f"/v1/classes/new-{i}/examples", file) for i, file in enumerate(asked.others)]
    with serving(asked.place) as service, clients() as run, clients() as enroll:
        run(service.port, asked.requests(), 8, most=WARM_UP).result()
        identified = run(service.port, asked.requests(), 8, seconds=SECONDS)
        enrolled = enroll(service.port, new, 1, most=len(new)).result()
        seen = identified.result()
    return {
        "enroll": spread(enrolled.seconds)["p50"],
        **spread(seen.seconds),
        "longest": round(1000 * max(seen.seconds), 1),
        "enrolled": len(enrolled.seconds),
        "errors": errors(seen) + errors(enrolled),
    }


def memory(folder: Path) -> dict[str, Any]:
    """How much more the service holds after 20,000 requests than after 2,000."""
    asked = case("characters", folder)
    with serving(asked.place) as service, clients() as run:
        requests = asked.requests()
        run(service.port, requests, CLIENTS, most=2_000).result()
        before = service.memory()
        run(service.port, requests, CLIENTS, most=18_000).result()
        after = service.memory()
    return {
        "MiB after 2,000": round(before / 2**20, 1),
        "MiB after 20,000": round(after / 2**20, 1),
        "growth": round(after / before - 1, 4),
    }


def kills(folder: Path, rounds: int = 5) -> dict[str, Any]:
    """``kill -9`` while four clients enroll: which of the examples that were acknowledged are gone?"""
    place, acknowledged = folder / "kills.gallery", list[int]()
    files = case("characters", folder).queries
    for turn in range(rounds):
        new = [closed_loop.request(f"/v1/classes/{turn}-{i}/examples", file) for i, file in enumerate(files)]
        with serving(place) as service, clients() as run:
            seen = run(service.port, new, 4, most=len(new), keep=True)
            time.sleep(1 + 0.2 * turn)
            service.process.send_signal(signal.SIGKILL)
            acknowledged += [id for body in seen.result().bodies for id in json.loads(body)["ids"]]
    with Gallery.open(place) as gallery:
        kept = {record.id for record in gallery.examples()}
    return {"kills": rounds, "acknowledged": len(acknowledged), "lost": len(set(acknowledged) - kept)}


def ends(folder: Path, rounds: int = 5) -> dict[str, Any]:
    """SIGTERM under load, with one process and with two: requests that were taken and not answered."""
    asked = case("characters", folder)
    answered = dropped = wrong = 0
    for workers in ("1", "2"):
        for _ in range(rounds):
            with serving(asked.place, "--workers", workers) as service, clients() as run:
                load = run(service.port, asked.requests(), CLIENTS, seconds=60)
                time.sleep(2)
                service.process.send_signal(signal.SIGTERM)
                seen = load.result()
            answered += len(seen.seconds)
            dropped += seen.lost
            wrong += errors(seen) - seen.lost
    return {"ends": 2 * rounds, "answered": answered, "dropped": dropped, "errors": wrong}


PARTS = {part.__name__: part for part in (latency, characters, photos, enrolling, memory, kills, ends)}


def main() -> None:
    """Measure what is asked for, or everything, and print the figures."""
    found = {}
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = PARTS[name](Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
