"""``kill -9`` while enrolling and removing."""

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

def work_forever(acknowledged):
    # Enrolls batches of seven, and takes every third out again.
    with Gallery.open(path, model, create=True) as gallery:
        for number in range(10**9):
            label = f"{os.getpid()}-{number}"
            gallery.enroll(drawings, [label] * 7)
            os.write(acknowledged, f"+{label}\\n".encode())
            if number % 3 == 2:
                os.write(acknowledged, f"?{label}\\n".encode())  # from here on it may be gone
                gallery.remove_class(label)
                os.write(acknowledged, f"-{label}\\n".encode())

def start():
    reader, writer = os.pipe()
    if not (child := os.fork()):
        work_forever(writer)
    os.close(writer)
    return child, reader

def read_all(reader, acknowledged):
    while more := os.read(reader, 1 << 16):
        acknowledged += more
    os.close(reader)
    return acknowledged.decode().split()

rng = random.Random(0)
with Gallery.open(path, model, create=True) as gallery:
    gallery.enroll(drawings[:1], ["first"])
for _ in range(30):
    children = [start(), start()]  # two at a time, both killed at any moment
    first = [os.read(reader, 100) for _, reader in children]  # both have begun
    time.sleep(rng.random() * 0.1)
    for child, _ in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for (_, reader), begun in zip(children, first):
        print(*read_all(reader, begun), sep="\\n")
"""


def test_thirty_kills_lose_nothing_and_leave_nothing_half_done(
    tmp_path: Path, tiny_model: Callable[..., bytes]
) -> None:
    """Two processes enroll batches of seven and remove some, until they are killed with SIGKILL; then the next two do."""
    path, model = tmp_path / "my.gallery", tmp_path / "tiny.onnx"
    model.write_bytes(tiny_model())
    # Forked from one process that has imported everything: sixty starts of Python would take most of the time.
    command = [sys.executable, "-W", "ignore", "-c", _ROUNDS, str(path), str(model)]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=240).stdout.split()
    said = {sign: {line[1:] for line in lines if line[0] == sign} for sign in "+?-"}
    assert len(said["+"]) >= 60 and len(said["-"]) > 5
    with Gallery.open(path, Encoder.load(model)) as gallery:
        counts = gallery.classes()
        assert counts.pop("first") == 1
        assert set(counts.values()) == {7}  # no batch is half there
        assert said["+"] - said["?"] <= set(counts)
        assert not said["-"] & set(counts)
        assert len(set(counts) - said["+"]) <= 60  # at most the one that each process was about to acknowledge
        number = len(gallery)
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        assert raw.execute("SELECT count(*) FROM originals").fetchone() == (number,)
    raw.close()
