"""A gallery with the threads that work on it: the event loop only ever waits for them.

Decoding has threads of its own, so that a hostile picture delays nobody's reading; what changes the gallery happens one
after the other; and one thread embeds and compares all that waits (:mod:`lowshot.serve.batches`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from lowshot.data.forms import blank, read_items
from lowshot.errors import EmptyGallery
from lowshot.gallery import Gallery
from lowshot.serve import bodies
from lowshot.serve.batches import Batches, Job
from lowshot.serve.bodies import Files
from lowshot.serve.metrics import Metrics
from lowshot.serve.originals import Original, media_type
from lowshot.serve.places import Held, Places
from lowshot.serve.problems import Refused
from lowshot.serve.settings import Settings
from lowshot.serve.studies import Studies

Found = TypeVar("Found")

_BODIES = 16  # of the largest size that may be in memory at once


class Service:
    """Everything that answers, in one process.

    Attributes:
        settings, gallery, metrics: see their classes.
        places: for what waits.
        studies: of the whole gallery.
        is_ready: whether requests are answered at once; False while starting and ending.
        is_draining: whether the end is near, so that connections are given up.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gallery = Gallery.open(settings.gallery, settings.encoder, create=True)
        self.places = Places(settings.queue, _BODIES * settings.max_body)
        self.metrics = Metrics(lambda: self.places.taken)
        self.studies = Studies(self.gallery)
        self.is_ready = self.is_draining = False

    async def start(self) -> None:
        """Begin to work."""
        self._loop = asyncio.get_running_loop()
        self._decoding = ThreadPoolExecutor(_cores(), "lowshot-decoding")
        self._reading = ThreadPoolExecutor(2, "lowshot-reading")
        self._writing = ThreadPoolExecutor(1, "lowshot-writing")
        self._batches = Batches(self.gallery, self._answered)
        await self.read(self._warm_up)
        self.is_ready = True

    def drain(self) -> None:
        """Say that the end is near; all requests are still answered."""
        self.is_ready, self.is_draining = False, True

    async def stop(self) -> None:
        """Finish what was accepted, and let go of the gallery."""
        self.drain()
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        for pool in (self._decoding, self._writing, self._reading):
            pool.shutdown()
        self._batches.close()
        self.studies.close()
        self.gallery.close()

    def _warm_up(self) -> None:
        """Load the encoder, and learn what there is to learn: the first client must not wait for it."""
        features = self.gallery.encoder.embed(blank(self.gallery.card.form))
        with suppress(EmptyGallery):
            self.gallery.identify_features(features, 1)

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[Held]:
        """Places for a request, and a limit to the time it takes. Raises Refused where either is out."""
        held = self.places.held()
        held.take(items=1)
        try:
            async with asyncio.timeout(self.settings.timeout):
                yield held
        except TimeoutError:
            raise Refused("timed-out", f"there was no answer within {self.settings.timeout:g} s: try again") from None
        finally:
            held.release()

    def ask(self, media_type: str, body: bytes, held: Held) -> asyncio.Future[Job]:
        """What a body asks, with the answers: raises what :meth:`lowshot.Gallery.identify` does, and Refused."""
        asked: asyncio.Future[Job] = self._loop.create_future()
        self._decoding.submit(self._prepare, media_type, body, held, asked)
        return asked

    def _prepare(self, media_type: str, body: bytes, held: Held, asked: asyncio.Future[Job]) -> None:
        """Decode what a body holds, and have it answered with the next batch."""
        if asked.cancelled():
            return
        form = self.gallery.card.form
        try:
            files, question = bodies.read_identify(media_type, body, self.settings.max_files, form.modality)
            held.take(items=len(files.contents) - 1)
            pixels = read_items(files.contents, form, files.shown, self.settings.max_pixels)
        except Exception as error:  # whatever it is, it is for whoever waits
            self._loop.call_soon_threadsafe(_settle, [(asked, error)])
        else:
            self._batches.put(Job(asked, files.names, pixels, question))

    def _answered(self, jobs: Sequence[Job]) -> None:
        """Tell those who wait; in the thread of the batches."""
        self.metrics.batch(sum(len(job.pixels) for job in jobs))
        self._loop.call_soon_threadsafe(_settle, [(job.asked, job.fault or job) for job in jobs])

    async def enroll(self, label: str, media_type: str, body: bytes, held: Held) -> list[int]:
        """Enroll what a body holds, all or nothing. Raises what :meth:`lowshot.Gallery.enroll` does, and Refused."""
        files = await self._run(self._decoding, partial(self._files, media_type, body, held))
        names, labels = list(files.names), [label] * len(files.contents)
        return await self.write(
            lambda: self.gallery.enroll(list(files.contents), labels, names, list(files.attributes) or None)
        )

    def _files(self, media_type: str, body: bytes, held: Held) -> Files:
        modality = self.gallery.card.modality
        files = bodies.read_enroll(media_type, body, self.settings.max_files, modality)
        held.take(items=len(files.contents) - 1)
        if modality == "image":
            bodies.check_sizes(files, self.settings.max_pixels)
        return files

    def overview(self) -> dict[str, Any]:
        """Every class with the number of its examples and the oldest of them."""
        counts, oldest = self.gallery.classes(), self.gallery.oldest()
        return {
            "examples": sum(counts.values()),
            "keeps_items": self.gallery.keeps_items,
            "classes": [
                {"label": label, "examples": number, "first": oldest[label]}
                for label, number in counts.items()
                if label in oldest
            ],
        }

    def original(self, id: int) -> Original:
        """What an example was enrolled from, or what a description says."""
        file, described = self.gallery.original(id), self.gallery.example(id).described is not None
        return Original(file, media_type(file, "text" if described else self.gallery.card.modality), described)

    async def decode(self, work: Callable[[], Found]) -> Found:
        """What a function gives that decodes a picture."""
        return await self._run(self._decoding, work)

    async def read(self, work: Callable[[], Found]) -> Found:
        """What a function gives that reads the gallery."""
        return await self._run(self._reading, work)

    async def write(self, work: Callable[[], Found]) -> Found:
        """What a function gives that changes the gallery; one at a time."""
        return await self._run(self._writing, work)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], Found]) -> Found:
        return await self._loop.run_in_executor(pool, work)


def _settle(outcomes: Sequence[tuple[asyncio.Future[Job], Job | Exception]]) -> None:
    """Give those who still wait what they wait for, in the event loop."""
    for future, outcome in outcomes:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
