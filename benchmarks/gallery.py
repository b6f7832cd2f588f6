"""Time a large gallery: queries, filters, additions and removals, in process and beside another process.

    python benchmarks/gallery.py [--examples 200000] [--features 128] [--per-class 1]

Prints one JSON object, times in milliseconds. The examples are random directions around their class's; ``read`` is one pass
over the same matrix by the same BLAS (the product of all its entries with themselves), ``faiss`` the flat index of faiss-cpu
on it. All are in one process, in turn, but for faiss, which comes after the others: its threads go on spinning.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np
import onnx
from numpy.typing import NDArray

from lowshot import Encoder, Gallery
from lowshot.data import ImageForm
from lowshot.encoder import Card, add_card
from lowshot.gallery.store import Row

BATCH, ROUNDS, COLORS = 20_000, 40, 100


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "large.gallery")
        encoder = stub_encoder(chosen.features)
        features = fill(place, encoder, chosen.examples, chosen.per_class)
        print(json.dumps(measure(place, encoder, features, chosen.per_class)))


def stub_encoder(features: int) -> Encoder:
    """An encoder that is never asked: features come from elsewhere."""
    tensor = onnx.helper.make_tensor_value_info
    weights = onnx.numpy_helper.from_array(np.zeros((4, features), np.float32), "weights")
    nodes = [
        onnx.helper.make_node("Flatten", ["pixels"], ["flat"]),
        onnx.helper.make_node("MatMul", ["flat", "weights"], ["features"]),
    ]
    ends = [tensor("pixels", 1, ["n", 1, 2, 2])], [tensor("features", 1, ["n", features])]
    graph = onnx.helper.make_graph(nodes, "stub", *ends, [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    form = ImageForm(height=2, width=2, channels=1)
    card = Card(name="stub", form=form, mean=(0.0,), std=(1.0,), features=features)
    return Encoder(add_card(model.SerializeToString(), card))


def fill(place: Path, encoder: Encoder, examples: int, per_class: int) -> NDArray[np.float32]:
    """A gallery of that many examples, and their features."""
    features = clustered(np.random.default_rng(0), examples, encoder.card.features, per_class)
    with Gallery.open(place, encoder, create=True) as gallery:
        for start in range(0, examples, BATCH):
            some = range(start, min(start + BATCH, examples))
            gallery._store.add([
                Row(f"class {i // per_class}", "", {"color": str(i % COLORS)}, features[i], None) for i in some
            ])  # fmt: skip
    return features


def clustered(rng: np.random.Generator, examples: int, features: int, per_class: int) -> NDArray[np.float32]:
    """Unit vectors around the direction of their class."""
    centers = rng.standard_normal((-(-examples // per_class), features), np.float32)
    spread = rng.standard_normal((examples, features), np.float32) * np.float32(0.5)
    made = np.repeat(centers, per_class, axis=0)[:examples] + spread
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))


def measure(place: Path, encoder: Encoder, features: NDArray[np.float32], per_class: int) -> dict[str, Any]:
    """All figures of one gallery."""
    queries = clustered(np.random.default_rng(1), ROUNDS, features.shape[1], 1)
    flat_features = features.ravel()
    flat = faiss.IndexFlatIP(features.shape[1])
    flat.add(features)
    with Gallery.open(place, encoder) as gallery:
        loading = milliseconds(lambda: gallery.identify_features(queries[:1]))
        turns = {
            "read": lambda q: flat_features @ flat_features,
            "query": lambda q: gallery.identify_features(q),
            "filtered": lambda q: gallery.identify_features(q, where={"color": "7"}),
            "filtered first": lambda q: gallery.identify_features(q, where={"color": str(next(others))}),
        }
        others = iter(range(COLORS // 2, COLORS))
        times = [{name: milliseconds(lambda: turn(q[None])) for name, turn in turns.items()} for q in queries]  # noqa: B023
        figures = {name: round(float(np.median([each[name] for each in times])), 3) for name in turns}
        alone = [milliseconds(lambda: flat.search(q[None], 5)) for q in queries]  # noqa: B023
        figures["faiss"] = round(float(np.median(alone)), 3)
        slowest = {"query_p95": round(float(np.quantile([each["query"] for each in times], 0.95)), 3)}
        many = milliseconds(lambda: gallery.identify_features(np.repeat(queries, 5, axis=0)))
        return {
            "examples": len(features),
            "features": features.shape[1],
            "classes": len(gallery.classes()),
            "load": round(loading),
            **figures,
            **slowest,
            "query/read": round(figures["query"] / figures["read"], 3),
            "query/faiss": round(figures["query"] / figures["faiss"], 3),
            "filtered/query": round(figures["filtered"] / figures["query"], 3),
            "filtered first/query": round(figures["filtered first"] / figures["query"], 3),
            "batched queries a second": round(5 * ROUNDS / many * 1000),
            **changes(place, gallery, features),
        }


def changes(place: Path, gallery: Gallery, features: NDArray[np.float32]) -> dict[str, float]:
    """Durable additions and removals, and the next query of another process after each."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    reader = context.Process(target=answer_queries, args=(there, str(place), features.shape[1]), daemon=True)
    reader.start()
    here.recv()  # it has loaded the gallery
    rng = np.random.default_rng(2)
    times: dict[str, list[float]] = {"add": [], "query elsewhere after add": [], "remove": [], "elsewhere as usual": []}
    for turn in range(ROUNDS):
        new = clustered(rng, 1, features.shape[1], 1)
        row = Row(f"new {turn}", "", {}, new[0], b"a picture of some kilobytes" * 100)
        found: list[Any] = []
        times["add"].append(milliseconds(lambda: found.extend(gallery._store.add([row]))))  # noqa: B023
        times["query elsewhere after add"].append(ask(here, new, found[0]))
        times["elsewhere as usual"].append(ask(here, new, found[0]))
        times["remove"].append(milliseconds(lambda: gallery.remove(found)))  # noqa: B023
        ask(here, new, None, f"new {turn}")
    here.send(None)
    reader.join()
    return {name: round(float(np.median(each)), 3) for name, each in times.items()}


def ask(here: Connection, query: NDArray[np.float32], nearest: int | None, gone: str = "") -> float:
    """What the other process took; it must see the newest state."""
    here.send(query)
    took, id, label = here.recv()
    if (nearest is not None and id != nearest) or label == gone:
        raise SystemExit(f"a stale answer: {id} {label}, not {nearest}")
    return float(took)


def answer_queries(there: Connection, place: str, features: int) -> None:
    """The other process."""
    with Gallery.open(place, stub_encoder(features)) as gallery:
        gallery.identify_features(np.ones((1, features), np.float32))
        there.send("ready")
        while (query := there.recv()) is not None:
            found: list[Any] = []
            took = milliseconds(lambda: found.extend(gallery.identify_features(query, top=1)))  # noqa: B023
            there.send((took, found[0].examples[0].id, found[0].candidates[0].label))


def milliseconds(run: Callable[[], object]) -> float:
    """What one call takes."""
    started = perf_counter()
    run()
    return (perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
