"""Enrolling very many files: decoded by several processes, a batch a transaction, going on where it was stopped.

A file that is enrolled already under the same label and name is read, not decoded: where its digest is the same, nothing is
left to do. So the same call after a kill takes up where the last batch ended, and a call for a folder that has grown costs
what is new and a look at the rest.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lowshot.data.files import FileSet, ZipMember
from lowshot.data.forms import Form, Packed, blank, read_items
from lowshot.data.raw import file_bytes
from lowshot.encoder import Encoder
from lowshot.errors import BadFiles, DataError, GalleryError
from lowshot.gallery.enrollable import storable
from lowshot.gallery.gallery import finite
from lowshot.gallery.originals import Keeping
from lowshot.gallery.store import Row, Store

Known = Mapping[tuple[str, str], bytes]  # by label and name, the digest of what is enrolled

_BATCH, _BATCH_BYTES = 256, 1 << 24  # files and their bytes in a batch
# A process that is started afresh inherits no locks of the encoder's threads. What it runs works in a forked one as well.
_START = "spawn"


@dataclass(frozen=True)
class Enrolled:
    """What came of a bulk enrollment.

    Attributes:
        new: how many examples were enrolled.
        there: how many files show a picture that is enrolled already under their label.
        bad: each file that cannot be enrolled, and why.
    """

    new: int
    there: int
    bad: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Job:
    """Files to decode: from ``start`` on in their set, each with the digest of what is enrolled under its name, if any."""

    start: int
    files: tuple[Path | ZipMember | str, ...]
    known: tuple[bytes | None, ...]
    form: Form
    keeping: Keeping


@dataclass(frozen=True, eq=False)
class _Decoded:
    """What became of a job's files, by their positions in the set.

    Attributes:
        number: how many files there were.
        positions: of those decoded.
        items: packed in the form.
        kept: what is kept of each, and its digest.
        bad: positions of files that cannot be read, and why.
    """

    number: int
    positions: list[int]
    items: Packed
    kept: list[tuple[bytes | None, bytes]]
    bad: list[tuple[int, str]]


def enroll(
    store: Store,
    encoder: Encoder,
    keeping: Keeping,
    files: FileSet,
    workers: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Enrolled:
    """Enroll files; see :meth:`lowshot.gallery.Gallery.enroll_bulk`."""
    known, last = _enrolled(store, files)
    new = there = done = 0
    bad: list[tuple[str, str]] = []
    with _decoders(_cores() if workers is None else workers) as decode:
        for decoded in decode(_jobs(files, known, encoder.card.form, keeping)):
            ids = store.add(_rows(decoded, files, encoder)) if decoded.positions else []
            fresh = {id for id in ids if id > last}
            last = max(fresh, default=last)
            new += len(fresh)
            there += decoded.number - len(decoded.bad) - len(fresh)
            bad += [(files.names[position], why) for position, why in decoded.bad]
            done += decoded.number
            if report is not None:
                report(done, len(files))
    return Enrolled(new, there, tuple(bad))


def _enrolled(store: Store, files: FileSet) -> tuple[Known, int]:
    """What is enrolled under the names of these files, and the largest id."""
    if store.is_empty():
        return {}, 0
    names = set(map(storable, files.names))
    known: dict[tuple[str, str], bytes] = {}
    last = 0
    for row in store.rows(originals=False):
        last = row.id or last
        if row.digest is not None and row.name in names:
            known[row.label, row.name] = row.digest
    return known, last


def _jobs(files: FileSet, known: Known, form: Form, keeping: Keeping) -> Iterator[_Job]:
    """Batches of files that fit in memory many times."""
    start = size = 0
    for position, item in enumerate(files.items):
        size += _size(item)
        end = position + 1
        if end - start == _BATCH or size >= _BATCH_BYTES or end == len(files):
            keys = zip(files.labels[start:end], map(storable, files.names[start:end]), strict=True)
            yield _Job(start, tuple(files.items[start:end]), tuple(map(known.get, keys)), form, keeping)
            start, size = end, 0


def _size(item: Path | ZipMember | str) -> int:
    """Bytes of a file or text; 0 where it is not there, which whoever reads it will find."""
    if isinstance(item, str):
        return len(item)
    if isinstance(item, ZipMember):
        return item.info.file_size
    try:
        return item.stat().st_size
    except (OSError, ValueError):
        return 0


def _rows(decoded: _Decoded, files: FileSet, encoder: Encoder) -> list[Row]:
    features = finite(encoder, encoder.embed_support(decoded.items))
    return [
        Row(
            label=files.labels[position],
            name=storable(files.names[position]),
            attributes={key: str(values[position]) for key, values in files.attributes.items()},
            feature=feature,
            original=original,
            digest=digest,
        )
        for position, feature, (original, digest) in zip(decoded.positions, features, decoded.kept, strict=True)
    ]


def _decode(job: _Job) -> _Decoded:
    """Read a job's files, and decode those that are not enrolled yet. Runs in a process of its own."""
    positions: list[int] = []
    kept: list[tuple[bytes | None, bytes]] = []
    bad: list[tuple[int, str]] = []
    items: list[Packed] = []
    for position, (file, known) in enumerate(zip(job.files, job.known, strict=True), job.start):
        try:
            content = file.encode() if isinstance(file, str) else file_bytes(file)
            if (digest := job.keeping.digest(content)) == known:
                continue
            items.append(read_items([content], job.form))
            kept.append((job.keeping.original(content), digest))
            positions.append(position)
        except BadFiles as error:
            bad.append((position, error.problems[0][1]))
        except DataError as error:
            bad.append((position, str(error)))
    return _Decoded(len(job.files), positions, np.concatenate(items or [blank(job.form)[:0]]), kept, bad)


@contextmanager
def _decoders(workers: int) -> Iterator[Callable[[Iterable[_Job]], Iterator[_Decoded]]]:
    """What decodes jobs, in their order: so many processes, or with 0 this one. They end with this one, however it ends."""
    if not workers:
        yield partial(map, _decode)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(_START), _begin)
    try:
        yield partial(_ahead, pool, 2 * workers)
    except BrokenProcessPool:
        raise GalleryError(
            "a process that decodes pictures was killed, perhaps for want of memory: enroll again, and it goes on; with "
            "fewer --workers if need be"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(pool: ProcessPoolExecutor, number: int, jobs: Iterable[_Job]) -> Iterator[_Decoded]:
    """Results in the order of the jobs, of which not more than a number are begun ahead."""
    begun: deque[Future[_Decoded]] = deque()
    for job in jobs:
        begun.append(pool.submit(_decode, job))
        if len(begun) > number:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _begin() -> None:
    """A decoding process leaves Ctrl-C to the one that started it, and ends when that one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
