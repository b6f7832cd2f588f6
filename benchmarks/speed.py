"""Run the speed benchmarks and record them: every time in docs/results.md comes from here.

    python benchmarks/speed.py [episodes] [identification] [galleries] [whole_evaluation] [start] [training] [losses]
        [service]

Times depend on the machine; the ratios are against a peer in the same run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from parts import run_parts

from lowshot.evaluate.results import Budget, Result

HARDWARE = f"{os.cpu_count()} CPU cores"


def run(*command: str) -> Any:
    """What a command prints, read as JSON."""
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def record(name: str, command: str, title: str, figures: dict[str, Any], measure: str, unit: str, **more: Any) -> None:
    """Write one result file."""
    numbers = {key: value for key, value in figures.items() if isinstance(value, int | float)}
    Result(
        section="Speed",
        title=title,
        figures=numbers,
        measure=measure,
        unit=unit,
        command=command,
        budget=Budget(hardware=HARDWARE),
        **({"better": "lower", "data": "–", "protocol": "–"} | more),
    ).save(Path("results") / f"speed-{name}.json")
    print(f"{title}: {numbers[measure]} {unit}")


def episodes() -> None:
    """Scoring episodes of features."""
    command = "python benchmarks/episodes.py"
    for found in run(sys.executable, "benchmarks/episodes.py")["rows"]:
        setting = f"{found['ways']}-way {found['shots']}-shot {found['queries']} queries"
        name = f"episodes-{found['ways']}-{found['shots']}"
        easy = found["ways"] == 5
        record(name, command, f"one episode, {setting}", found, "microseconds", "µs", target=40 if easy else None)
        title = f"one episode, {setting}, against scikit-learn's NearestCentroid in a loop"
        record(f"{name}-ratio", command, title, found, "speedup", "×", better="higher", target=20 if easy else None)


def identify(encoder: str, data: str, measure: str, unit: str, target: float) -> None:
    """One picture through a gallery of 20 classes."""
    command = f"python benchmarks/identify.py {encoder} --data {data}"
    title = f"identify one picture, `{encoder}`, gallery of 20 classes" + (", network alone = 1" if unit == "×" else "")
    found = run(sys.executable, "benchmarks/identify.py", encoder, "--data", data)
    record(f"identify-{encoder}", command, title, found, measure, unit, target=target, data=data)


def training() -> None:
    """What makes a training step fast."""
    command = "python benchmarks/training.py"
    for method, variants in run(sys.executable, "benchmarks/training.py").items():
        for name, found in variants.items():
            slug = f"training-{method}-{name.replace(' ', '-')}"
            figures = {"ms": found["ms"], "ratio": found["times as long"]}
            title = f"training step, {method}, 60-way, {name}"
            if name == "as it is":
                record(slug, command, title, figures, "ms", "ms")
                share = {"share": found["data side"]}
                record(f"training-{method}-data", command, f"{title}: data side", share, "share", "%", target=0.1)
            else:
                aim = {"better": "higher", "target": 1.7} if name == "plain float32" else {}
                record(slug, command, f"{title} (as it is = 1)", figures, "ratio", "×", **aim)


def losses() -> None:
    """Losses over all pairs and triplets of a batch."""
    command, targets = "python benchmarks/losses.py", {"histogram": 100, "triplet": 3}
    for kind, found in run(sys.executable, "benchmarks/losses.py").items():
        title = f"{kind} loss of 256 features and its gradient, one thread, against pytorch-metric-learning"
        record(f"losses-{kind}", command, title, found, "speedup", "×", better="higher", target=targets[kind])


def galleries() -> None:
    """Large galleries: exact queries, filters, additions and removals."""
    for examples in (200_000, 1_000_000):
        command = f"python benchmarks/gallery.py --examples {examples}"
        found = run(sys.executable, *command.split()[1:])
        size = f"gallery of {examples:,} × {found['features']}"
        rows = [
            ("query", f"exact query, {size}", "ms", None),
            ("query/read", f"exact query, {size}, reading the features once = 1", "×", 1.5),
            ("query/faiss", f"exact query, {size}, faiss-cpu's flat index = 1", "×", 1.0),
            ("filtered/query", f"query with a filter that 1 % pass, asked before, {size}, without it = 1", "×", 0.1),
            ("filtered first/query", f"first query with a filter that 1 % pass, {size}, without it = 1", "×", None),
            ("add", f"durable addition of one example, {size}", "ms", 2.0),
            ("remove", f"durable removal of one example, {size}", "ms", 2.0),
            ("query elsewhere after add", f"next query of another process, which must find it, {size}", "ms", None),
        ]
        for measure, title, unit, target in rows:
            name = f"gallery-{examples // 1000}k-{measure.replace('/', '-').replace(' ', '-')}"
            record(name, command, title, found, measure, unit, target=target)


def whole_evaluation() -> None:
    """1000 episodes against embedding the images."""
    command = "lowshot evaluate characters omniglot:vinyals-test --json"
    found = run(*command.split())
    figures = {"ratio": round(found["seconds"] / found["embed_seconds"], 3)} | found
    title = "whole `lowshot evaluate`, 1000 episodes, embedding alone = 1"
    record("evaluate", command, title, figures, "ratio", "×", target=1.3, data="omniglot:vinyals-test")


def start() -> None:
    """How long `lowshot --help` takes, warm."""
    times = []
    for _ in range(6):
        started = time.perf_counter()
        subprocess.run(["lowshot", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    record("help", "lowshot --help", "`lowshot --help`", {"seconds": round(min(times), 3)}, "seconds", "s", target=0.5)


def identification() -> None:
    """One picture, both named encoders."""
    identify("characters", "omniglot:evaluation", "p50", "ms", 2.0)
    identify("photos", "lfw?least=10", "ratio", "×", 1.3)


def service() -> None:
    """The service on loopback, clients on the same cores."""
    command = "python benchmarks/serve.py"
    found = run(sys.executable, "benchmarks/serve.py")
    drawing, many = "one drawing, `characters`, gallery of 600 classes", "32 clients"
    rows = [
        ("latency", "p50", f"identify over HTTP, {drawing}, one client", "ms", {"target": 10}),
        ("latency", "overhead", f"identify over HTTP, {drawing}, more than in process", "ms", {"target": 4}),
        ("characters", "rate", f"identify over HTTP, {drawing}, {many}", "/s", {"target": 800, "better": "higher"}),
        (
            "photos",
            "share",
            f"identify over HTTP, `photos`, {many}, encoder alone = 1",
            "",
            {"target": 0.75, "better": "higher"},
        ),
        ("photos", "p99/p50", f"identify over HTTP, `photos`, {many}, p99 against p50", "×", {"target": 5}),
        ("enrolling", "p99", "identify over HTTP, 8 clients while one enrolls, p99", "ms", {}),
        ("enrolling", "enroll", "durable enrollment over HTTP while 8 clients identify", "ms", {}),
        (
            "memory",
            "growth",
            "memory of the service after 20,000 requests, more than after 2,000",
            "%",
            {"target": 0.05},
        ),
        ("kills", "lost", "acknowledged enrollments lost by `kill -9` under load", "", {"target": 0}),
        ("ends", "dropped", "requests dropped by SIGTERM under load", "", {"target": 0}),
    ]
    for part, measure, title, unit, more in rows:
        name = f"service-{part}-{measure.replace('/', '-')}"
        record(name, f"{command} {part}", title, found[part], measure, unit, **more)


if __name__ == "__main__":
    run_parts(episodes, identification, galleries, whole_evaluation, start, training, losses, service)
