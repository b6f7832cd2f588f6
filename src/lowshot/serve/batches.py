"""Many questions, one call of the encoder: a thread that takes all that is waiting, again and again.

Nothing waits for others to come. While one batch is worked on the next gathers, so batches grow with the load by
themselves, and a lone question is answered at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lowshot.encoder import Features
from lowshot.gallery import Answer, Gallery
from lowshot.serve.bodies import Question

_MOST = 64  # items of a batch: beyond it an encoder gains nothing, and who came first waits for who came last


@dataclass(eq=False)
class Job:
    """Items of one request, and what becomes of them.

    Attributes:
        asked: who waits for this; where that was cancelled, nobody does.
        names: of the items.
        pixels: uint8 (n, height, width, channels).
        question: how to compare.
        answers: what they are, or else why there are none: the fault; set by the batch.
    """

    asked: asyncio.Future[Job]
    names: Sequence[str]
    pixels: NDArray[np.uint8]
    question: Question
    answers: Sequence[Answer] = ()
    fault: Exception | None = None


class Batches:
    """Answers jobs, in one thread of its own.

    Args:
        gallery: which is asked.
        done: is told of the jobs of each batch, in that thread.
    """

    def __init__(self, gallery: Gallery, done: Callable[[Sequence[Job]], None]) -> None:
        self._gallery = gallery
        self._done = done
        self._jobs: deque[Job] = deque()
        self._closed = False
        self._waiting = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="lowshot-batches", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Have a job done with the next batch."""
        with self._waiting:
            self._jobs.append(job)
            self._waiting.notify()

    def close(self) -> None:
        """Do what is waiting, and end."""
        with self._waiting:
            self._closed = True
            self._waiting.notify()
        self._thread.join()

    def _work(self) -> None:
        while (jobs := self._take()) is not None:
            if wanted := [job for job in jobs if not job.asked.cancelled()]:
                answer(self._gallery, wanted)
            self._done(wanted)

    def _take(self) -> list[Job] | None:
        """All that is waiting, up to a number of items; None at the end."""
        with self._waiting:
            while not self._jobs:
                if self._closed:
                    return None
                self._waiting.wait()
            ends = np.cumsum([len(job.pixels) for job in islice(self._jobs, _MOST)])
            number = max(1, int(np.searchsorted(ends, _MOST, "right")))
            return [self._jobs.popleft() for _ in range(number)]


def answer(gallery: Gallery, jobs: Sequence[Job]) -> None:
    """Answer jobs together: one call of the encoder, and one of the gallery for those that ask alike."""
    try:
        features = gallery.encoder.embed(np.concatenate([job.pixels for job in jobs]))
    except Exception as error:  # nobody else would tell those who wait
        for job in jobs:
            job.fault = error
        return
    parts = np.split(features, np.cumsum([len(job.pixels) for job in jobs])[:-1])
    alike: dict[Question, list[tuple[Job, Features]]] = {}
    for job, part in zip(jobs, parts, strict=True):
        alike.setdefault(job.question, []).append((job, part))
    for question, asked in alike.items():
        _answer_alike(gallery, question, asked)


def _answer_alike(gallery: Gallery, question: Question, asked: Sequence[tuple[Job, Features]]) -> None:
    where: Mapping[str, Sequence[str]] = dict(question.where)
    try:
        answers = iter(
            gallery.identify_features(
                np.concatenate([part for _, part in asked]), question.top, where, question.gate, question.gate_recall
            )
        )
    except Exception as error:  # as above
        for job, _ in asked:
            job.fault = error
        return
    for job, part in asked:
        job.answers = list(islice(answers, len(part)))
