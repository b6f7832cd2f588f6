"""Time one item takes from its file's bytes to the answer, in process, beside the encoder's network alone.

    python benchmarks/identify.py [characters|photos|speech|voices|FILE] [--data glyphs]

One example each of 20 classes is enrolled; other items are queries, one a call, as PNG (gray), JPEG (color) or WAV bytes.
Prints one JSON object, times in milliseconds. ``network`` is the encoder on items already decoded and resized; each
query is timed both ways, one after the other, so that both see the same machine.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from lowshot import Encoder, Gallery, load
from lowshot.data import EpisodeSampler, SoundForm
from lowshot.data.sounds import wav

WAYS, WARM_UP = 20, 20
TARGETS = {"characters": ("p50", 2.0), "photos": ("ratio", 1.3), "speech": ("p50", 30.0)}


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", nargs="?", default="characters")
    parser.add_argument("--data", default="glyphs", help="any data the library loads, with 20 classes or more")
    parser.add_argument("--queries", type=int, default=300)
    chosen = parser.parse_args()
    figures = measure(Encoder.load(chosen.encoder), chosen.data, chosen.queries)
    target = TARGETS.get(chosen.encoder)
    reached = {} if target is None else {"target": dict([target]), "reached": figures[target[0]] <= target[1]}
    print(json.dumps({"benchmark": "identify", "encoder": chosen.encoder, "data": chosen.data, **figures, **reached}))


def measure(encoder: Encoder, data: str, queries: int) -> dict[str, Any]:
    """Enroll, then time each query both ways."""
    examples = load(data)
    counts = EpisodeSampler(examples.labels).counts_C
    each = min(-(-(queries + WARM_UP) // WAYS), int(np.sort(counts)[-WAYS:].min()) - 1)
    roomy = examples.take(np.isin(examples.labels, np.argsort(-counts, kind="stable")[:WAYS]))
    episode = EpisodeSampler(roomy.labels).draw(1, WAYS, 1, each)
    support = roomy.take(episode.support.ravel())
    files = [_file(roomy.items[index]) for index in np.random.default_rng(0).permutation(episode.query.ravel())]
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "benchmark.gallery", encoder, create=True) as gallery,
    ):
        gallery.enroll_examples(support)
        times = np.array([_both(gallery, encoder, file) for file in files])[WARM_UP:] * 1000
    (p50, network), (p95, network_p95) = np.quantile(times, [0.5, 0.95], axis=0).tolist()
    return {
        "classes": WAYS,
        "queries": len(times),
        "p50": round(p50, 3),
        "p95": round(p95, 3),
        "network_p50": round(network, 3),
        "network_p95": round(network_p95, 3),
        "ratio": round(p50 / network, 3),
    }


def _both(gallery: Gallery, encoder: Encoder, file: bytes) -> tuple[float, float]:
    items = encoder.read([file])
    return _seconds(lambda: gallery.identify([file])), _seconds(lambda: encoder.embed(items))


def _seconds(run: Callable[[], object]) -> float:
    started = perf_counter()
    run()
    return perf_counter() - started


def _file(item: Any) -> bytes:
    if item.ndim == 1:
        return wav(item, SoundForm().rate)
    file = io.BytesIO()
    gray = item.shape[-1] == 1
    Image.fromarray(item[..., 0] if gray else item).save(file, "PNG" if gray else "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
