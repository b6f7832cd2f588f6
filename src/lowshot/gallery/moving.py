"""Moving a gallery: to another store, to a Parquet file and back, to another encoder.

Whatever makes a gallery fills it in batches, oldest example first, and marks it as unfinished until it is whole. So it may
be killed at any moment: done again, it goes on after the last example that is there. Examples that are added to the source
meanwhile come along; what is removed or renamed there after it was copied stays as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from lowshot.encoder import Encoder
from lowshot.errors import BadFiles, GalleryError
from lowshot.gallery.gallery import finite, new_facts
from lowshot.gallery.originals import KEEPS, NONE, Keeping
from lowshot.gallery.store import UNFINISHED, Row, Store, is_there, open_store, open_whole

Report = Callable[[int, int], None]  # is told how many examples are done, and of how many

_BATCH, _BATCH_BYTES = 256, 1 << 25  # examples and bytes of pictures in memory at once
_ROW_GROUP = 4096  # examples in a row group of Parquet, which is read faster when it is large


def copy(source: str | Path, target: str | Path, report: Report | None = None) -> int:
    """Copy a gallery to another place, of whichever kind: pictures, features, ids, times and what it has learned.

    Args:
        source, target: their files or addresses. Where the target is part of a copy, that one is completed.
        report: told of each batch.

    Returns:
        How many examples the copy has.

    Raises:
        GalleryError: there is no such gallery, the target is another one, or either cannot be used.
    """
    with closing(open_whole(str(source))) as store:
        return _fill(target, store.facts(), f"copy of {_address(source)}", store.rows, len(store), report)


def export(source: str | Path, file: str | Path, images: bool = True, report: Report | None = None) -> int:
    """Write a gallery into a Parquet file, see :mod:`lowshot.gallery.parquet`. All of it, or no file.

    Args:
        source: its file or address.
        file: named ``.parquet``; one that is there is replaced, if it is a Parquet file.
        images: whether pictures come along. Without, what is made of the file keeps none either.
        report: told of each batch.

    Returns:
        How many examples were written.

    Raises:
        ConfigError: pyarrow is not installed.
        GalleryError: there is no such gallery, or the file cannot be written.
    """
    from lowshot.gallery import parquet

    with closing(open_whole(str(source))) as store:
        facts, rows, total = store.facts(), store.rows(originals=images), len(store)
        keeping = Keeping.by(facts)
        if keeping.items and not images:
            facts[KEEPS] = NONE
            rows = (replace(row, digest=row.digest and keeping.seal(row.digest)) for row in rows)
        done = 0
        with parquet.writer(Path(file), facts) as write:
            for batch in _batches(rows, _ROW_GROUP):
                write(batch)
                done += len(batch)
                _tell(report, done, total)
        return done


def import_(
    file: str | Path, target: str | Path, encoder: str | Path | None = None, report: Report | None = None
) -> int:
    """Make a gallery of what :func:`export` has written.

    Args:
        file: the Parquet file.
        target: the new gallery's file or address. Where it is part of the same, that one is completed.
        encoder: the encoder's name or file; None for where it was when the gallery was exported.
        report: told of each batch.

    Returns:
        How many examples the gallery has.

    Raises:
        ConfigError: pyarrow is not installed.
        EncoderError: the encoder given cannot be loaded.
        GalleryError: the file is none that :func:`export` made, is damaged, or comes from another encoder; the target is
            another gallery, or cannot be written.
    """
    from lowshot.gallery import parquet

    with parquet.reader(Path(file)) as table:
        facts = dict(table.facts)
        if encoder is not None:
            loaded = Encoder.load(encoder)
            if loaded.fingerprint != facts["fingerprint"]:
                raise GalleryError(
                    f"{file} holds features of the encoder {table.card.name!r} ({facts['fingerprint'][:12]}), not of "
                    f"{loaded.card.name!r} ({loaded.fingerprint[:12]}): features of two encoders cannot be compared; give "
                    "its own (--encoder FILE)"
                )
            facts["source"] = new_facts(loaded, encoder, False, True)["source"]
        table.check()
        return _fill(target, facts, f"import of {_address(file)}", table.rows, len(table), report)


def migrate(source: str | Path, target: str | Path, encoder: Encoder | str | Path, report: Report | None = None) -> int:
    """Make a gallery of the same examples with the features of another encoder, computed from the pictures kept.

    Ids, labels, names, attributes and times stay. What the gallery has learned does not: it depends on the encoder.

    Args:
        source, target: their files or addresses. Where the target is part of the same, that one is completed.
        encoder: the new one, its name or its file.
        report: told of each batch.

    Returns:
        How many examples the new gallery has.

    Raises:
        EncoderError: the encoder cannot be loaded.
        GalleryError: there is no such gallery, examples have no picture (all are named, nothing is written), the target is
            another gallery, or either cannot be used.
        BadFiles: pictures that cannot be decoded.
    """
    loaded = encoder if isinstance(encoder, Encoder) else Encoder.load(encoder)
    with closing(open_whole(str(source))) as store:
        facts = store.facts()
        if not is_there(str(target)):
            _check_originals(store, facts)
        new = new_facts(loaded, encoder, facts.get("precision") == "float16", images=True)
        task = f"migration of {_address(source)} to the encoder {loaded.fingerprint[:12]}"
        return _fill(target, new, task, lambda after: _encoded(store.rows(after), loaded), len(store), report)


def _fill(
    target: str | Path,
    facts: Mapping[str, str],
    task: str,
    rows: Callable[[int], Iterator[Row]],
    total: int,
    report: Report | None,
) -> int:
    """Write rows into a new gallery, or into one that the same task has begun; how many it has then.

    Args:
        target: its file or address.
        facts: of the new gallery.
        task: what is done, in words that name the source.
        rows: those with a larger id, in order of their ids.
        total: how many there are in all.
        report: told of each batch.
    """
    with closing(_begun(str(target), {**facts, UNFINISHED: task})) as store:
        last = deque(store.rows(originals=False), maxlen=1)
        done = len(store)
        _tell(report, done, total)
        for batch in _batches(rows(last[0].id or 0 if last else 0)):
            store.add(batch)
            done += len(batch)
            _tell(report, done, total)
        store.change({UNFINISHED: ""})
        return done


def _begun(place: str, facts: Mapping[str, str]) -> Store:
    """A new gallery, or one that the same task has begun."""
    if not is_there(place):
        return open_store(place, facts)
    store = open_store(place)
    try:
        if store.facts().get(UNFINISHED) != facts[UNFINISHED]:
            raise GalleryError(f"{place} is a gallery already: give another place for the {facts[UNFINISHED]}")
    except BaseException:
        store.close()
        raise
    return store


def _batches(rows: Iterator[Row], most: int = _BATCH) -> Iterator[list[Row]]:
    """Rows in lists that are small enough to be in memory at once, ``most`` of them at most."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.original or b"")
        if len(batch) == most or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encoded(rows: Iterator[Row], encoder: Encoder) -> Iterator[Row]:
    """The rows with the features of another encoder."""
    for batch in _batches(rows):
        shown = [f"example {row.id} ({row.name or 'no name'})" for row in batch]
        items = encoder.read([row.original or b"" for row in batch], shown)
        features = finite(encoder, encoder.embed_support(items))
        yield from map(lambda row, feature: replace(row, feature=feature), batch, features)


def _check_originals(store: Store, facts: Mapping[str, str]) -> None:
    """Raises GalleryError where examples have no file: all of them are counted, the first ones named."""
    if not Keeping.by(facts).items:
        raise GalleryError(
            f"{store.place} keeps features only (--no-images): a new encoder needs the items, so enroll them anew"
        )
    without = [str(row.id) for row in store.rows() if row.original is None]
    if without:
        more = len(without) - BadFiles.SHOWN
        rest = f" and {more} more" if more > 0 else ""
        raise GalleryError(
            f"{len(without)} of {len(store)} examples of {store.place} have no file to make new features from "
            f"({', '.join(without[: BadFiles.SHOWN])}{rest}): remove them from a copy first (lowshot gallery remove --id)"
        )


def _address(place: str | Path) -> str:
    """A place in words that mean the same from every folder."""
    return str(place) if "://" in str(place) else str(Path(place).expanduser().resolve())


def _tell(report: Report | None, done: int, total: int) -> None:
    if report is not None:
        report(done, total)
