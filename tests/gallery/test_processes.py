"""Several processes share one gallery: nobody fails, and nobody answers from before a commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_CROWD = """
import multiprocessing, sys, time
import numpy as np
from lowshot import Gallery

path, model, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
fork = multiprocessing.get_context("fork")  # from a process that has imported everything and started nothing
WRITERS, READERS, KEPT = 2, 4, 30
enrolled, removing, removed = (fork.Array("q", [-1] * WRITERS, lock=False) for _ in range(3))
asked, stop = fork.Array("q", [0] * READERS, lock=False), fork.Event()

def drawing(writer, number):
    return np.random.default_rng([writer, number]).integers(0, 256, (8, 8), np.uint8)

def write(writer):
    ids = []
    with Gallery.open(path, model) as gallery:
        while not stop.is_set():
            number = len(ids)
            ids += gallery.enroll([drawing(writer, number)], [f"{writer}-{number}"])
            enrolled[writer] = number
            if number >= KEPT:
                removing[writer] = number - KEPT
                gallery.remove([ids[number - KEPT]])
                removed[writer] = number - KEPT

def read(reader):
    with Gallery.open(path, model) as gallery:
        while not stop.is_set():
            writer = asked[reader] % WRITERS
            new, old = enrolled[writer], removed[writer]
            if new < 0:
                continue
            answer = gallery.identify([drawing(writer, new)], top=1)[0]
            found = answer.candidates[0].label
            assert found == f"{writer}-{new}" or removing[writer] >= new, (found, writer, new)
            if old >= 0:
                found = gallery.identify([drawing(writer, old)], top=1)[0].candidates[0].label
                assert found != f"{writer}-{old}", (found, "was removed")
            asked[reader] += 1

with Gallery.open(path, model, create=True) as gallery:
    gallery.enroll([drawing(9, 0)], ["first"])
crowd = [fork.Process(target=write, args=(i,)) for i in range(WRITERS)]
crowd += [fork.Process(target=read, args=(i,)) for i in range(READERS)]
for each in crowd:
    each.start()
time.sleep(seconds)
stop.set()
for each in crowd:
    each.join()
print(*[each.exitcode for each in crowd])
print(*enrolled, *asked)
"""


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_two_writers_and_four_readers(tmp_path: Path, tiny_model: Callable[..., bytes], seconds: int) -> None:
    (model := tmp_path / "tiny.onnx").write_bytes(tiny_model())
    command = [sys.executable, "-W", "ignore", "-c", _CROWD, str(tmp_path / "g"), str(model), str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    codes, counts = (line.split() for line in ran.stdout.splitlines())
    assert codes == ["0"] * 6, ran.stderr
    assert min(map(int, counts)) > 0  # everyone had a turn
