"""Bulk enrollment of many small files: speed and memory, and what a kill -9 in the middle costs.

    python benchmarks/bulk.py [--number 100000] [--workers 2] [--record]

Draws PNG files of 105×105 pixels, a class a hundred, in a temporary folder. ``lowshot enroll --bulk`` enrolls them; then
it does so again, is killed with SIGKILL when half of them are enrolled, and goes on. Prints one JSON object; ``--record``
writes results/speed-bulk*.json. ``encoder`` is the rate of the encoder alone, on pixels decoded already, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lowshot import Encoder, Gallery
from lowshot.data import read_pictures
from lowshot.data.files import FileSet

A_CLASS, SAMPLE = 100, 5_000


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--record", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "images", chosen.number)
        figures = measure(Path(folder), chosen.number, chosen.workers)
    print(json.dumps({"benchmark": "bulk", **figures}))
    if chosen.record:
        record(figures)


def draw(folder: Path, number: int) -> None:
    """Strokes at random, like handwriting in a foreign alphabet."""
    rng = np.random.default_rng(0)
    strokes = rng.integers(5, 100, (number, 3, 8)).tolist()
    for i, lines in enumerate(strokes):
        target = folder / f"class {i // A_CLASS:05d}" / f"{i % A_CLASS:03d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("L", (105, 105), 255)
        for line in lines:
            ImageDraw.Draw(image).line(line, fill=0, width=3)
        image.save(target)


def measure(folder: Path, number: int, workers: int) -> dict[str, Any]:
    """Enroll everything at once, and once more with a kill in the middle."""
    encoder_rate = rate_of_encoder(folder / "images")
    seconds, peak = enroll(folder, "whole.gallery", workers)
    at_kill, left = kill_in_the_middle(folder, "killed.gallery", number // 2, workers)
    resumed, _ = enroll(folder, "killed.gallery", workers)
    with Gallery.open(folder / "killed.gallery") as gallery:
        records = gallery.examples()
    again, _ = enroll(folder, "killed.gallery", workers)
    return {
        "files": number,
        "workers": workers,
        "seconds": round(seconds, 1),
        "rate": round(number / seconds),
        "encoder": round(encoder_rate),
        "share": round(number / seconds / encoder_rate, 3),
        "peak_megabytes": round(peak),
        "enrolled_at_kill": at_kill,
        "processes_left": left,
        "seconds_resumed": round(resumed, 1),
        "enrolled": len(records),
        "duplicates": len(records) - len({record.name for record in records}),
        "lost": number - len({record.name for record in records}),
        "seconds_nothing_new": round(again, 1),
    }


def rate_of_encoder(folder: Path) -> float:
    """Pictures a second, decoded already."""
    encoder = Encoder.load("characters")
    items = read_pictures(FileSet.open(folder).items[:SAMPLE], encoder.card.form)
    encoder.embed_support(items)
    started = time.perf_counter()
    encoder.embed_support(items)
    return len(items) / (time.perf_counter() - started)


def enroll(folder: Path, gallery: str, workers: int) -> tuple[float, float]:
    """Seconds of the whole command, and the most memory that it and its processes had, in MB."""
    started, peak = time.perf_counter(), 0.0
    command = start(folder, gallery, workers)
    while command.poll() is None:
        peak = max(peak, sum(map(resident, [command.pid, *children(command.pid)])))
        time.sleep(0.1)
    if command.returncode:
        raise SystemExit(f"lowshot enroll ended with {command.returncode}")
    return time.perf_counter() - started, peak


def kill_in_the_middle(folder: Path, gallery: str, number: int, workers: int) -> tuple[int, int]:
    """How many examples were enrolled when it was killed, and how many of its processes were left after two seconds."""
    command = start(folder, gallery, workers)
    while not (folder / gallery).exists() or enrolled(folder / gallery) < number:
        time.sleep(0.05)
    begun = children(command.pid)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    time.sleep(2)
    return enrolled(folder / gallery), sum(Path(f"/proc/{pid}").exists() for pid in begun)


def start(folder: Path, gallery: str, workers: int) -> subprocess.Popen[bytes]:
    """The command, in a process of its own."""
    command = ["enroll", folder / gallery, folder / "images", "--bulk", "--workers", workers]
    return subprocess.Popen([sys.executable, "-m", "lowshot", *map(str, command)], stdout=subprocess.DEVNULL)


def enrolled(gallery: Path) -> int:
    """How many examples there are."""
    with Gallery.open(gallery) as opened:
        return len(opened)


def children(pid: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def resident(pid: int) -> float:
    """Memory of a process in MB (Linux); 0 where it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def record(figures: dict[str, Any]) -> None:
    """Write the result files."""
    from lowshot.evaluate.results import Budget, Result

    files = f"{figures['files']:,} PNG files of 105×105"
    for name, title, measure, unit, better, target in (
        ("bulk", "images a second, `characters`", "rate", "images/s", "higher", None),
        ("bulk-share", "rate against the encoder alone (= 1)", "share", "×", "higher", None),
        ("bulk-memory", "most memory of all its processes", "peak_megabytes", "MB", "lower", None),
        (
            "bulk-kill",
            "kill -9 in the middle, then the same command: examples twice",
            "duplicates",
            "examples",
            "lower",
            0,
        ),
        ("bulk-lost", "kill -9 in the middle, then the same command: examples missing", "lost", "examples", "lower", 0),
    ):
        Result(
            section="Speed",
            title=f"bulk enrollment of {files}: {title}",
            data="drawn at random",
            protocol="–",
            figures=figures,
            measure=measure,
            unit=unit,
            better=better,
            target=target,
            command="python benchmarks/bulk.py --record",
            budget=Budget(hardware=f"{os.cpu_count()} CPU cores"),
        ).save(Path("results") / f"speed-{name}.json")


if __name__ == "__main__":
    main()
