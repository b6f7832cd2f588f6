"""A large gallery on a Milvus server: recall, queries, additions seen at once, and what a million examples cost.

    make .milvus                                      # once: downloads the server
    python benchmarks/milvus.py [--examples 200000] [--features 128] [--per-class 20] [--record]

Starts a server of its own, with Milvus's default settings. The examples are random directions around their class's, written
in random order; queries are further ones of some classes. Prints one JSON object, times in milliseconds; ``--record``
writes results/milvus-*.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gallery import BATCH, COLORS, clustered, milliseconds, stub_encoder
from lowshot import Encoder, Gallery
from lowshot.evaluate.results import Budget, Result
from lowshot.gallery.milvus.index import _NEIGHBORS
from lowshot.gallery.milvus.store import _PROBED, MilvusStore
from lowshot.gallery.store import Row

sys.path.append(str(Path(__file__).parents[1] / "tests" / "gallery"))
from milvus_server import milvus_server

Floats = NDArray[np.float32]

QUERIES, ROUNDS, NEAREST = 200, 30, 10
INSERTED = BATCH // 4  # examples in one call


def main() -> None:
    """Measure, print, and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=20)
    parser.add_argument("--record", action="store_true")
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    made = clustered(rng, chosen.examples + chosen.examples // chosen.per_class, chosen.features, chosen.per_class + 1)
    by_class = made.reshape(-1, chosen.per_class + 1, chosen.features)
    features = by_class[:, :-1].reshape(-1, chosen.features)
    asked = rng.choice(len(by_class), QUERIES, replace=False)
    with tempfile.TemporaryDirectory() as folder, milvus_server(Path(folder)) as server:
        place = f"milvus+{server}/large"
        figures = measure(
            Path(folder), place, stub_encoder(chosen.features), features, by_class[asked, -1], chosen.per_class
        )
    print(json.dumps(figures, indent=1))
    if chosen.record:
        record(figures, chosen)


def measure(
    folder: Path, place: str, encoder: Encoder, features: Floats, queries: Floats, per_class: int
) -> dict[str, float]:
    """All figures of one gallery."""
    figures: dict[str, float] = {"examples": len(features), "features": features.shape[1]}
    exact = np.argsort(-(queries @ features.T), axis=1)[:, :NEAREST]
    means = features.reshape(-1, per_class, features.shape[1]).mean(axis=1)
    nearest = (queries @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(axis=1)
    before = memory(folder)
    with Gallery.open(place, encoder, create=True) as gallery:
        figures["insert_seconds"] = fill(gallery, features, per_class) / 1000
        store = gallery._store
        assert isinstance(store, MilvusStore)
        of = np.array([row["name"] for row in store.pages("", ["name"])]).astype(int)  # which feature each id has
        ids = np.fromiter((row["id"] for row in store.pages("", [])), np.int64)
        figures["recall_fresh"] = recall(store, queries, exact, ids, of)
        figures["index_seconds"] = milliseconds(lambda: index_all(store)) / 1000
        figures["recall"] = recall(store, queries, exact, ids, of)
        figures["memory_megabytes"] = memory(folder) - before
        figures["disk_megabytes"] = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        figures["first_query"] = milliseconds(lambda: gallery.identify_features(queries[:1]))
        found = [gallery.identify_features(query[None], top=1)[0].candidates[0].label for query in queries]
        figures["same_class"] = float(np.mean([label == f"class {c}" for label, c in zip(found, nearest, strict=True)]))
        search = times(lambda query: store._connection.search(query, "", _NEIGHBORS, _PROBED, ["label"]), queries)
        whole = times(lambda query: gallery.identify_features(query), queries)
        filtered = times(lambda query: gallery.identify_features(query, where={"color": "7"}), queries[:ROUNDS])
        for name, each in {"search": search, "query": whole, "filtered": filtered}.items():
            figures |= {f"{name}_p50": float(np.median(each)), f"{name}_p95": float(np.quantile(each, 0.95))}
        figures["batched_queries_a_second"] = QUERIES / milliseconds(lambda: gallery.identify_features(queries)) * 1000
        figures |= changes(gallery, place, encoder)
    return {name: round(value, 4) for name, value in figures.items()}


def fill(gallery: Gallery, features: Floats, per_class: int) -> float:
    """Add all, in random order; the milliseconds of the additions alone."""
    took = 0.0
    order = np.random.default_rng(1).permutation(len(features)).tolist()
    for start in range(0, len(order), INSERTED):
        rows = [
            Row(f"class {i // per_class}", str(i), {"color": str(i // per_class % COLORS)}, features[i], None)
            for i in order[start : start + INSERTED]
        ]
        took += milliseconds(lambda: gallery._store.add(rows))  # noqa: B023
    return took


def index_all(store: MilvusStore) -> None:
    """Have Milvus write all out and index it, as it does by and by."""
    client, name = store._connection.client, store._connection.examples
    client.flush(name)
    while client.describe_index(name, "feature")["pending_index_rows"]:
        time.sleep(0.2)
    time.sleep(10)  # until the indexed segments have taken the place of the others


def recall(store: MilvusStore, queries: Floats, exact: NDArray[Any], ids: NDArray[Any], of: NDArray[Any]) -> float:
    """The share of the nearest examples that Milvus finds, as a gallery asks it."""
    found = [store._connection.search(query[None], "", _NEIGHBORS, _PROBED, ["id"])[0] for query in queries]
    near = [of[np.searchsorted(ids, [row["id"] for row in rows[:NEAREST]])] for rows in found]
    return float(np.mean([np.isin(want, got).mean() for want, got in zip(exact, near, strict=True)]))


def times(ask: Callable[[Floats], object], queries: Floats) -> list[float]:
    """What each query takes alone."""
    return [milliseconds(lambda: ask(query[None])) for query in queries]  # noqa: B023


def changes(gallery: Gallery, place: str, encoder: Encoder) -> dict[str, float]:
    """Additions in a row; then changes and the next query of the same client and of another one. Stale answers count."""
    new = clustered(np.random.default_rng(2), 2 * ROUNDS, gallery.card.features, 1)
    row = [Row(f"new {turn}", "", {}, feature, os.urandom(3000)) for turn, feature in enumerate(new)]
    ids: list[int] = []
    took: dict[str, list[float]] = {"add": [], "seen": [], "seen_elsewhere": [], "remove": [], "gone": []}
    stale = 0
    with Gallery.open(place, encoder) as other:
        for turn in range(ROUNDS):
            took["add"].append(milliseconds(lambda: ids.extend(gallery._store.add([row[turn]]))))  # noqa: B023
        for turn in range(ROUNDS, 2 * ROUNDS):
            ids += gallery._store.add([row[turn]])
            answers: list[Any] = []
            for name, asked in (("seen", gallery), ("seen_elsewhere", other)):
                ask = partial(asked.identify_features, new[turn, None], top=1)
                took[name].append(milliseconds(lambda: answers.extend(ask())))  # noqa: B023
                stale += answers[-1].examples[0].id != ids[-1]
            took["remove"].append(milliseconds(lambda: gallery.remove(ids[-1:])))  # noqa: B023
            took["gone"].append(milliseconds(lambda: answers.extend(ask())))  # noqa: B023
            stale += answers[-1].candidates[0].label == row[turn].label
    return {f"{name}_p50": float(np.median(each)) for name, each in took.items()} | {"stale": float(stale)}


def memory(folder: Path) -> float:
    """Of the server, in megabytes."""
    status = Path("/proc", (folder / "pid").read_text(), "status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def record(figures: dict[str, float], chosen: argparse.Namespace) -> None:
    """Write the result files."""
    size = f"{chosen.examples:,} × {chosen.features}, {chosen.per_class} a class"
    million = 1e6 / chosen.examples
    figures["insert_seconds_per_million"] = figures["insert_seconds"] * million
    figures["memory_megabytes_per_million"] = figures["memory_megabytes"] * million
    rows: dict[str, tuple[str, str, str, float | None]] = {
        "recall": (f"recall@{NEAREST} when all is indexed", "%", "higher", 0.99),
        "recall_fresh": (f"recall@{NEAREST} right after it was filled", "%", "higher", None),
        "same_class": ("nearest class as by exact comparison", "%", "higher", None),
        "query_p50": ("one query, median", "ms", "lower", None),
        "filtered_p50": ("one query among 1 %, median", "ms", "lower", None),
        "stale": (f"stale answers of two clients to {3 * ROUNDS} queries right after changes", "", "lower", 0),
        "seen_p50": ("query right after an enrollment, median", "ms", "lower", None),
        "add_p50": ("enrolling one example, median", "ms", "lower", None),
        "insert_seconds_per_million": ("filling, a million examples", "s", "lower", None),
        "memory_megabytes_per_million": ("memory of the server, a million examples", "MB", "lower", None),
    }
    for measure, (title, unit, better, target) in rows.items():
        Result(
            section="Milvus",
            title=f"{title}, {size}",
            data="drawn at random",
            protocol="one server, Milvus 2.3.5",
            measure=measure,
            unit=unit,
            better=better,  # type: ignore[arg-type]
            figures=dict(figures),
            target=target,
            budget=Budget(hardware=f"{os.cpu_count()} CPU cores"),
            command=f"python benchmarks/milvus.py --examples {chosen.examples} --record",
        ).save(Path("results") / f"milvus-{chosen.examples}-{measure.replace('_', '-')}.json")


if __name__ == "__main__":
    main()
