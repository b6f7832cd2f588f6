"""``kill -9`` while enrolling."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lowshot import Encoder, Gallery

_ROUNDS = """
import os, random, signal, sys, time
import numpy as np
from lowshot import Encoder, Gallery

path, model = sys.argv[1:]
drawings = [np.roll(np.eye(8, dtype=np.uint8) * 255, shift, axis=0) for shift in range(7)]

def enroll_forever(acknowledged):
    with Gallery.open(path, model, create=True) as gallery:
        for number in range(10**9):
            label = f"{os.getpid()}-{number}"
            gallery.enroll(drawings, [label] * 7)
            os.write(acknowledged, f"{label}\\n".encode())

def kill_one(rng):
    reader, writer = os.pipe()
    if not (child := os.fork()):
        enroll_forever(writer)
    os.close(writer)
    acknowledged = os.read(reader, 100)  # it has begun
    time.sleep(rng.random() * 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 1 << 16):
        acknowledged += more
    os.close(reader)
    return acknowledged.decode().split()

rng = random.Random(0)
for _ in range(20):
    print(*kill_one(rng), sep="\\n")
"""


def test_twenty_kills_lose_nothing_and_leave_nothing_half_done(
    tmp_path: Path, tiny_model: Callable[..., bytes]
) -> None:
    """A process enrolls batches of seven until it is killed with SIGKILL, at any moment; then the next one does."""
    path, model = tmp_path / "my.gallery", tmp_path / "tiny.onnx"
    model.write_bytes(tiny_model())
    # Forked from one process that has imported everything: twenty starts of Python would take most of the time.
    command = [sys.executable, "-c", _ROUNDS, str(path), str(model)]
    acknowledged = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout.split()
    assert len({label.split("-")[0] for label in acknowledged}) == 20
    with Gallery.open(path, Encoder.load(model)) as gallery:
        counts = gallery.classes()
        assert set(counts.values()) == {7}  # no batch is half there
        assert set(acknowledged) <= set(counts)
        assert len(counts) - len(acknowledged) <= 20  # at most the one that each process was about to acknowledge
        number = len(gallery)
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        assert raw.execute("SELECT count(*) FROM originals").fetchone() == (number,)
    raw.close()
